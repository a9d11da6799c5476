"""Files of other file systems, named by URLs: what fsspec tells of them, and what they say where they say no.

What a file system told of a file is remembered for as long as a listing holds: `forget` lets the next one ask again.
"""

from __future__ import annotations

import errno
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sightline.errors import DataError, Unreachable

# Two letters at least: one is a drive of Windows.
_SCHEME = re.compile(r"^([a-z][a-z0-9+]+):/+")
# What file systems call the time of the last change, and a mark of the content, which is the surer one.
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created", "Last-Modified")
_MARKS = ("ETag", "etag", "md5Hash", "Content-MD5", "generation")
# Errors of this machine's disk, where a copy is written: the file system has no part in them.
_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EMFILE, errno.ENFILE})
_statuses: dict[str, Status] = {}
_facts: dict[str, Facts] = {}


@dataclass(frozen=True)
class Status:
    """What keys of caches are made of.

    Attributes:
        size: bytes.
        mtime_ns: of the last change; on file systems that tell none, or tell it in words, a number that stands for it.
    """

    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Facts:
    """What a file system tells of a file.

    Attributes:
        status: its size and time of change.
        version: another one for another content: size, and ETag or the like, else the time of change.
        is_file: whether it is no folder.
    """

    status: Status
    version: str
    is_file: bool


def url_of(path: str | Path) -> str | None:
    """Return the URL that a path stands for; None for a path of this machine."""
    match = _SCHEME.match(str(path))
    if not match:
        return None
    # A path of this machine begins with a slash of its own.
    root = "/" if match[1] in ("file", "local") else ""
    return f"{match[1]}://{root}{str(path)[match.end() :]}"


def system_of(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and what it calls the file.

    Raises:
        DataError: there is none of that name, or its package is not here.
    """
    import fsspec

    try:
        return fsspec.url_to_fs(url)
    except ImportError as error:
        raise DataError(f"{url}: {' '.join(str(error).split())}") from None
    except ValueError as error:
        raise DataError(f"{url}: no file system of that name ({error}); fsspec names those that there are") from None


@contextmanager
def asking(url: str) -> Iterator[None]:
    """Let what a file system raises become `Unreachable`, whatever its package calls it, but for a file that is absent.

    Raises:
        FileNotFoundError: the file system says that there is no such file, or no such bucket.
        Unreachable: anything else.
        OSError: the disk of this machine is full, or may not be written.
    """
    try:
        yield
    except (DataError, MemoryError):
        raise
    except Exception as error:
        cause = error.__cause__ or error
        if isinstance(error, FileNotFoundError) and _is_absence(cause):
            raise
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            raise
        raise Unreachable(f"{url}: cannot be reached ({_words(cause)}); {_way_out(cause)}") from None


def _is_absence(cause: BaseException) -> bool:
    """Return whether a "not found" is that; fsspec's HTTP calls a refused connection, and a 403, so too."""
    if cause.__class__.__module__.startswith("aiohttp"):
        return getattr(cause, "status", None) in (404, 410)
    return True


def _words(cause: BaseException) -> str:
    return " ".join(str(cause).split())[:200] or type(cause).__name__


def _way_out(cause: BaseException) -> str:
    kind = type(cause).__name__
    if "Credential" in kind or "Token" in kind:
        return (
            "give credentials where its package looks for them (of s3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "~/.aws; of a bucket that is open to all: FSSPEC_S3_ANON=true)"
        )
    if isinstance(cause, PermissionError) or getattr(cause, "status", None) in (401, 403) or "Forbidden" in str(cause):
        return "allow these credentials to read it, or give others"
    return "see to its name and to the network; then the same command again"


def facts_of(url: str) -> Facts:
    """Return what the file system tells of a file, as it told it first.

    Raises:
        FileNotFoundError: there is none.
        DataError: the file system cannot be reached.
    """
    if url not in _facts:
        _facts[url] = ask(url)
    return _facts[url]


def ask(url: str) -> Facts:
    """Return what the file system tells of a file now.

    Raises:
        FileNotFoundError: there is none.
        DataError: the file system cannot be reached.
    """
    system, name = system_of(url)
    with asking(url):
        info: Mapping[str, Any] = system.info(name)
    status = _status(info)
    mark = next((info[key] for key in _MARKS if info.get(key) is not None), status.mtime_ns)
    return Facts(status, f"{status.size} {mark}", info.get("type", "file") == "file")


def url_status(url: str) -> Status:
    """Return size and time of the last change of a file, as it was listed or as the file system tells.

    Raises:
        FileNotFoundError: there is none.
        DataError: the file system cannot be reached.
    """
    return _statuses[url] if url in _statuses else facts_of(url).status


def forget(url: str) -> None:
    """Forget what was told of a file, and of those below it."""
    system, name = system_of(url)
    system.invalidate_cache(name)
    below = f"{url.rstrip('/')}/"
    for known in (_facts, _statuses):
        for other in [other for other in list(known) if other == url or other.startswith(below)]:
            known.pop(other, None)


def read_url(url: str, begin: int | None = None, end: int | None = None) -> bytes:
    """Return the bytes of a file, or those from `begin` to before `end`; a server that knows no parts sends all.

    Raises:
        FileNotFoundError: there is none.
        DataError: the file system cannot be reached.
    """
    system, name = system_of(url)
    with asking(url):
        return system.cat_file(name, start=begin, end=end)


def list_url(url: str) -> list[Path]:
    """Return the files below a URL, sorted.

    Raises:
        DataError: the file system cannot be reached, or there is nothing.
    """
    system, name = system_of(url)
    reason, entries = "", dict[str, Mapping[str, Any]]()
    try:
        with asking(url):
            entries = system.find(name, detail=True)
    except FileNotFoundError as error:
        reason = f" ({_words(error.__cause__)})" if error.__cause__ else ""
    if not entries:
        raise DataError(f"{url}: nothing there{reason}; give a folder with images, of shards or of Parquet files")
    return sorted(_noted(url, file, info) for file, info in entries.items())


def files_in(url: str) -> list[Path]:
    """Return the files right in a folder, sorted; [] where there are none, or no folder.

    Raises:
        DataError: the file system cannot be reached.
    """
    system, name = system_of(url)
    try:
        with asking(url):
            entries = system.ls(name, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(_noted(url, entry["name"], entry) for entry in entries if entry["type"] == "file")


def _noted(url: str, file: str, info: Mapping[str, Any]) -> Path:
    """Return the path of a listed file; what the listing tells of it is remembered."""
    scheme = url.partition("://")[0]
    place = Path(f"{scheme}://{file.removeprefix(f'{scheme}://').lstrip('/')}")
    if (root := url_of(place)) and info.get("size") is not None:
        _statuses[root] = _status(info)
    return place


def _status(info: Mapping[str, Any]) -> Status:
    changed = next((info[name] for name in _TIMES if info.get(name) is not None), info.get("ETag", 0))
    if isinstance(changed, datetime):
        changed = changed.timestamp()
    time = int(changed * 1e9) if isinstance(changed, int | float) else zlib.crc32(str(changed).encode())
    # A server may tell no size; 0 is then as good a part of a key as any.
    return Status(int(info.get("size") or 0), time)
