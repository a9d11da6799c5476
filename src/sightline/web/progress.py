"""Mask progress of a segmentation run: the pictures that it wrote at its stages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.errors import RunError
from sightline.runs import RunFolder, read_json
from sightline.runs.artifacts import PROGRESS as FOLDER
from sightline.runs.artifacts import PROGRESS_INDEX as INDEX

MEAN_IOU = "val/mean_iou"


@dataclass(frozen=True)
class ProgressData:
    """The stages of one run.

    Attributes:
        title: for people.
        described: what a browser is told; no file names.
        files: (image number, "image", "truth" or a stage's number) → file.
    """

    title: str
    described: dict[str, Any]
    files: dict[tuple[int, str], Path]


def read_progress(run: Path) -> ProgressData | None:
    """Return the stages of a run; None where it kept none.

    Raises:
        RunError: progress.json is damaged, or names a file that is not in its folder.
    """
    folder = run / FOLDER
    if not (folder / INDEX).is_file():
        return None
    content = read_json(folder / INDEX)
    files: dict[tuple[int, str], Path] = {}
    images = []
    try:
        for number, entry in enumerate(content["images"]):
            stages = [stage for stage in entry["stages"] if _keep(folder, stage["mask"])]
            named = {"image": entry.get("image"), "truth": entry.get("truth")}
            files |= {(number, kind): _inside(folder, name) for kind, name in named.items() if name}
            files |= {(number, str(i)): _inside(folder, stage["mask"]) for i, stage in enumerate(stages)}
            if stages:
                epochs = [int(stage["epoch"]) for stage in stages]
                name = str(entry.get("name") or entry["id"])
                has = {"has_image": (number, "image") in files, "has_truth": (number, "truth") in files}
                images.append({"number": number, "name": name, "epochs": epochs, **has})
        palette = content["palette"]
        classes = [
            {"name": str(name), "color": "#{:02x}{:02x}{:02x}".format(*(int(value) for value in color))}
            for name, color in zip(palette["names"], palette["colors"], strict=False)  # then that of unknown pixels
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{folder / INDEX}: not as a segmentation run writes it ({error!r}); train again") from None
    described = {"title": run.name, "images": images, "classes": classes, "curve": _curve(run)}
    return ProgressData(run.name, described, files)


def _inside(folder: Path, name: str) -> Path:
    """Return a file beside progress.json."""
    if not isinstance(name, str) or Path(name).name != name or not (folder / name).is_file():
        raise RunError(f"{folder / INDEX}: names {name!r}, which is no file of its folder")
    return folder / name


def _keep(folder: Path, name: str) -> bool:
    """A run that is still going may have announced a picture that it has not written."""
    return not name or Path(name).name != name or (folder / name).is_file()


def _curve(run: Path) -> list[dict[str, float]]:
    """Return the mean IoU on validation by epoch, as far as the run wrote it; epochs count from 1 as in the stages."""
    points = []
    for line in RunFolder(run).metrics():
        if (value := line.get(MEAN_IOU)) is not None:
            points.append({"epoch": int(line["epoch"]) + 1, "value": float(value)})
    return points
