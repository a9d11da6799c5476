"""Images that are bytes in the rows of a Parquet file, as Hugging Face's data sets keep them: by file and row.

The file lies here or on another file system (`files.places`), of which a copy is read.

An image is a column of bytes, or of a struct with a field `bytes`. Rows are read by row groups, the last few of which
are kept in memory: reading in the order of the rows is fast, in another order each image costs its group.
"""

from __future__ import annotations

import threading
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sightline.files.places import open_whole, version_of

COLUMNS = ("image", "img", "image_bytes", "bytes")  # that may hold the image, the usual one first
GROUPS = 4  # kept: one that is read, one ahead of it, and two for a second file
PIECE = 2**28  # bytes of a row group that are read into one array, some more where images differ in size
_lock = threading.Lock()


def image_column(schema: pa.Schema) -> str | None:
    """Return the dotted name of the column of an image's bytes, None where there is none."""
    for name in COLUMNS:
        if name in schema.names:
            kind = schema.field(name).type
            if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
                return name
            if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
                return f"{name}.bytes"
    return None


def row_bytes(path: Path, row: int) -> bytes | None:
    """Return the image of a row; None where the row has none.

    Raises:
        FileNotFoundError: there is no such row.
        OSError: the file cannot be read.
    """
    starts = _starts(path, version_of(path))
    if not 0 <= row < starts[-1]:
        raise FileNotFoundError(f"{path}: has {starts[-1]} rows, and no row {row}")
    group = int(np.searchsorted(starts, row, side="right")) - 1
    # One thread reads a group, and those that wait find it.
    with _lock:
        values = _group(path, version_of(path), group)
    return values[row - int(starts[group])].as_py()


def row_size(path: Path, row: int) -> int:
    """Return how many bytes the image of a row has."""
    with _lock:
        return int(_sizes(path, version_of(path))[row])


# Of every file that is asked for, 8 bytes a row at most: with fewer, each image of many files would cost its file.
@cache
def _starts(path: Path, version: str | int) -> np.ndarray:
    """Return the first row of each row group, and the number of rows."""
    del version
    with open_whole(path) as source:
        metadata = pq.read_metadata(source)
    return np.cumsum([0, *(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))])


@lru_cache(maxsize=GROUPS)
def _group(path: Path, version: str | int, group: int) -> pa.ChunkedArray:
    del version
    with open_whole(path) as source, pq.ParquetFile(source) as file:
        return _values(file, group)


@cache
def _sizes(path: Path, version: str | int) -> np.ndarray:
    del version
    with open_whole(path) as source, pq.ParquetFile(source) as file:
        lengths = [pc.binary_length(_values(file, i)).fill_null(0) for i in range(file.num_row_groups)]  # pyright: ignore[reportAttributeAccessIssue]
    return np.concatenate([np.zeros(0, np.int64), *(one.to_numpy() for one in lengths)])


def _values(file: pq.ParquetFile, group: int) -> pa.ChunkedArray:
    """Return the images of a row group, in pieces: an array of bytes holds 2 GB, and a group may have more."""
    name = image_column(file.schema_arrow)
    assert name is not None, "whoever lists the rows has looked"
    field = name.partition(".")[2]
    size = file.metadata.row_group(group)
    rows = min(size.num_rows, size.num_rows * PIECE // max(1, size.total_byte_size))
    pieces = [
        pc.struct_field(batch.column(0), field) if field else batch.column(0)  # pyright: ignore[reportAttributeAccessIssue]
        for batch in file.iter_batches(max(1, rows), row_groups=[group], columns=[name])
    ]
    return pa.chunked_array(pieces) if pieces else pa.chunked_array([], pa.binary())
