"""A contact sheet of test images with what a run said of them: some right, some wrong, drawn at random."""

from __future__ import annotations

import numpy as np
from PIL import Image

from sightline.config import DataConfig
from sightline.data import decode, list_images
from sightline.files.atomic import atomic_path, write_json
from sightline.randomness import generator
from sightline.runs import RunFolder, StudyFolder
from sightline.runs.artifacts import PREDICTIONS, SAMPLES, SAMPLES_SHEET
from sightline.runs.samples import ContactSheet, Prediction

SHOWN = 24  # four rows of six: a glance
COLUMNS = 6
SIDE = 96  # pixels


def write_samples(run: RunFolder, folder: StudyFolder, data: DataConfig) -> None:
    """Write figures/samples.png and samples.json into `folder` for a classify run.

    Half the sheet is drawn from the right answers and half from the wrong ones, as far as there are any; so it
    shows what errors look like and says nothing of how frequent they are.
    """
    table = run.predictions().to_pylist()
    order = generator(0, "study/samples").permutation(len(table))
    wrong = [int(i) for i in order if not table[i]["correct"]][: SHOWN // 2]
    right = [int(i) for i in order if table[i]["correct"]][: SHOWN - len(wrong)]
    chosen = sorted(right) + sorted(wrong)
    paths = {sample.id: sample.path for sample in list_images(data).samples}
    samples = tuple(Prediction.from_dict(table[index], PREDICTIONS) for index in chosen)
    layout = ContactSheet(side=SIDE, columns=COLUMNS, samples=samples)
    sheet = Image.new("RGB", (COLUMNS * SIDE, -(-len(chosen) // COLUMNS) * SIDE), "white")
    for position, sample in enumerate(samples):
        tile = Image.fromarray(np.ascontiguousarray(_square(decode(paths[sample.id]))))
        sheet.paste(tile.resize((SIDE, SIDE), Image.Resampling.LANCZOS), layout.place(position)[:2])
    with atomic_path(folder.path / SAMPLES_SHEET) as temporary:
        sheet.save(temporary, format="PNG")
    write_json(folder.path / SAMPLES, layout.to_dict())


def _square(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]
