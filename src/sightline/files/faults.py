"""What an error that nobody foresaw becomes: one message with the way out, or a traceback in a file."""

from __future__ import annotations

import errno
import os
import re
import secrets
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sightline.files.homes import cache_home

TRACEBACK = "traceback.txt"
FAILED, WRONG_USE = 1, 2
_KEPT = "_sightline_traceback"
_OS_ERROR = re.compile(r"os error (\d+)")

_PERMISSION = "may not be read or written here; give another place, or change its permissions", WRONG_USE
_ROOM = "there is no room left on the disk; make room, then the same command again goes on from what is whole", FAILED
_KIND = "a file stands where a folder is needed, or a folder where a file is; give another path", WRONG_USE
_FILES = "too many files are open; raise the limit (ulimit -n), or close other programs", FAILED
_MEMORY = "not enough memory; take a smaller batch_size, image size or crop, or end other programs", FAILED
_REASONS: dict[int, tuple[str, int]] = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: _ROOM,
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EROFS: _PERMISSION,
    errno.ENOTDIR: _KIND,
    errno.EISDIR: _KIND,
    errno.EEXIST: _KIND,
    errno.ENOTEMPTY: _KIND,
    errno.ENAMETOOLONG: ("a name is longer than the file system takes; give a shorter one", WRONG_USE),
    errno.ENOENT: ("no such file or folder; it went away, or its path is mistyped", WRONG_USE),
    errno.ELOOP: ("its links lead in a circle; give the folder itself", WRONG_USE),
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.ENOMEM: _MEMORY,
}
_OTHER = "the disk, or the network drive, did not do what it should; the same command tries again", FAILED


def explained(error: BaseException) -> tuple[str, int] | None:
    """Return the message and the exit code of an error of the machine: disk, permission, memory; None of any other."""
    if isinstance(error, MemoryError):
        return _MEMORY
    number = _number(error)
    if number is None and not isinstance(error, OSError):
        return None
    reason, code = _REASONS.get(number or 0, _OTHER)
    filename = getattr(error, "filename", None)
    path = os.fsdecode(filename) if isinstance(filename, str | bytes) else ""
    what = f"{path}: " if path else ""
    if path and Path(path).is_relative_to(cache_home()):
        reason += ". It is the cache: the variable SIGHTLINE_CACHE puts it elsewhere"
    detail = os.strerror(number) if number else " ".join(str(error).split())[:300]
    return f"{what}{reason} ({detail})", code


def keep_traceback(error: BaseException, folder: Path) -> Path:
    """Write the traceback of an error to a file in `folder`, once, and return where it is.

    Raises:
        OSError: it cannot be written.
    """
    kept = getattr(error, _KEPT, None)
    if kept is None:
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / TRACEBACK
        kept.write_text("".join(traceback.format_exception(error)), encoding="utf-8", errors="backslashreplace")
        setattr(error, _KEPT, kept)
    return kept


def log_folder() -> Path:
    """Return a new folder's name below the cache home, for the traceback of a command without a folder of its own."""
    return cache_home() / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


@contextmanager
def named(path: Path, alias: Path | None = None) -> Iterator[None]:
    """Let errors of the disk name `path`, where they name no file or `alias`; those of safetensors become such."""
    try:
        yield
    except OSError as error:
        if error.errno is None and str(path) not in str(error):
            error.args = (f"{path}: {error}",)
        elif error.filename is None or (alias is not None and os.fspath(error.filename) == str(alias)):
            error.filename = str(path)
        raise
    except Exception as error:
        if (number := _number(error)) is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _number(error: BaseException) -> int | None:
    if isinstance(error, OSError):
        return error.errno
    match = _OS_ERROR.search(str(error)) if type(error).__name__ == "SafetensorError" else None
    return int(match[1]) if match else None
