"""Pictures of a report, from the files of runs and studies; each is None or empty where its file is missing."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from sightline.figures import class_keys, health_panels, learning_panels, schedule_panels, tsne_panels
from sightline.figures.health import COMMON_SCHEDULES, logged
from sightline.report.document import Block, Choice, Listing, Picture, Section, Table, Text, Thumbnail, Thumbnails
from sightline.runs import RunFolder, StudyFolder, read_json
from sightline.runs.artifacts import PREDICTIONS, SAMPLES, SAMPLES_SHEET
from sightline.runs.numbers import percent
from sightline.runs.results import COMMON_HEALTH, MethodReport
from sightline.runs.samples import ContactSheet, Prediction
from sightline.runs.study_result import Embedding

TILE_QUALITY = 88  # JPEG: a page of two dozen stays under 150 kB
LISTED = 12  # samples in the table that stands in for missing thumbnails


def learning_curves(
    runs: Mapping[str, Sequence[RunFolder]], caption: str, name: str = "learning-curves"
) -> Picture | None:
    """Return the learning curves of runs by arm."""
    panels = learning_panels({arm: [run.metrics() for run in arm_runs] for arm, arm_runs in runs.items()}, name)
    return Picture(name, caption, panels) if panels else None


def curves_section(run: RunFolder) -> Section:
    """Return the learning curves of one run."""
    picture = learning_curves({"": [run]}, "By epoch.")
    return Section("curves", "Learning curves", [picture or Text(["Nothing was logged yet."])])


def pretraining_health(run: RunFolder, method: MethodReport) -> list[Block]:
    """Return the health of a pretraining run with how to read each curve, and its schedules."""
    lines, plots = run.metrics(), (*method.health, *COMMON_HEALTH)
    panels = health_panels(lines, plots)
    if not panels:
        return []
    blocks: list[Block] = [
        Picture("health", "Health of pretraining by epoch; none of it but k-NN needs labels.", panels, columns=3),
        Listing([f"{plot.title}: {plot.words}." for plot in logged(lines, plots)]),
    ]
    schedules = schedule_panels(lines, (*COMMON_SCHEDULES, *method.schedules))
    if schedules:
        blocks.append(Picture("schedules", "What the recipe prescribed, by step.", schedules, columns=3))
    return blocks


def embedding_pair(folder: StudyFolder, embedding: Embedding) -> Picture | Choice | None:
    """Return the t-SNE pair of a study from the parquet that its result names; None where that is gone.

    Samples of several styles can be colored by class or by style.
    """
    path = folder.path / embedding.points
    if not path.is_file():
        return None
    table = pq.read_table(path)
    points = {name: table[name].to_numpy() for name in ("x_first", "y_first", "x_last", "y_last")}
    labels = table["label"].to_pylist()
    first, last = (np.stack([points[f"x_{stage}"], points[f"y_{stage}"]], axis=1) for stage in ("first", "last"))
    titles = (f"Epoch {embedding.first.epoch}", f"Epoch {embedding.last.epoch}")
    caption = (
        f"t-SNE of the penultimate features of arm {embedding.arm} on {len(labels)} training samples, at "
        "the first and at the last epoch: same samples, same colours, the second map begun from the first. Axes have "
        "no unit, and distances between clusters mean little."
    )
    by_class = Picture("tsne", caption, tsne_panels(first, last, labels, titles), keys=class_keys(labels))
    if "style" not in table.column_names:
        return by_class
    styles = table["style"].to_pylist()
    panels = tsne_panels(first, last, styles, titles, of="style")
    told = "The same maps, colored by the style of each sample: where styles lie apart, so do their features."
    by_style = Picture("tsne-style", told, panels, keys=class_keys(styles))
    return Choice("Colors by", ("class", "style"), (by_class, by_style))


def samples(folder: Path, run: RunFolder | None, caption: str) -> Block | None:
    """Return thumbnails where `folder` provides them, else the first rows of the run's predictions, else None."""
    if (folder / SAMPLES_SHEET).is_file() and (folder / SAMPLES).is_file():
        sheet = ContactSheet.from_dict(read_json(folder / SAMPLES), where=str(folder / SAMPLES))
        return _thumbnails(folder / SAMPLES_SHEET, sheet, caption)
    if run is None or not (run.path / PREDICTIONS).is_file():
        return None
    rows = [Prediction.from_dict(row, PREDICTIONS) for row in run.predictions().slice(0, LISTED).to_pylist()]
    cells = [[row.id, row.label, row.predicted, percent(row.probability, 0), "right" if row.correct else "wrong"]
             for row in rows]  # fmt: skip
    header = ("Sample", "Label", "Predicted", "Probability", "Verdict")
    return Table(f"{caption} (the first {len(rows)} of the test split; the run provides no thumbnails)", header, cells,
                 (False, False, False, True, False))  # fmt: skip


def _thumbnails(path: Path, sheet: ContactSheet, caption: str) -> Thumbnails:
    items = []
    with Image.open(path) as image:
        for index, sample in enumerate(sheet.samples):
            buffer = io.BytesIO()
            image.crop(sheet.place(index)).convert("RGB").save(buffer, format="JPEG", quality=TILE_QUALITY)
            uri = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
            items.append(Thumbnail(uri, sample.label, sample.predicted, percent(sample.probability, 0), sample.correct))
    return Thumbnails(caption, items, SAMPLES_SHEET)
