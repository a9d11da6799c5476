"""A contact sheet of test images with what a run said of them: some right, some wrong, drawn by lot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from sightline.config import DataConfig
from sightline.data import decode, list_images
from sightline.files.atomic import atomic_path, write_json
from sightline.randomness import generator
from sightline.runs import RunFolder

SHOWN = 24  # four rows of six: a glance
SIDE = 96  # pixels


def write_samples(run: RunFolder, folder: Path, data: DataConfig) -> None:
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
    columns = 6
    rows = -(-len(chosen) // columns)
    sheet = Image.new("RGB", (columns * SIDE, rows * SIDE), "white")
    for position, index in enumerate(chosen):
        pixels = decode(paths[table[index]["id"]])
        tile = Image.fromarray(np.ascontiguousarray(_square(pixels))).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        sheet.paste(tile, (position % columns * SIDE, position // columns * SIDE))
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    with atomic_path(figures / "samples.png") as temporary:
        sheet.save(temporary, format="PNG")
    write_json(figures / "samples.json", [table[index] for index in chosen])


def _square(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]
