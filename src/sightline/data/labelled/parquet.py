"""Samples of Parquet files with image bytes: one file, or a folder of them, by themselves or in its folder data/."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.data.images.folder import known_suffixes
from sightline.data.split_file import part_of
from sightline.errors import DataError, Unreachable
from sightline.files.names import composed, printable
from sightline.files.parquet_rows import image_column
from sightline.files.places import INDEX, PARQUET, files_of, forget_folder, is_regular, member_name, open_whole

# What columns are called, the usual name first.
IDS, LABELS, PARTS = ("id", "image_id", "__key__"), ("label", "class", "category"), ("split", "part")
BELOW = "data"  # the folder that Hugging Face's data sets keep their files in


@dataclass(frozen=True)
class ParquetRow:
    """An image of a Parquet file: its id, where it is, its label's name and its part, where they are told."""

    id: str
    path: Path
    label: str | None
    part: str


def parquet_files(root: Path) -> list[Path]:
    """Return the Parquet files of a source, sorted; [] for none.

    A file is its own. Of a folder it is those in it that have a column of images, else those in its folder data/; one
    that cannot be read is among them, for nobody knows what it held: `read_rows` then tells of it.
    """
    forget_folder(root)
    if root.suffix.lower() == PARQUET and is_regular(root):
        return [root]
    if root.is_file():
        return []
    for folder in (root, root / BELOW):
        files = [path for path in files_of(folder, PARQUET) if path.name != INDEX and not path.name.startswith(".")]
        if found := [path for path in files if _may_hold_images(path)]:
            return found
    return []


def read_rows(files: list[Path]) -> list[ParquetRow]:
    """Return the rows of all files.

    Without a column of ids, these are the file's name and the row's number. Without a column of parts, the first words
    of the files' names are parts where two or more are named, as of folders: train-00000-of-00002, test-00000-of-00001.

    Raises:
        DataError: a file cannot be read or has no column of images, an id stands twice, or a part has no known name.
    """
    rows: list[ParquetRow] = []
    parts_of_files = {path: _part_named(path) for path in files}
    if len(set(parts_of_files.values()) - {""}) < 2:
        parts_of_files = dict.fromkeys(files, "")
    for path in files:
        schema = _schema(path)
        image = image_column(schema)
        if image is None:
            raise DataError(f"{path}: no column of image bytes ({', '.join(schema.names)}); name it image")
        ids, labels, parts = (
            next((name for name in names if name in schema.names), None) for names in (IDS, LABELS, PARTS)
        )
        named = _has_path(schema, image)
        columns = _columns(
            path, [*filter(None, (ids, labels, parts)), *([f"{image.partition('.')[0]}.path"] if named else [])]
        )
        absent = [None] * _rows(path)
        names = _class_names(schema, labels)
        structs = columns[image.partition(".")[0]] if named else absent
        files_of = [value["path"] if value else None for value in structs]
        for number, (id_, label, part, file) in enumerate(
            zip(*(columns[name] if name else absent for name in (ids, labels, parts)), files_of, strict=True)
        ):
            suffix = Path(file).suffix.lower() if file else ""
            place = path / member_name(number, suffix if suffix in known_suffixes() else "")
            if part and not part_of(str(part)):
                raise DataError(f"{path}, row {number}: {parts} = {part!r}; expected train, val or test")
            own = f"{path.stem}/{number:09d}" if id_ is None else printable(str(id_))
            own_part = part_of(str(part or "")) if parts else parts_of_files[path]
            rows.append(ParquetRow(own, place, _label(label, names), own_part))
    _check_once(rows)
    return rows


def _check_once(rows: list[ParquetRow]) -> None:
    places: dict[str, Path] = {}
    for row in rows:
        first = places.setdefault(row.id, row.path)
        if first is not row.path:
            raise DataError(
                f"{row.path.parent}: id {row.id} stands more than once, in row {int(row.path.stem)} and in row "
                f"{int(first.stem)} of {first.parent}; give each image an id of its own, or leave the column of ids "
                "out: an id is then the file's name and the row"
            )


def _part_named(path: Path) -> str:
    """Return the part that the first word of a file's name means, "" for none."""
    word = re.match(r"[^\W\d_]+", path.stem)
    return part_of(word[0]) if word else ""


def _may_hold_images(path: Path) -> bool:
    try:
        return image_column(_schema(path)) is not None
    except Unreachable:
        raise
    except DataError:
        return True


def _columns(path: Path, names: list[str]) -> dict[str, list[Any]]:
    """Return columns by name, of a struct's field the struct with that field alone."""
    if not names:
        return {}
    with open_whole(path) as source, pq.ParquetFile(source) as file:
        return file.read(columns=names).to_pydict()


def _rows(path: Path) -> int:
    with open_whole(path) as source:
        return pq.read_metadata(source).num_rows


def _label(value: Any, names: list[str]) -> str | None:
    if value is None or (isinstance(value, int) and value < 0):
        return None
    if isinstance(value, int) and value < len(names):
        return names[value]
    return composed(printable(str(value))) if str(value).strip() else None


def _class_names(schema: pa.Schema, column: str | None) -> list[str]:
    """Return the names of classes that Hugging Face's data sets keep beside their numbers."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return [str(name) for name in features[column]["names"]]
    except (KeyError, ValueError, TypeError):
        return []


def _has_path(schema: pa.Schema, image: str) -> bool:
    column, _, field = image.partition(".")
    return bool(field) and schema.field(column).type.get_field_index("path") >= 0


def _schema(path: Path) -> pa.Schema:
    try:
        with open_whole(path) as source:
            return pq.read_schema(source)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({str(error).splitlines()[0]}); copy it again") from None
