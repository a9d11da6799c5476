"""Folders that appear whole or not at all, whoever else builds the same one at the same time."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sightline.files.atomic import alive

MARK = ".building-"


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Yield a private folder beside `target`; at the end it is given that name, and on an error it is removed.

    Where another process gave `target` a finished folder meanwhile, that one stays and the private one is removed: both
    were built from the same things. Private folders left by dead processes of this machine are removed first.

    Raises:
        OSError: the folder cannot be made or renamed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    private = target.parent / f"{MARK}{_host()}-{os.getpid()}-{secrets.token_hex(4)}"
    private.mkdir()
    try:
        yield private
        try:
            private.rename(target)  # takes the place of nothing or of an empty folder
        except OSError:
            if not target.is_dir() or not any(target.iterdir()):
                raise
    finally:
        shutil.rmtree(private, ignore_errors=True)


def _host() -> str:
    return socket.gethostname().replace("-", "_")


def _sweep(folder: Path) -> None:
    for path in folder.glob(f"{MARK}{_host()}-*-*"):
        pid = path.name.split("-")[2]
        if pid.isdigit() and not alive(int(pid)):
            shutil.rmtree(path, ignore_errors=True)
