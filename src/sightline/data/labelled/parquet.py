"""Samples of Parquet files with image bytes: one file, or a folder of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.data.images.folder import known_suffixes
from sightline.data.split_file import part_of
from sightline.errors import DataError
from sightline.files.names import composed, printable
from sightline.files.parquet_rows import SUFFIX, image_column
from sightline.files.places import INDEX, member_name

# What columns are called, the usual name first.
IDS, LABELS, PARTS = ("id", "image_id", "__key__"), ("label", "class", "category"), ("split", "part")


@dataclass(frozen=True)
class ParquetRow:
    """An image of a Parquet file: its id, where it is, its label's name and its part, where they are told."""

    id: str
    path: Path
    label: str | None
    part: str


def parquet_files(root: Path) -> list[Path]:
    """Return the Parquet files of a source that hold images, sorted: the source itself, or those in it; [] for none."""
    if root.is_file():
        files = [root] if root.suffix.lower() == SUFFIX else []
    else:
        files = sorted(path for path in root.glob(f"*{SUFFIX}") if path.name != INDEX) if root.is_dir() else []
    return files if files and image_column(_schema(files[0])) else []


def read_rows(files: list[Path]) -> list[ParquetRow]:
    """Return the rows of all files; without a column of ids, these are the file's name and the row's number.

    Raises:
        DataError: a file has no column of images, an id stands twice, or a part has no name that is known.
    """
    rows: list[ParquetRow] = []
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
        absent = [None] * pq.read_metadata(path).num_rows
        names = _class_names(schema, labels)
        structs = columns[image.partition(".")[0]] if named else absent
        files_of = [value["path"] if value else None for value in structs]
        for number, (id_, label, part, file) in enumerate(
            zip(*(columns[name] if name else absent for name in (ids, labels, parts)), files_of, strict=True)
        ):
            suffix = Path(file).suffix.lower() if file else ""
            place = path / member_name(number, suffix if suffix in known_suffixes() else "")
            if part is not None and not part_of(str(part)):
                raise DataError(f"{path}, row {number}: {parts} = {part!r}; expected train, val or test")
            own = f"{path.stem}/{number:09d}" if id_ is None else printable(str(id_))
            rows.append(ParquetRow(own, place, _label(label, names), part_of(str(part)) if part is not None else ""))
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            raise DataError(f"{files[0]}: id {row.id} stands more than once; each must stand once")
        seen.add(row.id)
    return rows


def _columns(path: Path, names: list[str]) -> dict[str, list[Any]]:
    """Return columns by name, of a struct's field the struct with that field alone."""
    if not names:
        return {}
    with pq.ParquetFile(path) as file:
        return file.read(columns=names).to_pydict()


def _label(value: Any, names: list[str]) -> str | None:
    if value is None or (isinstance(value, int) and value < 0):
        return None
    if isinstance(value, int) and value < len(names):
        return names[value]
    return composed(printable(str(value)))


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
        return pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({str(error).splitlines()[0]}); copy it again") from None
