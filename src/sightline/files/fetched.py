"""Copies of files of other file systems, kept here while there is room; the least recently used goes first.

    CACHE/fetched/
      KEY/             by the hash of URL and version, as the file system tells it: a changed file has another
        000003.tar     the whole file
        seal.json      its size and the hash of its blocks (`files.seal`)
      .KEY.lock        of the process that fetches or removes it
      .building-…      a copy that is not whole yet, or is being removed

A copy has its name once it is whole and on the disk, is looked at by its seal once in each process, and is open while
it is read: whoever puts it out meanwhile takes its name away, not its bytes. The time of the last use is that of the
folder's last change.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from sightline.errors import ConfigError, DataError, Unreachable
from sightline.files.homes import cache_home
from sightline.files.lock import in_turn
from sightline.files.seal import flaw, seal
from sightline.files.staging import beside, staged
from sightline.files.urls import Facts, ask, asking, facts_of, read_url, system_of

VARIABLE = "SIGHTLINE_FETCHED_GB"
GB = 1e9
# Of the disk: the decoded pixels and the runs, which are of no less use, want the other half.
SHARE = 0.5
USED_EVERY = 30.0  # seconds between two notes of a use: a copy that is read is never the least recently used
WAITS = (1.0, 5.0)  # seconds before the second and the third try to fetch
# A few images of a large file that is not here are read by ranges: headers for a survey, thumbnails of a report. A
# request takes about as long as so many bytes (0.1 s at 80 MB/s), so that the first ones cost less than a fetch.
RANGES, REQUEST = 8, 8_000_000
_locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
_used: dict[Path, float] = {}  # when a copy's use was noted last, by time.monotonic
_ranged: dict[str, int] = defaultdict(int)
_ahead = threading.Lock()


@dataclass(frozen=True)
class _Copy:
    """A copy that is whole.

    Attributes:
        used: when it was used last, ns.
        folder: it lies in.
        size: bytes, the seal's too.
    """

    used: int
    folder: Path
    size: int


def open_fetched(url: str) -> BinaryIO:
    """Open a file of another file system by its copy here, which is fetched first where it is not there.

    Raises:
        FileNotFoundError: there is none.
        DataError: the file system cannot be reached, the file changes while it is read, or is larger than the cache.
    """
    for _ in range(4):
        path = _here(url)
        try:
            return path.open("rb")
        except FileNotFoundError:
            _used.pop(path.parent, None)  # another process has put it out meanwhile
    raise Unreachable(
        f"{url}: its copy is put out as soon as it is here; several programs share too small a cache, raise {VARIABLE}"
    )


def read_fetched(url: str, begin: int, size: int) -> bytes:
    """Return some bytes of a file: of its copy, or by a range where few were asked for of a large file.

    Raises:
        FileNotFoundError: there is none.
        DataError: as of `open_fetched`.
    """
    large = facts_of(url).status.size > REQUEST
    if large and _ranged[url] < RANGES and not is_used(url) and not _folder(url).is_dir():
        _ranged[url] += 1
        content = read_url(url, begin, begin + size)
        if len(content) == size:
            return content
    with open_fetched(url) as file:
        file.seek(begin)
        return file.read(size)


def fetch_ahead(url: str) -> None:
    """Begin to fetch a file that will be wanted next; one at a time, and only where three such have room."""
    try:
        if _folder(url) in _used or facts_of(url).status.size * 3 > capacity() or not _ahead.acquire(blocking=False):
            return
    except (DataError, OSError):
        return  # whoever reads the file meets it too, and says so
    threading.Thread(target=_fetch_ahead, args=(url,), name="fetch ahead", daemon=True).start()


def _fetch_ahead(url: str) -> None:
    try:
        _here(url)
    except (DataError, OSError):
        return  # whoever reads the file meets it too, and says so
    finally:
        _ahead.release()


def is_used(url: str) -> bool:
    """Return whether this process has read a file's copy already."""
    return _folder(url) in _used


def capacity() -> int:
    """Return how many bytes the copies may take: SIGHTLINE_FETCHED_GB, else half of the disk's room for them.

    Raises:
        ConfigError: the variable is no number above 0.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return int(SHARE * (held() + shutil.disk_usage(_home()).free))
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ConfigError(f"{VARIABLE} = {text!r}: is no number of GB above 0; give one, or leave the variable out")
    return int(number * GB)


def held() -> int:
    """Return how many bytes the copies take."""
    return sum(copy.size for copy in _copies())


def _home() -> Path:
    home = cache_home() / "fetched"
    home.mkdir(parents=True, exist_ok=True)
    return home


def _folder(url: str) -> Path:
    """Return where the copy of a file is, whether it is there or not."""
    return _folder_of(os.environ.get("SIGHTLINE_CACHE"), url, facts_of(url).version)


@lru_cache(maxsize=4096)
def _folder_of(home: str | None, url: str, version: str) -> Path:
    del home
    return cache_home() / "fetched" / hashlib.blake2b(f"{url}\0{version}".encode(), digest_size=16).hexdigest()


def _here(url: str) -> Path:
    """Return the copy of a file; whoever opens it may find that it was put out meanwhile."""
    facts, folder = facts_of(url), _folder(url)
    path = folder / (Path(url).name or "file")
    noted = _used.get(folder)
    if noted is not None and time.monotonic() - noted < USED_EVERY:
        return path
    # One thread of this process fetches and looks at the seal; other processes wait at the file of the lock.
    with _locks[folder.name]:
        if folder not in _used and flaw(folder):
            _fetch(url, facts, path)
        try:
            os.utime(folder)
            _used[folder] = time.monotonic()
        except FileNotFoundError:
            _used.pop(folder, None)
    return path


def _fetch(url: str, facts: Facts, path: Path) -> None:
    """Fetch a file, unless another process has done so meanwhile; a damaged copy is fetched again."""
    folder, size = path.parent, facts.status.size
    limit = capacity()
    if size > limit:
        raise Unreachable(
            f"{url}: has {size / GB:.3g} GB, and copies may take {limit / GB:.3g} GB in {_home()}; raise {VARIABLE}, "
            "make room on the disk, or write smaller shards"
        )
    with in_turn(_lock(folder), url, lambda _: None):
        if folder.is_dir() and (fault := flaw(folder)):
            print(f"{folder}: this copy of {url} is damaged ({fault}); it is fetched again", file=sys.stderr)
            _remove(folder)
        if not folder.is_dir():
            _make_room(limit - size, folder)
            with staged(folder) as private:
                _download(url, facts, private / path.name)
                seal(private)
    # Others may have fetched at the same time.
    _make_room(limit, folder)


def _download(url: str, facts: Facts, target: Path) -> None:
    system, name = system_of(url)
    for wait in (*WAITS, None):
        try:
            with asking(url):
                system.get_file(name, str(target))
            break
        except Unreachable:
            if wait is None:
                raise
            time.sleep(wait)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    system.invalidate_cache(name)
    if target.stat().st_size != facts.status.size or ask(url).version != facts.version:
        raise Unreachable(f"{url}: was changed while it was in use; start again once it is whole")


def _make_room(limit: int, but: Path) -> None:
    """Put out the least recently used copies but one until no more than `limit` bytes are taken."""
    copies = sorted(_copies(), key=lambda copy: copy.used)
    taken = sum(copy.size for copy in copies)
    for copy in copies:
        if taken <= limit:
            return
        if copy.folder != but:
            with in_turn(_lock(copy.folder), str(copy.folder), lambda _: None):
                _remove(copy.folder)
            taken -= copy.size


def _remove(folder: Path) -> None:
    """Remove a copy: first its name, so that nobody meets half of it."""
    aside = beside(folder)
    try:
        folder.rename(aside)
    except FileNotFoundError:
        return
    shutil.rmtree(aside, ignore_errors=True)
    _used.pop(folder, None)


def _copies() -> list[_Copy]:
    found = list[_Copy]()
    for entry in os.scandir(_home()):
        if not entry.name.startswith(".") and entry.is_dir():
            try:
                size = sum(file.stat().st_size for file in os.scandir(entry.path))
                found.append(_Copy(entry.stat().st_mtime_ns, Path(entry.path), size))
            except FileNotFoundError:
                continue  # put out meanwhile
    return found


def _lock(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")
