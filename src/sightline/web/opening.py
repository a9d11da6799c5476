"""From what stands on the command line to the pages of a server."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sightline.config import DataConfig
from sightline.data import demo_home, find, is_image, list_images, tell
from sightline.data.masks.project import ProjectFolder
from sightline.data.masks.project_import import read_existing
from sightline.errors import RunError, UserError
from sightline.files import at_home, data_home
from sightline.runs import StudyFolder, artifacts
from sightline.web.classes import classes_from, classes_of, reading_of
from sightline.web.embedding import TABLE, MapData, read_map
from sightline.web.keeping import Keeper
from sightline.web.progress import ProgressData, read_progress
from sightline.web.site import DEFAULT_CLASSES, Site
from sightline.web.tiles import read_tiles

PROJECT_END = "-project"  # of the name of the folder beside the pictures
DEMO_SCENES = 8
DEMO_OBJECTS = 2  # of each class
DEMO_CLASSES = (
    *DEFAULT_CLASSES,
    ("water", "#21929a"),
    ("forest", "#2f9158"),
    ("field", "#d1702a"),
    ("town", "#9463c9"),
)


def open_site(target: str, data: str | None = None, keep: Keeping | None = None) -> Site:
    """Return the pages for a target.

    Args:
        target: "demo"; a study, a run or an embed folder; a project; a folder of pictures, or one picture.
        data: where the pictures of an embedding are, if not where it says.
        keep: how the work on pictures is kept; None keeps none.

    Raises:
        UserError: nothing there that could be shown, or it is damaged, or a project that does not fit.
    """
    path = at_home(target)
    if not path.exists():
        if target == "demo":
            return _kept(_demo(), keep, Path(f"demo{PROJECT_END}"))
        path = find(target)  # a data set by name
    project = ProjectFolder(path)
    if project.exists:
        pictures = project.pictures
        if not pictures.is_dir():
            raise UserError(
                f"{path}: its pictures were in {pictures}, which is no folder now; put them back, or say where they "
                'are in project.json ("pictures")'
            )
        return _kept(replace(_pictures(pictures), title=path.name), keep, path)
    if path.is_dir() and _holds_results(path):
        site = _results(path, DataConfig(source=data) if data else None)
        return _kept(site, keep, path.absolute().with_name(f"{path.absolute().name}{PROJECT_END}"))
    if data is not None:
        raise UserError(f"--data {data}: says where an embedding's pictures are, and {target} holds no embedding")
    whole = path.absolute()
    beside = whole.with_name(f"{whole.stem if is_image(path) else whole.name or 'pictures'}{PROJECT_END}")
    if path.is_relative_to(data_home()):
        beside = Path(f"{whole.name}{PROJECT_END}")  # not into the folder of named data sets
    return _kept(_pictures(path), keep, beside)


@dataclass(frozen=True)
class Keeping:
    """How the work on pictures is kept.

    Attributes:
        folder: of the project; None: beside the pictures, under their name.
        classes: what classes it begins with: a palette file, a run of a segmenter, another project.
        masks: masks that exist already, for the pictures that nothing was done to.
        predictions: a run of a segmenter that draws masks for the same; its bands and scale are what pictures are shown
            with.
        predict: lets that run draw: writes masks of a picture, or of the pictures in a folder, to another folder.
    """

    folder: Path | None = None
    classes: str | None = None
    masks: Path | None = None
    predictions: Path | None = None
    predict: Callable[[Path, Path, Path], object] | None = None


def _kept(site: Site, keep: Keeping | None, beside: Path) -> Site:
    if keep is None:
        return site
    if site.root is None or not site.pictures:
        if (keep.folder or keep.classes or keep.masks or keep.predictions) is not None:
            raise UserError(
                f"{site.title}: has no pictures to work on, so --project, --classes, --masks and --predictions say "
                "nothing here; give a folder of pictures"
            )
        return site
    chosen = classes_from(keep.classes) if keep.classes else ()
    folder = keep.folder or beside
    # A project that goes on from masks has their classes.
    given = chosen or ProjectFolder(folder).exists or keep.masks is not None or keep.predictions is not None
    first = chosen if given else site.classes
    keeper = Keeper(folder, site.root, first)
    try:
        if keep.masks is not None:
            _take_in(keeper, keep.masks, site)
        if keep.predictions is not None and keep.predict is not None:
            site = replace(site, reading=reading_of(keep.predictions))
            with tempfile.TemporaryDirectory(prefix="sightline-") as drawn:
                wanted = site.pictures[0] if len(site.pictures) == 1 else keeper.pictures
                keep.predict(keep.predictions, wanted, Path(drawn))
                _take_in(keeper, Path(drawn), site)
    except BaseException:
        keeper.close()
        raise
    return replace(site, keeper=keeper, classes=tuple((c.name, c.color) for c in keeper.settings.classes))


def _take_in(keeper: Keeper, masks: Path, site: Site) -> None:
    existing = read_existing(masks, keeper.pictures, site.pictures)
    taken, passed = keeper.take_in(existing)
    rest = f"; {passed} that were worked on already stay as they are" if passed else ""
    tell(f"masks of {taken} of {len(site.pictures)} pictures taken in ({existing.how}){rest}")


def _pictures(path: Path) -> Site:
    if is_image(path):
        return Site(path.name, (path,), root=path.parent)
    listing = list_images(DataConfig(source=str(path)), labels=False)
    for line in listing.said():
        tell(line)
    files = tuple(sample.path for sample in listing.samples)
    if path.is_dir():
        return Site(path.name or path.absolute().name, files, root=path)
    # A list or a table names files anywhere.
    whole = tuple(file.absolute() for file in files)
    return Site(path.name, whole, root=Path(os.path.commonpath([file.parent for file in whole])))


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
    tiles = [shown for run in _segmenters(path) if (shown := read_tiles(run)) is not None]
    progress = [*(shown.progress for shown in tiles), *progress]
    report = _report(path)
    first = "report" if report else "map" if maps else "progress" if progress else "segment"
    site = Site(path.name, report=report, maps=tuple(maps), progress=tuple(progress), first=first)
    if not tiles:
        return site
    shown = {"pictures": tiles[0].pictures, "root": tiles[0].root, "reading": tiles[0].reading}
    return replace(site, **shown, classes=classes_of(tiles[0].palette))


def _segmenters(path: Path) -> list[Path]:
    """Return the run itself, or of a study the first run of each arm that is done."""
    if not (path / artifacts.STUDY).is_file():
        return [path]
    study = StudyFolder(path)
    arms = [arm for arm in study.result.arms if arm.score is not None] if study.has_result else []
    return [study.run_path(arm.parts.runs[min(arm.parts.runs)]) for arm in arms if arm.parts.runs]


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
    if not demo_home().exists():
        print("demo: drawing the pictures, once; some ten seconds", file=sys.stderr, flush=True)
    objects = find("demo/objects")
    scenes = sorted((objects.parent / "landcover" / "validation").glob("*_sat.jpg"))[:DEMO_SCENES]
    classes = sorted(folder for folder in (objects / "photo").iterdir() if folder.is_dir())
    single = [path for folder in classes for path in sorted(folder.glob("*.png"))[:DEMO_OBJECTS]]
    return Site("demo", (*scenes, *single), DEMO_CLASSES, root=objects.parent)
