"""From what stands on the command line to the pages of a server."""

from __future__ import annotations

import sys
from pathlib import Path

from sightline.config import DataConfig
from sightline.data import IMAGE_SUFFIXES, find, list_images
from sightline.errors import RunError, UserError
from sightline.files import data_home
from sightline.runs import artifacts
from sightline.web.embedding import TABLE, MapData, read_map
from sightline.web.progress import ProgressData, read_progress
from sightline.web.site import DEFAULT_CLASSES, Site

DEMO_SCENES = 8
DEMO_OBJECTS = 2  # of each class
DEMO_CLASSES = (
    *DEFAULT_CLASSES,
    ("water", "#21929a"),
    ("forest", "#2f9158"),
    ("field", "#d1702a"),
    ("town", "#9463c9"),
)


def open_site(target: str, data: str | None = None) -> Site:
    """Return the pages for a target.

    Args:
        target: "demo"; a study, a run or an embed folder; a folder of pictures, or one picture.
        data: where the pictures of an embedding are, if not where it says.

    Raises:
        UserError: nothing there that could be shown, or it is damaged.
    """
    path = Path(target).expanduser()
    if not path.exists():
        if target == "demo":
            return _demo()
        path = find(target)  # a data set by name
    if path.is_dir() and _holds_results(path):
        return _results(path, DataConfig(source=data) if data else None)
    if data is not None:
        raise UserError(f"--data {data}: says where an embedding's pictures are, and {target} holds no embedding")
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        return Site(path.name, (path,))
    return Site(path.name or target, tuple(sample.path for sample in list_images(DataConfig(source=str(path))).samples))


def _holds_results(path: Path) -> bool:
    names = (artifacts.STUDY, artifacts.INFO, TABLE, artifacts.MASK_HISTORY)
    return any((path / name).is_file() for name in names) or bool(_maps_below(path))


def _maps_below(path: Path) -> list[Path]:
    return sorted(inner.parent for inner in path.glob(f"*/{TABLE}"))


def _results(path: Path, data: DataConfig | None) -> Site:
    folders = [path, *_maps_below(path)]
    maps: list[MapData] = [page for folder in folders if (page := read_map(folder, data)) is not None]
    runs = [path, *sorted(inner.parent.parent for inner in path.glob(f"{artifacts.RUNS}/*/{artifacts.MASK_HISTORY}"))]
    progress: list[ProgressData] = [page for run in runs if (page := read_progress(run)) is not None]
    report = _report(path)
    first = "report" if report else "map" if maps else "progress" if progress else "segment"
    return Site(path.name, report=report, maps=tuple(maps), progress=tuple(progress), first=first)


def _report(path: Path) -> Path | None:
    """Return the folder if it has a report, written now if it was not; None where it can have none."""
    if (path / artifacts.REPORT).is_file():
        return path
    if not ((path / artifacts.STUDY).is_file() or (path / artifacts.INFO).is_file()):
        return None
    from sightline.report import write  # with matplotlib: a second to import

    try:
        write(path)
    except RunError:
        if _maps_below(path) or (path / TABLE).is_file() or (path / artifacts.MASK_HISTORY).is_file():
            return None  # unfinished, yet there is something to see
        raise
    return path


def _demo() -> Site:
    """Return generated pictures, made on first use: scenes, and objects as in photographs."""
    if not (data_home() / "demo").exists():
        print("demo: drawing the pictures, once; some ten seconds", file=sys.stderr, flush=True)
    objects = find("demo/objects")
    scenes = sorted((objects.parent / "landcover" / "validation").glob("*_sat.jpg"))[:DEMO_SCENES]
    classes = sorted(folder for folder in (objects / "photo").iterdir() if folder.is_dir())
    single = [path for folder in classes for path in sorted(folder.glob("*.png"))[:DEMO_OBJECTS]]
    return Site("demo", (*scenes, *single), DEMO_CLASSES)
