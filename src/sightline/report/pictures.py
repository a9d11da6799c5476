"""Pictures of a report, from the files of runs and studies; each is None or empty where its file is missing."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from sightline.errors import RunError
from sightline.figures import class_keys, health_panels, learning_panels, schedule_panels, tsne_panels
from sightline.figures.health import readings
from sightline.report.document import Block, Listing, Picture, Table, Thumbnail, Thumbnails
from sightline.report.sentences import percent
from sightline.runs import RunFolder, read_json

SHEET, SHEET_TEXT = "figures/samples.png", "figures/samples.json"
TILE_QUALITY = 88  # JPEG: a page of two dozen stays under 150 kB
LISTED = 12  # samples in the table that stands in for missing thumbnails


def learning_curves(
    runs: Mapping[str, Sequence[RunFolder]], caption: str, name: str = "learning-curves"
) -> Picture | None:
    """Return the learning curves of runs by arm."""
    panels = learning_panels({arm: [run.metrics() for run in own] for arm, own in runs.items()}, name)
    return Picture(name, caption, panels) if panels else None


def pretraining_health(run: RunFolder) -> list[Block]:
    """Return the health of a pretraining run with how to read each curve, and its schedules."""
    lines = run.metrics()
    panels = health_panels(lines, run.config()["method"]["prototypes"])
    if not panels:
        return []
    blocks: list[Block] = [
        Picture("health", "Health of pretraining by epoch; none of it but k-NN needs labels.", panels, columns=3),
        Listing([f"{text}." for text in readings(panels)]),
    ]
    schedules = schedule_panels(lines)
    if schedules:
        blocks.append(Picture("schedules", "What the recipe prescribed, by step.", schedules, columns=3))
    return blocks


def embedding_pair(folder: Path, embedding: Mapping[str, Any]) -> Picture | None:
    """Return the t-SNE pair of a study from the parquet that its result names."""
    path = folder / str(embedding.get("points", "embedding.parquet"))
    if not embedding or not path.is_file():
        return None
    table = pq.read_table(path)
    points = {name: table[name].to_numpy() for name in ("x_first", "y_first", "x_last", "y_last")}
    labels = table["label"].to_pylist()
    titles = tuple(f"Epoch {embedding[stage].get('epoch', stage)}" for stage in ("first", "last"))
    panels = tsne_panels(
        np.stack([points["x_first"], points["y_first"]], axis=1),
        np.stack([points["x_last"], points["y_last"]], axis=1),
        labels,
        (titles[0], titles[1]),
    )
    caption = (
        f"t-SNE of the penultimate features of arm {embedding.get('arm', '')} on {len(labels)} training samples, at "
        "the first and at the last epoch: same samples, same colours, the second map begun from the first. Axes have "
        "no unit, and distances between clusters mean little."
    )
    return Picture("tsne", caption, panels, keys=class_keys(labels))


def samples(folder: Path, run: RunFolder | None, caption: str) -> Block | None:
    """Return thumbnails where `folder` provides them, else the first rows of the run's predictions, else None."""
    if (folder / SHEET).is_file() and (folder / SHEET_TEXT).is_file():
        return _thumbnails(folder / SHEET, read_json(folder / SHEET_TEXT), caption)
    if run is None or not (run.path / "predictions.parquet").is_file():
        return None
    rows = run.predictions().slice(0, LISTED).to_pylist()
    cells = [[str(r["id"]), str(r["label"]), str(r["predicted"]), percent(r["probability"], 0),
              "right" if r["correct"] else "wrong"] for r in rows]  # fmt: skip
    header = ("Sample", "Label", "Predicted", "Probability", "Verdict")
    return Table(f"{caption} (the first {len(rows)} of the test split; the run provides no thumbnails)", header, cells,
                 (False, False, False, True, False))  # fmt: skip


def _thumbnails(sheet: Path, entries: Sequence[Mapping[str, Any]], caption: str) -> Thumbnails:
    items = []
    with Image.open(sheet) as image:
        side = tile_side(image.size, len(entries))
        columns = image.width // side
        for index, entry in enumerate(entries):
            left, top = index % columns * side, index // columns * side
            buffer = io.BytesIO()
            tile = image.crop((left, top, left + side, top + side)).convert("RGB")
            tile.save(buffer, format="JPEG", quality=TILE_QUALITY)
            uri = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
            items.append(
                Thumbnail(uri, str(entry["label"]), str(entry["predicted"]), percent(entry["probability"], 0),
                          bool(entry["correct"]))
            )  # fmt: skip
    return Thumbnails(caption, items, SHEET)


def tile_side(size: tuple[int, int], count: int) -> int:
    """Return the side in pixels of the square tiles of a contact sheet, `size` (width, height), filled by rows.

    Raises:
        RunError: no grid of square tiles has this size and number.
    """
    width, height = size
    for columns in range(1, count + 1):
        side, rest = divmod(width, columns)
        if not rest and side * -(-count // columns) == height:
            return side
    raise RunError(f"{SHEET}: {width} × {height} pixels are no grid of {count} square tiles; run the study again")
