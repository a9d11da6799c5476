"""From a place to a list of samples: layouts are found out here, and nothing is decoded yet."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath

import numpy as np
import pyarrow.parquet as pq

from sightline.config import DataConfig
from sightline.data.images.folder import Listing, Passed, is_image, passed_line, walk, walk_url, why_none
from sightline.data.labelled.layouts import Meaning, read_folders
from sightline.data.labelled.parquet import parquet_files, read_rows
from sightline.data.labelled.split import split
from sightline.data.masks.layouts import masks_among
from sightline.data.sets.catalog import find
from sightline.data.share import share_of
from sightline.data.split_file import PARTS, part_of
from sightline.data.tables import TABLE_SUFFIXES, FileFinder, Row, Table, check_unique, read_table, read_text, some
from sightline.errors import DataError, nearest
from sightline.files.names import composed, printable
from sightline.files.places import (
    FOLDER,
    INDEX,
    PARQUET,
    forget_folder,
    holds_shards,
    is_regular,
    member_name,
    open_whole,
    status_of,
    url_of,
)


@dataclass(frozen=True)
class Sample:
    """One image.

    Attributes:
        id: stable and printable: the path below the source's root with forward slashes, or the table's id.
        path: of the file.
        label: class index, −1 for none.
        style: of style/class folders, else "".
        part: train, val or test where the source says so, else "".
        filename: as a table or list calls the file, else "".
    """

    id: str
    path: Path
    label: int = -1
    style: str = ""
    part: str = ""
    filename: str = ""


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
        passed: what the source holds beside the samples, one entry a reason.
        notes: what a person should know of how the source was read.
        unclear: why there are no labels, where folders might have been classes.
        shared: whether it is a share of a larger set, whose labelled samples say their part.
    """

    name: str
    samples: tuple[Sample, ...]
    classes: tuple[str, ...] = ()
    bad: tuple[BadImage, ...] = field(default=())
    passed: tuple[Passed, ...] = ()
    notes: tuple[str, ...] = ()
    unclear: str = ""
    shared: bool = False

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def labels(self) -> np.ndarray:
        """Class indices, int64 (N,), −1 for none."""
        return np.array([sample.label for sample in self.samples], dtype=np.int64)

    # Kept: whoever asks for one id after the other would make the list anew for each.
    @cached_property
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
            part = f"\0{sample.part}" if sample.part else ""
            digest.update(f"{sample.id}\0{sample.label}\0{status_of(sample.path).size}{part}\n".encode())
        return digest.hexdigest()

    def said(self) -> list[str]:
        """Return lines for a person: what was passed over, and how a table was read; none where all is usual."""
        lines = [f"{printable(self.name)}: {note}" for note in self.notes]
        return [line for line in (passed_line(self.name, self.passed), *lines) if line]


def list_images(config: DataConfig, *, labels: bool = True) -> ImageSet:
    """List the images of a source.

    Layouts, in the order in which `auto` tries them:
        csv: a .csv or .tsv file with columns filename and perhaps id, label and split (`tables.SYNONYMS`); each image
            in images/ beside the table or beside it, the first that is there.
        list: any other file, one path a line, absolute or relative to it; # begins a comment.
        classes, styles, folder: a folder, as `layouts.read_folders` tells them apart; `style` chooses one style.

    A folder of shards is what it was made of (`data.shards`); a Parquet file with image bytes, or a folder of such
    files and no image files, is its rows (`labelled.parquet`) where the layout is auto; a URL is a folder of another
    file system.

    Args:
        config: the source, and the layout where it is not to be found out.
        labels: False where none are wanted, as for pretraining: `auto` then takes every image below a folder.

    Raises:
        DataError: nothing there, no images, or a list or table that does not hold.
    """
    listing = _list_all(config, labels)
    return listing if config.share is None else _shared(listing, config, config.share)


def _shared(listing: ImageSet, config: DataConfig, share: float) -> ImageSet:
    """Return a share of each class in each part, which every sample then says; without labels a share of each part."""
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    if listing.classes:
        parts = split(listing, config.split, config.split_file)
        for part in PARTS:
            for index in getattr(parts, part).tolist():
                groups[part, listing.samples[index].label].append(index)
    else:
        for index, sample in enumerate(listing.samples):
            groups[sample.part, sample.label].append(index)
    part_of_index = {
        index: part for (part, _), members in groups.items() for index in share_of(listing.ids, members, share)
    }
    samples = tuple(replace(listing.samples[i], part=part) for i, part in sorted(part_of_index.items()))
    return replace(listing, samples=samples, shared=bool(listing.classes))


def _list_all(config: DataConfig, labels: bool) -> ImageSet:
    if not config.source.strip():
        raise DataError("data.source is empty; give a folder, a list file, a CSV, or a known name such as demo/objects")
    root, layout = find(config.source), config.layout
    forget_folder(root)
    if holds_shards(root):
        return _of_shards(config, root, labels)
    if layout == "auto" and (rows := _of_parquet(config.source, root, labels)):
        _no_styles(root, config.style)
        return rows
    if layout != "auto" and is_regular(root) and parquet_files(root):
        raise DataError(f"{root}: layout {layout} is none of Parquet; leave layout out")
    if layout in ("csv", "list") and is_folder(root):
        raise DataError(f"{root}: layout {layout} needs a file, and this is a folder")
    if layout in ("styles", "classes", "folder") and not is_folder(root):
        raise DataError(f"{root}: layout {layout} needs a folder, and this is a file")
    if not is_folder(root):
        if is_image(root):
            raise DataError(f"{root}: is one image; give the folder it lies in, or a list file")
        _no_styles(root, config.style)
        return _of_file(config.source, root, layout)
    if layout == "auto" and not labels and config.style == "all":
        layout = "folder"
    return _of_folder(config, root, layout)


def list_unlabelled(path: Path, root: Path | None = None) -> ImageSet:
    """List images that are to be named: an image, those in and below a folder, or those of a table or list.

    Args:
        path: a file or a folder.
        root: where relative names of a table or list begin; by default where `list_images` looks.

    Raises:
        DataError: as of `list_images`.
    """
    forget_folder(path)
    if holds_shards(path):
        return _of_shards(DataConfig(source=str(path)), path, labels=False)
    if rows := _of_parquet(str(path), path, labels=False):
        return rows
    if is_folder(path):
        return _of_folder(DataConfig(source=str(path)), path, "folder")
    if is_image(path):
        return ImageSet(str(path), (Sample(printable(path.name), path),))
    check_unlabelled(path)
    return _of_file(str(path), path, "auto", root)


def check_unlabelled(path: Path) -> None:
    """Look whether there is anything to be named, before it is listed.

    Raises:
        DataError: neither a file nor a folder.
    """
    if not is_folder(path) and not path.is_file():
        what = "is no regular file" if path.exists() else "no such file or folder"
        raise DataError(f"{path}: {what}; give an image, a folder of images, or a CSV with columns id,filename")


def is_folder(root: Path) -> bool:
    """Return whether a source is a folder, of this machine or of another file system."""
    return root.is_dir() or url_of(root) is not None


def _of_shards(config: DataConfig, root: Path, labels: bool) -> ImageSet:
    """Return the samples that the shards were made of."""
    with open_whole(root / INDEX) as file:
        table = pq.read_table(file)
    metadata = table.schema.metadata or {}
    # As `_list_all` does with the folder itself.
    bare = not labels and config.style == "all" and metadata.get(FOLDER.encode()) == b"1"
    rows = table.to_pylist()
    styles = sorted({row["style"] for row in rows} - {""})
    if not styles:
        _no_styles(root, config.style)
    elif config.style not in ("all", *styles):
        raise DataError(f"style = {config.style!r}: {root} has no such style. It has {', '.join(styles)}")
    classes = () if bare else tuple(sorted({row["label"] for row in rows} - {None}))
    index = {name: number for number, name in enumerate(classes)}
    samples = [
        Sample(
            row["id"],
            root / row["shard"] / member_name(number, row["suffix"]),
            index.get(row["label"], -1),
            "" if bare else row["style"],
            "" if bare else row["part"],
        )
        for number, row in enumerate(rows)
        if config.style in ("all", row["style"])
    ]
    return _set(config.source, root, "shards", samples, classes)


def _of_parquet(source: str, root: Path, labels: bool) -> ImageSet | None:
    """Return the rows of Parquet files; None where there are no such files, or image files beside or below them."""
    files = parquet_files(root)
    listing = _walk(root) if files and root not in files else None
    if not files or (listing and listing.images):
        return None
    rows = read_rows(files)
    classes = tuple(sorted({row.label for row in rows if row.label is not None})) if labels else ()
    index = {name: number for number, name in enumerate(classes)}
    samples = [Sample(row.id, row.path, index.get(row.label or "", -1), part=row.part) for row in rows]
    passed = _without(listing.passed, {listing.name(path) for path in files}) if listing else ()
    return _set(source, root, "parquet", samples, classes, passed)


def _walk(root: Path) -> Listing:
    return walk_url(root) if url_of(root) else walk(root)


def _without(passed: Sequence[Passed], names: set[str]) -> tuple[Passed, ...]:
    """Return what was passed over but for some files, of which something else is said."""
    left = [replace(entry, names=tuple(name for name in entry.names if name not in names)) for entry in passed]
    return tuple(entry for entry in left if entry.names)


def _of_folder(config: DataConfig, root: Path, layout: str) -> ImageSet:
    elsewhere, listing = url_of(root) is not None, _walk(root)
    # The walk has seen whether there are any: most folders need not be listed again.
    beside = listing.images and any(name.lower().endswith(PARQUET) for entry in listing.passed for name in entry.names)
    rows = tuple(listing.name(path) for path in parquet_files(root)) if beside else ()
    if rows:
        beside = Passed("Parquet file beside image files; give the file itself to take its images", rows)
        listing = replace(listing, passed=(*_without(listing.passed, set(rows)), beside))
    # Masks are no photographs: of images with masks the images are taken. On another file system only images are read.
    masks = masks_among(root, listing.images) if config.layout in ("auto", "folder") and not elsewhere else set()
    if masks:
        layout, names = "folder", tuple(listing.name(path) for path in sorted(masks))
        listing = replace(listing, passed=(*listing.passed, Passed("masks of other images", names)))
    paths: dict[PurePath, Path] = {path.relative_to(root): path for path in listing.images if path not in masks}
    meaning = read_folders(paths, layout) if layout != "folder" else Meaning("folder", ())
    if meaning.layout == "folder":
        _no_styles(root, config.style)
        parts = {place.path: place.part for place in meaning.places}
        samples = [Sample(listing.name(path), path, part=parts.get(short, "")) for short, path in paths.items()]
        return _set(config.source, root, layout, samples, (), listing.passed, unclear=meaning.unclear)
    styles = sorted({place.style for place in meaning.places} - {""})
    if meaning.layout == "classes":
        _no_styles(root, config.style)
    elif config.style not in ("all", *styles):
        raise DataError(
            f"style = {config.style!r}: {root} has no such style.{nearest(config.style, styles)} "
            f"It has {', '.join(styles)}"
        )
    classes = tuple(sorted({place.label for place in meaning.places}))
    index = {name: number for number, name in enumerate(classes)}
    samples = [
        Sample(listing.name(paths[p.path]), paths[p.path], index[p.label], p.style, p.part)
        for p in meaning.places
        if config.style in ("all", p.style)
    ]
    empty = [Passed("folder without images", listing.empty)] if listing.empty else []
    return _set(config.source, root, layout, samples, classes, (*meaning.passed, *empty, *listing.passed))


def _of_file(source: str, path: Path, layout: str, root: Path | None = None) -> ImageSet:
    finder = FileFinder(*([root] if root is not None else [path.parent / "images", path.parent]))
    if layout == "csv" or (layout == "auto" and path.suffix.lower() in TABLE_SUFFIXES):
        return _of_table(source, read_table(path), finder, root or path.parent)
    text, notes = read_text(path)
    names = [line.strip() for line in text.removeprefix("\ufeff").splitlines()]
    names = [name for name in names if name and not name.startswith("#")]
    check_unique(path, names, "path")
    found = _found(path, names, finder, root or path.parent, notes)
    samples = [Sample(printable(name), file, filename=name) for name, file in zip(names, found, strict=True)]
    return _set(source, path, "list", samples, (), notes=notes)


def _of_table(source: str, table: Table, finder: FileFinder, folder: Path) -> ImageSet:
    path, rows, notes = table.path, table.rows, list(table.notes)
    by_id, file_column = table.column("id"), table.column("filename")
    if file_column is None:
        file_column = by_id
        if file_column is None:
            columns = ", ".join(name for name in table.columns if name)
            raise DataError(
                f"{path}: no column filename; found {printable(columns) or 'none'}; the first line must name the "
                "columns, id,filename,label"
            )
        notes.append(f"column {file_column} is taken for the file names, for there is no column filename")
    names = _column(table, file_column)
    ids = _column(table, by_id) if by_id is not None else names
    check_unique(path, ids, by_id or file_column)
    label_column, part_column = table.column("label"), table.column("split")
    labels = _labels(table, label_column)
    classes = tuple(sorted(set(labels)))
    index = {name: number for number, name in enumerate(classes)}
    found = _found(path, names, finder, folder, notes)
    samples = [
        Sample(
            printable(ids[i]),
            found[i],
            index[labels[i]] if labels else -1,
            part=_part(path, row, part_column) if part_column else "",
            filename=names[i],
        )
        for i, row in enumerate(rows)
    ]
    unclear = ""
    if not classes:
        unclear = f"column {label_column} is empty" if label_column else f"no column label ({', '.join(table.columns)})"
    return _set(source, path, "csv", samples, classes, notes=notes, unclear=unclear)


def _column(table: Table, name: str) -> list[str]:
    """Return the cells of a column that must not be empty."""
    if empty := [str(row.line) for row in table.rows if not row.cells[name]]:
        raise DataError(
            f"{table.path}: {len(empty)} rows have an empty {name}, in line {some(empty)}; fill or remove them"
        )
    return [row.cells[name] for row in table.rows]


def _labels(table: Table, column: str | None) -> list[str]:
    """Return the labels, [] where there are none yet: a list still to be predicted."""
    if column is None or not any(row.cells[column] for row in table.rows):
        return []
    return [composed(printable(label)) for label in _column(table, column)]


def _part(path: Path, row: Row, column: str) -> str:
    cell = row.cells[column]
    if cell and not part_of(cell):
        raise DataError(f"{path}, line {row.line}: {column} = {printable(cell)!r}; expected train, val or test")
    return part_of(cell)


def _found(path: Path, names: Sequence[str], finder: FileFinder, folder: Path, notes: Sequence[str]) -> list[Path]:
    files = [finder.find(name) for name in names]
    absent = [str(folder / name) for name, file in zip(names, files, strict=True) if file is None]
    if absent:
        raise DataError(
            f"{path}: names {len(absent)} files that are not there: {some(absent)}; names are paths from {folder}"
            + "".join(f"; {note}" for note in notes)
        )
    return [file for file in files if file is not None]


def _set(
    source: str,
    root: Path,
    layout: str,
    samples: list[Sample],
    classes: Sequence[str],
    passed: Sequence[Passed] = (),
    notes: Sequence[str] = (),
    unclear: str = "",
) -> ImageSet:
    if not samples:
        why = "; it has a header and no rows" if layout == "csv" else "; it names no file"
        if root.is_dir():
            why = why_none(passed)
        raise DataError(f"{root}: no images found as layout {layout!r}{why}")
    samples = sorted(samples, key=lambda sample: sample.id)
    return ImageSet(source, tuple(samples), tuple(classes), passed=tuple(passed), notes=tuple(notes), unclear=unclear)


def _no_styles(root: Path, style: str) -> None:
    if style != "all":
        raise DataError(f"style = {style!r}: {root} has no STYLE/CLASS folders; leave style out")
