"""Mask progress of a segmentation run: the pictures that it wrote at its stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.errors import RunError
from sightline.runs import RunFolder
from sightline.runs.artifacts import MASK_HISTORY, PROGRESS
from sightline.runs.mask_history import MaskHistory

MEAN_IOU = "val/mean_iou"


@dataclass(frozen=True)
class ProgressData:
    """The stages of one run.

    Attributes:
        title: for people.
        described: what a browser is told; no file names.
        files: (image number, "image", "truth" or a stage's number) → file, or what makes its PNG.
    """

    title: str
    described: dict[str, Any]
    files: dict[tuple[int, str], Path | Callable[[], bytes]]


def read_progress(run: Path) -> ProgressData | None:
    """Return the stages of a run; None where it kept none.

    Raises:
        RunError: progress.json is damaged, or names a file that is not in its folder.
    """
    folder, history = run / PROGRESS, RunFolder(run).record(MASK_HISTORY, MaskHistory)
    if history is None:
        return None
    files: dict[tuple[int, str], Path | Callable[[], bytes]] = {}
    images = []
    for number, watched in enumerate(history.images):
        stages = [stage for stage in watched.stages if _is_written(folder, stage.mask)]
        files[number, "image"] = _inside(folder, watched.image)
        if watched.truth:
            files[number, "truth"] = _inside(folder, watched.truth)
        files |= {(number, str(i)): _inside(folder, stage.mask) for i, stage in enumerate(stages)}
        if stages:
            epochs, has_truth = [stage.epoch for stage in stages], watched.truth is not None
            images.append({"number": number, "name": watched.name, "epochs": epochs, "has_truth": has_truth})
    classes = [
        {"name": name, "color": "#{:02x}{:02x}{:02x}".format(*color)}
        # Further colors are of unknown pixels.
        for name, color in zip(history.palette.names, history.palette.colors, strict=False)
    ]
    described = {"title": run.name, "images": images, "classes": classes, "curve": _curve(run)}
    return ProgressData(run.name, described, files)


def _inside(folder: Path, name: str) -> Path:
    """Return a file beside progress.json."""
    if Path(name).name != name or not (folder / name).is_file():
        raise RunError(f"{folder}: its index names {name!r}, which is no file of the folder; train again")
    return folder / name


def _is_written(folder: Path, name: str) -> bool:
    """Return False where a run that is still going has announced a mask that it has not written."""
    return not name or Path(name).name != name or (folder / name).is_file()


def _curve(run: Path) -> list[dict[str, float]]:
    """Return the mean IoU on validation by epoch, as far as the run wrote it; epochs count from 1 as in the stages."""
    points = []
    for line in RunFolder(run).metrics():
        if (value := line.get(MEAN_IOU)) is not None:
            points.append({"epoch": int(line["epoch"]) + 1, "value": float(value)})
    return points
