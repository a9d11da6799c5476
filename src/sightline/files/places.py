"""Files wherever they lie: on a disk, in a tar shard with its index, or on another file system, named by a URL.

All are named by a `Path`, so that whoever lists, keys or decodes files knows no difference: `photos/a.png`,
`shards/000003.tar/000000412.png` (a member of the shard), `photos.parquet/000000412.png` (the image of a row),
`s3:/bucket/a.png` (what `Path` makes of s3://bucket/a.png), `s3:/bucket/shards/000003.tar/000000412.png`. Other file
systems are fsspec's; those that it does not bring itself are packages of their own. Of shards and Parquet files of
another file system a copy is kept here while there is room (`files.fetched`).
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sightline.errors import DataError
from sightline.files.fetched import fetch_ahead, is_used, open_fetched, read_fetched
from sightline.files.urls import Status, facts_of, files_in, forget, list_url, read_url, url_of, url_status

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "FOLDER",
    "INDEX",
    "PARQUET",
    "SHARD",
    "Status",
    "changed_at",
    "container_of",
    "files_of",
    "forget_folder",
    "holds_shards",
    "is_plain",
    "is_regular",
    "is_there",
    "list_url",
    "member_name",
    "open_place",
    "open_whole",
    "read_place",
    "status_of",
    "url_of",
    "version_of",
]
SHARD = ".tar"
# Of a folder of shards: a row for each image, in the order of their numbers; members are named by these.
INDEX = "index.parquet"
PARQUET = ".parquet"  # of a file whose rows may be images
FOLDER = "sightline.folder"  # of its metadata: 1 where the source was a folder, 0 where it was a table or a list


def is_plain(path: Path) -> bool:
    """Return whether a path is of a file of this machine's own, that any program opens by its name."""
    return url_of(path) is None and container_of(path) is None


def open_place(path: Path) -> BinaryIO:
    """Open a file for reading; one that is not plain is read at once.

    Raises:
        FileNotFoundError: there is none.
        DataError: the file system cannot be reached.
    """
    return path.open("rb") if is_plain(path) else io.BytesIO(read_place(path))


def read_place(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        FileNotFoundError: there is none.
        DataError: the file system cannot be reached.
    """
    if row := _row_of(path):
        from sightline.files.parquet_rows import row_bytes

        return row_bytes(*row) or b""
    if member := _member_of(path):
        return _read_member(*member)
    if url := url_of(path):
        return read_url(url)
    return path.read_bytes()


def open_whole(path: Path) -> BinaryIO:
    """Open a file for reading in any order: of another file system its copy here, which is fetched where it is not.

    Raises:
        FileNotFoundError: there is none.
        DataError: the file system cannot be reached, or the file is larger than the cache.
    """
    url = url_of(path)
    return open_fetched(url) if url else path.open("rb")


def status_of(path: Path) -> Status:
    """Return size and time of the last change of a file; of a member of a shard those of the file it was made of.

    Raises:
        OSError: there is none.
        DataError: the file system cannot be reached.
    """
    if row := _row_of(path):
        from sightline.files.parquet_rows import row_size

        return Status(row_size(*row), status_of(row[0]).mtime_ns)
    if member := _member_of(path):
        index = _index(member[0].parent)
        return Status(int(index.sizes[member[1]]), int(index.times[member[1]]))
    if url := url_of(path):
        return url_status(url)
    found = path.stat()
    return Status(found.st_size, found.st_mtime_ns)


def changed_at(path: Path) -> int:
    """Return the time of the last change as `status_of` does, without the size: of a Parquet row that costs its file.

    Raises:
        OSError: there is none.
    """
    row = _row_of(path)
    return status_of(row[0] if row else path).mtime_ns


def version_of(path: Path) -> str | int:
    """Return what is another one once a file was changed; of another file system as it told it first.

    Raises:
        OSError: there is none.
        DataError: the file system cannot be reached.
    """
    url = url_of(path)
    return facts_of(url).version if url else path.stat().st_mtime_ns


def is_there(path: Path) -> bool:
    """Return whether there is a file."""
    try:
        status_of(path)
    except OSError:
        return False
    return True


def is_regular(path: Path) -> bool:
    """Return whether there is a file, and no folder, here or on another file system.

    Raises:
        DataError: the file system cannot be reached.
    """
    url = url_of(path)
    if url is None:
        return os.path.isfile(path)
    try:
        return facts_of(url).is_file
    except FileNotFoundError:
        return False


def files_of(folder: Path, suffix: str) -> list[Path]:
    """Return the files right in a folder whose names end so, sorted; [] where there is no folder.

    Raises:
        DataError: the file system cannot be reached.
    """
    url = url_of(folder)
    found = files_in(url) if url else [path for path in folder.glob(f"*{suffix}") if path.is_file()]
    return sorted(path for path in found if path.name.endswith(suffix))


def forget_folder(folder: Path) -> None:
    """Let the file system be asked anew of what is in a folder; nothing is remembered of this machine's own."""
    if url := url_of(folder):
        forget(url)


# -- members of shards
@dataclass(frozen=True)
class _Index:
    """By number of the image: where it begins in its shard, how long it is, and when its file was changed.

    Attributes:
        offsets: bytes.
        sizes: bytes.
        times: ns.
        following: name of a shard → that of the next one.
    """

    offsets: np.ndarray
    sizes: np.ndarray
    times: np.ndarray
    following: dict[str, str]


def holds_shards(folder: Path) -> bool:
    """Return whether a folder is one of shards.

    Raises:
        DataError: the file system cannot be reached.
    """
    if url_of(folder):  # a server may not list its folders
        return folder.suffix.lower() != PARQUET and is_regular(folder / INDEX)
    return (folder / INDEX).is_file() and any(folder.glob(f"*{SHARD}"))


def member_name(number: int, suffix: str) -> str:
    """Return what a shard calls a file of the image of that number."""
    return f"{number:09d}{suffix}"


def container_of(path: Path) -> Path | None:
    """Return the shard or the Parquet file that an image lies in; None of a file of its own."""
    inside = _member_of(path) or _row_of(path)
    return inside[0] if inside else None


def _member_of(path: Path) -> tuple[Path, int] | None:
    """Return the shard and the row of its index that a path names; None of any other path."""
    parent = path.parent
    if parent.suffix != SHARD or not path.stem.isdigit() or not is_regular(parent):
        return None
    return parent, int(path.stem)


def _row_of(path: Path) -> tuple[Path, int] | None:
    """Return the Parquet file and the row that a path names; None of any other path."""
    parent = path.parent
    if parent.suffix.lower() != PARQUET or not path.stem.isdigit() or not is_regular(parent):
        return None
    return parent, int(path.stem)


def _read_member(shard: Path, row: int) -> bytes:
    index = _index(shard.parent)
    begin, size = int(index.offsets[row]), int(index.sizes[row])
    if url := url_of(shard):
        first = not is_used(url)
        content = read_fetched(url, begin, size)
        # Not for the few images that are read by ranges.
        if first and is_used(url) and shard.name in index.following:
            fetch_ahead(url.removesuffix(shard.name) + index.following[shard.name])
    else:
        with shard.open("rb") as file:
            file.seek(begin)
            content = file.read(size)
    if len(content) < size:
        raise DataError(f"{shard}: is shorter than its index says; write the shards again with `sightline data shard`")
    return content


def _index(folder: Path) -> _Index:
    return _read_index(folder / INDEX, version_of(folder / INDEX))


@lru_cache(maxsize=8)
def _read_index(path: Path, version: str | int) -> _Index:
    # Imported here, where shards are: whoever reads plain files does without.
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    del version
    with open_whole(path) as file:
        table = pq.read_table(file, columns=["offset", "size", "mtime_ns", "shard"])
    offsets, sizes, times = (table.column(name).to_numpy() for name in ("offset", "size", "mtime_ns"))
    names = sorted(pc.unique(table.column("shard")).to_pylist())  # pyright: ignore[reportAttributeAccessIssue]
    return _Index(offsets, sizes, times, dict(pairwise(names)))
