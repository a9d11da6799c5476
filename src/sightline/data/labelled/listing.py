"""From a place to a list of samples: layouts are found out here, and nothing is decoded yet."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sightline.config import DataConfig
from sightline.data.images.decode import IMAGE_SUFFIXES
from sightline.data.images.folder import images_below, is_image
from sightline.data.masks.layouts import masks_among
from sightline.data.sets.catalog import find
from sightline.errors import DataError, nearest

SHOWN = 5  # names in an error: enough to recognise, few enough to read


@dataclass(frozen=True)
class Sample:
    """One image.

    Attributes:
        id: stable: the path below the source's root with forward slashes, or the CSV's id.
        path: of the file.
        label: class index, −1 for none.
        style: of style/class folders, else "".
    """

    id: str
    path: Path
    label: int = -1
    style: str = ""


@dataclass(frozen=True)
class BadImage:
    """An image that was left out, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class ImageSet:
    """A data set: its samples in order of their ids.

    Attributes:
        name: its source, as it was asked for.
        samples: in order of id.
        classes: names by class index; () without labels.
        bad: images that were left out.
    """

    name: str
    samples: tuple[Sample, ...]
    classes: tuple[str, ...] = ()
    bad: tuple[BadImage, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def labels(self) -> np.ndarray:
        """Class indices, int64 (N,), −1 for none."""
        return np.array([sample.label for sample in self.samples], dtype=np.int64)

    @property
    def ids(self) -> list[str]:
        """Sample ids."""
        return [sample.id for sample in self.samples]

    @property
    def fingerprint(self) -> str:
        """A hash of ids, labels and file sizes: another file list, labelling or changed file gives another.

        A file edited to the same size goes unseen here; the pixel cache, keyed by times too, still sees it.
        """
        digest = hashlib.blake2b(digest_size=16)
        for sample in self.samples:
            digest.update(f"{sample.id}\0{sample.label}\0{sample.path.stat().st_size}\n".encode())
        return digest.hexdigest()


def list_images(config: DataConfig) -> ImageSet:
    """List the images of a source.

    Layouts, in the order in which `auto` tries them:
        csv: a .csv file with columns id, filename and perhaps label (none where all are empty); each image in images/
            beside the CSV or beside it, the first that is there.
        list: any other file, one path a line, absolute or relative to it; # begins a comment.
        classes: a folder with no images of its own and at least two folders, each with images: CLASS/image.
        styles: the same one level deeper, at least two folders each: STYLE/CLASS/image; `style` chooses one. A folder
            of train/CLASS and val/CLASS looks the same: point at one part.
        folder: any other folder, searched through, without labels; of images with masks the images only.
    Names that begin with a dot are passed over.

    Raises:
        DataError: nothing there, no images, or a list or CSV that does not hold.
    """
    if not config.source.strip():
        raise DataError("data.source is empty; give a folder, a list file, a CSV, or a known name such as demo/objects")
    root = find(config.source)
    if not root.exists():
        raise DataError(f"data.source = {config.source!r}: no such folder, file or known data set")
    layout = _detect(root) if config.layout == "auto" else config.layout
    masks = masks_among(root, images_below(root)) if root.is_dir() and config.layout in ("auto", "folder") else set()
    if masks:
        layout = "folder"
    read = {"csv": _csv, "list": _list, "styles": _styles, "classes": _classes, "folder": _folder}[layout]
    if layout in ("csv", "list") and not root.is_file():
        raise DataError(f"{root}: layout {layout} needs a file, and this is a folder")
    if layout in ("styles", "classes", "folder") and not root.is_dir():
        raise DataError(f"{root}: layout {layout} needs a folder, and this is a file")
    samples, classes = read(root, config.style)
    # Masks are no photographs: of images with masks the images are taken.
    samples = [sample for sample in samples if sample.path not in masks]
    if not samples:
        known = ", ".join(sorted(IMAGE_SUFFIXES))
        raise DataError(f"{root}: no images found as layout {layout!r}; known suffixes are {known}")
    return ImageSet(config.source, tuple(sorted(samples, key=lambda sample: sample.id)), tuple(classes))


def _detect(root: Path) -> str:
    if root.is_file():
        return "csv" if root.suffix.lower() == ".csv" else "list"
    folders = _folders(root)
    if len(folders) >= 2 and not _images(root):
        if all(_images(folder) for folder in folders):
            return "classes"
        inner = [_folders(folder) for folder in folders]
        if all(len(classes) >= 2 and all(_images(c) for c in classes) for classes in inner):
            return "styles"
    return "folder"


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if is_image(path))


def _folder(root: Path, style: str) -> tuple[list[Sample], list[str]]:
    _no_styles(root, style)
    return [Sample(path.relative_to(root).as_posix(), path) for path in images_below(root)], []


def _classes(root: Path, style: str) -> tuple[list[Sample], list[str]]:
    _no_styles(root, style)
    folders = _folders(root)
    samples = [
        Sample(path.relative_to(root).as_posix(), path, label)
        for label, folder in enumerate(folders)
        for path in _images(folder)
    ]
    return samples, [folder.name for folder in folders]


def _styles(root: Path, style: str) -> tuple[list[Sample], list[str]]:
    folders = _folders(root)
    names = [folder.name for folder in folders]
    if style != "all" and style not in names:
        raise DataError(
            f"style = {style!r}: {root} has no such style.{nearest(style, names)} It has {', '.join(names)}"
        )
    classes = sorted({inner.name for folder in folders for inner in _folders(folder)})
    samples = [
        Sample(path.relative_to(root).as_posix(), path, classes.index(inner.name), folder.name)
        for folder in folders
        if style in ("all", folder.name)
        for inner in _folders(folder)
        for path in _images(inner)
    ]
    return samples, classes


def _no_styles(root: Path, style: str) -> None:
    if style != "all":
        raise DataError(f"style = {style!r}: {root} has no STYLE/CLASS folders; leave style out")


def _list(path: Path, style: str) -> tuple[list[Sample], list[str]]:
    _no_styles(path, style)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise DataError(f"{path}: is one image; give the folder it lies in, or a list file")
    names = [line.strip() for line in _text(path).splitlines()]
    names = [name for name in names if name and not name.startswith("#")]
    _check_unique(path, names, "path")
    samples = [Sample(name, path.parent / name) for name in names]
    _check_present(path, samples)
    return samples, []


def _csv(path: Path, style: str) -> tuple[list[Sample], list[str]]:
    _no_styles(path, style)
    reader = csv.DictReader(io.StringIO(_text(path), newline=""), restval="")
    columns = reader.fieldnames or []
    rows = list(reader)
    if missing := [name for name in ("id", "filename") if name not in columns]:
        raise DataError(
            f"{path}: no column {', '.join(missing)}; found {', '.join(columns) or 'none'}; need id,filename,label"
        )
    for name in ("id", "filename"):
        if empty := sum(not row[name] for row in rows):
            raise DataError(f"{path}: {empty} rows have an empty {name}; fill or remove them")
    _check_unique(path, [row["id"] for row in rows], "id")
    labels = [row["label"] for row in rows] if "label" in columns else []
    if not any(labels):
        labels = []  # a list still to be predicted
    if any(not label for label in labels):
        raise DataError(f"{path}: {sum(not label for label in labels)} rows have an empty label; fill or remove them")
    classes = sorted(set(labels))
    index = {name: number for number, name in enumerate(classes)}
    samples = [
        Sample(row["id"], _beside(path.parent, row["filename"]), index[row["label"]] if classes else -1) for row in rows
    ]
    _check_present(path, samples)
    return samples, classes


def _beside(folder: Path, filename: str) -> Path:
    inner = folder / "images" / filename
    return inner if inner.is_file() else folder / filename


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no UTF-8 text (byte {error.start}); save it as UTF-8") from None


def _check_unique(path: Path, names: list[str], what: str) -> None:
    seen: set[str] = set()
    twice = [name for name in names if name in seen or seen.add(name)]
    if twice:
        raise DataError(f"{path}: {what} given more than once: {_some(twice)}; each must stand once")


def _check_present(path: Path, samples: list[Sample]) -> None:
    absent = [str(sample.path) for sample in samples if not sample.path.is_file()]
    if absent:
        raise DataError(f"{path}: names {len(absent)} files that are not there: {_some(absent)}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
