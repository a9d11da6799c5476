"""Files wherever they lie: on a disk, in a tar shard with its index, or on another file system, named by a URL.

All are named by a `Path`, so that whoever lists, keys or decodes files knows no difference: `photos/a.png`,
`shards/000003.tar/000000412.png` (a member of the shard), `photos.parquet/000000412.png` (the image of a row),
`s3:/bucket/a.png` (what `Path` makes of s3://bucket/a.png). Other file systems are fsspec's; those that it does not
bring itself are packages of their own.
"""

from __future__ import annotations

import io
import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from sightline.errors import DataError

if TYPE_CHECKING:
    import numpy as np

SHARD = ".tar"
# Of a folder of shards: a row for each image, in the order of their numbers; members are named by these.
INDEX = "index.parquet"
PARQUET = ".parquet"  # of a file whose rows may be images
FOLDER = "sightline.folder"  # of its metadata: 1 where the source was a folder, 0 where it was a table or a list
# Two letters at least: one is a drive of Windows.
_SCHEME = re.compile(r"^([a-z][a-z0-9+]+):/+")
# What file systems call the time of the last change.
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")
_infos: dict[str, Status] = {}


@dataclass(frozen=True)
class Status:
    """What keys of caches are made of.

    Attributes:
        size: bytes.
        mtime_ns: of the last change; on file systems that tell none, or tell it in words, a number that stands for it.
    """

    size: int
    mtime_ns: int


def url_of(path: str | Path) -> str | None:
    """Return the URL that a path stands for; None for a path of this machine."""
    match = _SCHEME.match(str(path))
    if not match:
        return None
    # A path of this machine begins with a slash of its own.
    root = "/" if match[1] in ("file", "local") else ""
    return f"{match[1]}://{root}{str(path)[match.end() :]}"


def is_plain(path: Path) -> bool:
    """Return whether a path is of a file of this machine's own, that any program opens by its name."""
    return url_of(path) is None and _member_of(path) is None and _row_of(path) is None


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
    if url := url_of(path):
        system, name = _system(url)
        return system.cat_file(name)
    if row := _row_of(path):
        from sightline.files.parquet_rows import row_bytes

        return row_bytes(*row) or b""
    if member := _member_of(path):
        shard, row = member
        index = _index(shard.parent)
        with shard.open("rb") as file:
            file.seek(int(index.offsets[row]))
            content = file.read(int(index.sizes[row]))
        if len(content) < index.sizes[row]:
            raise DataError(
                f"{shard}: is shorter than its index says; write the shards again with `sightline data shard`"
            )
        return content
    return path.read_bytes()


def status_of(path: Path) -> Status:
    """Return size and time of the last change of a file; of a member of a shard those of the file it was made of.

    Raises:
        OSError: there is none.
    """
    if url := url_of(path):
        if url not in _infos:
            system, name = _system(url)
            _infos[url] = _status(system.info(name))
        return _infos[url]
    if row := _row_of(path):
        from sightline.files.parquet_rows import row_size

        return Status(row_size(*row), row[0].stat().st_mtime_ns)
    if member := _member_of(path):
        index = _index(member[0].parent)
        return Status(int(index.sizes[member[1]]), int(index.times[member[1]]))
    found = path.stat()
    return Status(found.st_size, found.st_mtime_ns)


def changed_at(path: Path) -> int:
    """Return the time of the last change as `status_of` does, without the size: of a Parquet row that costs its file.

    Raises:
        OSError: there is none.
    """
    row = _row_of(path)
    return row[0].stat().st_mtime_ns if row else status_of(path).mtime_ns


def is_there(path: Path) -> bool:
    """Return whether there is a file."""
    try:
        status_of(path)
    except OSError:
        return False
    return True


def list_url(url: str) -> list[Path]:
    """Return the files below a URL, sorted.

    Raises:
        DataError: the file system cannot be reached, or there is nothing.
    """
    system, name = _system(url)
    try:
        found: Mapping[str, Any] = system.find(name, detail=True)
    except OSError as error:
        raise DataError(f"{url}: cannot be listed ({error}); allow it to be read, or see to the network") from None
    if not found:
        raise DataError(f"{url}: nothing there; give a folder with images")
    scheme = url.partition("://")[0]
    paths = []
    for file, info in found.items():
        place = Path(f"{scheme}://{file.removeprefix(f'{scheme}://').lstrip('/')}")
        if root := url_of(place):
            _infos[root] = _status(info)
        paths.append(place)
    return sorted(paths)


def _system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and what it calls the file."""
    import fsspec

    try:
        return fsspec.url_to_fs(url)
    except ImportError as error:
        raise DataError(f"{url}: {' '.join(str(error).split())}") from None
    except ValueError as error:
        raise DataError(f"{url}: no file system of that name ({error}); fsspec names those that there are") from None


def _status(info: Mapping[str, Any]) -> Status:
    changed = next((info[name] for name in _TIMES if info.get(name) is not None), info.get("ETag", 0))
    if isinstance(changed, datetime):
        changed = changed.timestamp()
    time = int(changed * 1e9) if isinstance(changed, int | float) else zlib.crc32(str(changed).encode())
    return Status(int(info["size"]), time)


# -- members of shards
@dataclass(frozen=True)
class _Index:
    """By number of the image: where it begins in its shard, how long it is, and when its file was changed."""

    offsets: np.ndarray
    sizes: np.ndarray
    times: np.ndarray


def holds_shards(folder: Path) -> bool:
    """Return whether a folder is one of shards."""
    return (folder / INDEX).is_file() and any(folder.glob(f"*{SHARD}"))


def member_name(number: int, suffix: str) -> str:
    """Return what a shard calls a file of the image of that number."""
    return f"{number:09d}{suffix}"


def _member_of(path: Path) -> tuple[Path, int] | None:
    """Return the shard and the row of its index that a path names; None of any other path."""
    parent = path.parent
    if parent.suffix != SHARD or not path.stem.isdigit() or not os.path.isfile(parent):
        return None
    return parent, int(path.stem)


def _row_of(path: Path) -> tuple[Path, int] | None:
    """Return the Parquet file and the row that a path names; None of any other path."""
    parent = path.parent
    if parent.suffix.lower() != PARQUET or not path.stem.isdigit() or not os.path.isfile(parent):
        return None
    return parent, int(path.stem)


def _index(folder: Path) -> _Index:
    return _read_index(folder / INDEX, (folder / INDEX).stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read_index(path: Path, changed: int) -> _Index:
    # Imported here, where shards are: whoever reads plain files does without.
    import pyarrow.parquet as pq

    del changed
    table = pq.read_table(path, columns=["offset", "size", "mtime_ns"])
    return _Index(*(column.to_numpy() for column in table.columns))
