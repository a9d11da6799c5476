"""Locks of folders: one process at a time works in a run, in a study, on the building of a cache.

A lock is a file, made by O_EXCL, that says who holds it: host, process, and when that process began. This works on
network drives, where locks by `fcntl` often do not or lie, and a person can read it. A lock whose process is gone, or
whose number another process has now, is stale and is taken over. Of a process on another host nobody here can say
whether it lives, so the holder gives a sign of life: it touches the lock, and one that has not been touched for
`SILENT` seconds is stale too. A holder that was only asleep finds another one's lock, and ends at once.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from sightline.errors import RunError
from sightline.files.atomic import alive

NAME = ".lock"  # in the folder of a run or a study
UNWRITTEN = 5.0  # seconds after which a lock that says nothing is of a process that died while it made it
POLL = 0.2  # seconds
BEAT = 15.0  # seconds between two signs of life
SILENT = 180.0  # seconds without one; network drives keep what they know of a file for up to a minute
Say = Callable[[str], object]


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes:
        host: its name.
        pid: of the process.
        began: when the process began, as its system tells; "" where it does not tell.
        since: when it took the lock, local time.
        beats: whether it gives signs of life.
        silent: whether the last sign is too old; never written.
    """

    host: str
    pid: int
    began: str
    since: str
    beats: bool = False
    silent: bool = False

    @classmethod
    def me(cls, *, beats: bool = False) -> Holder:
        """Return this process."""
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        return cls(socket.gethostname(), os.getpid(), _began(os.getpid()), since, beats)

    @property
    def state(self) -> Literal["alive", "dead", "elsewhere"]:
        """Whether the process still runs; of another host's only its silence tells."""
        if self.host != socket.gethostname():
            return "dead" if self.beats and self.silent else "elsewhere"
        return "alive" if alive(self.pid) and self.began in ("", _began(self.pid)) else "dead"

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold the lock `path`; its folder is made if missing.

    Args:
        path: of the lock file.
        what: that is locked, as the error calls it.

    Raises:
        RunError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    check_free(path, what)
    while (me := _taken(path, beats=True)) is None:
        check_free(path, what)
    over = threading.Event()
    threading.Thread(target=_beat, args=(path, what, me, over), name="sign of life", daemon=True).start()
    try:
        yield
    finally:
        over.set()
        path.unlink(missing_ok=True)


def wait_until_free(path: Path, what: str, say: Say) -> None:
    """Wait while another process holds the lock and is not known to be gone.

    Args:
        path: of the lock file.
        what: that is locked.
        say: told whom is waited for.
    """
    told = False
    while (holder := holder_of(path)) is not None and holder.state != "dead":
        if not told:
            say(f"{what}: waiting for {holder}")
            told = True
        time.sleep(POLL)


def check_free(path: Path, what: str) -> None:
    """Raise where another process holds the lock; a stale one is removed.

    Raises:
        RunError: it does; the message names host and process.
    """
    holder = _holder(path)
    if holder is None:
        return
    if holder.state == "dead":
        _remove(path, holder)
        return
    way_out = "wait for it, or end it" if holder.state == "alive" else f"if it is gone, remove {path}"
    raise RunError(f"{what}: is in use by {holder}; {way_out}")


def holder_of(path: Path) -> Holder | None:
    """Return who holds a lock, None where nobody does; nothing is changed."""
    return _holder(path) if path.is_file() else None


@contextmanager
def in_turn(path: Path, what: str, say: Say) -> Iterator[None]:
    """Hold the lock `path`, waiting for a process of this host that holds it; another host's is not waited for.

    Args:
        path: of the lock file.
        what: that is locked.
        say: told whom is waited for.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    told = False
    while not (mine := _taken(path, beats=False) is not None):
        holder = _holder(path)
        if holder is not None and holder.state == "elsewhere":
            break
        if holder is not None and holder.state == "dead":
            _remove(path, holder)
        elif not told and holder is not None:
            say(f"{what}: waiting for {holder}")
            told = True
        time.sleep(POLL)
    try:
        yield
    finally:
        if mine:
            path.unlink(missing_ok=True)


def _taken(path: Path, *, beats: bool) -> Holder | None:
    """Take the lock and return who holds it now; None where somebody else does."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return None
    me = Holder.me(beats=beats)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({key: value for key, value in asdict(me).items() if key != "silent"}, file)
        file.flush()
        os.fsync(file.fileno())
    return me


def _beat(path: Path, what: str, me: Holder, over: threading.Event) -> None:
    """Touch the lock until it is given back; end this process where another one has taken it."""
    while not over.wait(BEAT):
        try:
            holder = Holder(**json.loads(path.read_text(encoding="utf-8")))
            if holder == me:
                os.utime(path)
        except (OSError, ValueError):
            # Removed, being made, or on a drive that is away: whoever holds the lock then is seen at a later beat.
            continue
        if holder != me and not over.is_set():
            message = f"sightline: {what}: was taken over by {holder} while this process slept"
            print(message, file=sys.stderr, flush=True)
            os._exit(1)


def _holder(path: Path) -> Holder | None:
    """Return who holds a lock, None where nobody does."""
    while True:
        try:
            age = time.time() - path.stat().st_mtime
            holder = Holder(**json.loads(path.read_text(encoding="utf-8")))
            return replace(holder, silent=holder.beats and _age(path) > SILENT)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            # Made and not yet written.
            if age > UNWRITTEN:
                return Holder(socket.gethostname(), 0x7FFFFFFF, "", "")
            time.sleep(POLL)


def _age(path: Path) -> float:
    """Return how long ago a file was touched, in seconds of the clock of its drive, which other hosts have too."""
    try:
        with tempfile.TemporaryFile(dir=path.parent) as probe:
            now = os.fstat(probe.fileno()).st_mtime
    except OSError:
        now = time.time()
    return now - path.stat().st_mtime


def _remove(path: Path, stale: Holder) -> None:
    """Remove a stale lock, and no other that took its place meanwhile."""
    aside = path.with_name(f"{path.name}-{secrets.token_hex(4)}")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return
    if (there := _holder(aside)) and replace(there, silent=stale.silent) != stale and not path.exists():
        os.rename(aside, path)
    aside.unlink(missing_ok=True)


def _began(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return f"{fields[19]} of {Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii').strip()}"
    except (OSError, IndexError):
        return _began_by_ps(pid)


def _began_by_ps(pid: int) -> str:
    """Return the same where there is no /proc, as on macOS."""
    try:
        done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
