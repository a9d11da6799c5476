"""The folder of uploads: made when the first one comes, removed with the process that made it."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import threading
import weakref
from pathlib import Path

from sightline.files.atomic import alive

PREFIX = "sightline-uploads-"
OURS = re.compile(rf"{PREFIX}(\d+)-\w+")  # the process that made it, and what mkdtemp adds


class UploadFolder:
    """A private temporary folder.

    It is made on first use, and removed by `close`, with this object, or at the interpreter's exit, whichever comes
    first. A process that is killed leaves it behind, under its number, to the `sweep` of a later one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: tuple[Path, weakref.finalize] | None = None

    @property
    def path(self) -> Path:
        """The folder, which only its owner may look into."""
        with self._lock:
            if self._made is None:
                path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
                self._made = path, weakref.finalize(self, _remove, path, os.getpid())
            return self._made[0]

    def close(self) -> None:
        """Remove the folder and all in it; the next use makes a new one."""
        with self._lock:
            if self._made is not None:
                self._made[1]()
                self._made = None


def sweep() -> list[Path]:
    """Remove this user's folders whose process lives no more, and return them."""
    removed = []
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        named = OURS.fullmatch(path.name)
        if named and _is_own_folder(path) and not alive(int(named[1])):
            shutil.rmtree(path, ignore_errors=True)
            removed.append(path)
    return removed


def _is_own_folder(path: Path) -> bool:
    """Whether it is a folder, no link to one, of the user who runs this: anybody may put names into /tmp."""
    try:
        status = path.lstat()
    except OSError:  # another process was faster
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()


def _remove(path: Path, maker: int) -> None:
    if os.getpid() == maker:  # a fork leaves its parent's folder alone
        shutil.rmtree(path, ignore_errors=True)
