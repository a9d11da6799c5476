"""Folders that appear whole or not at all, whoever else builds the same one at the same time."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sightline.files.atomic import alive
from sightline.files.lock import in_turn
from sightline.files.seal import flaw, seal

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
    private = beside(target)
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


def kept(target: Path, build: Callable[[Path], None], say: Callable[[str], object]) -> Path:
    """Return the cache folder `target`: as it was sealed, or built now; a damaged one is built again.

    One process of a host builds, others wait for it.

    Args:
        target: the folder.
        build: writes its files into the empty folder that it is given.
        say: told of damage, and whom is waited for.

    Raises:
        OSError: the folder cannot be made or renamed.
    """
    if target.is_dir() and not flaw(target):
        return target
    with in_turn(target.with_name(f".{target.name}.lock"), str(target), say):
        if target.is_dir() and (fault := flaw(target)):
            say(f"{target}: this cache is damaged ({fault}); it is built again")
            aside = beside(target)
            target.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
        if not target.is_dir():
            with staged(target) as private:
                build(private)
                seal(private)
    return target


def beside(target: Path) -> Path:
    """Return a name beside a folder that nobody else takes, and that is swept once this process is gone."""
    return target.with_name(f"{MARK}{_host()}-{os.getpid()}-{secrets.token_hex(4)}")


def _host() -> str:
    return socket.gethostname().replace("-", "_")


def _sweep(folder: Path) -> None:
    for path in folder.glob(f"{MARK}{_host()}-*-*"):
        pid = path.name.split("-")[2]
        if pid.isdigit() and not alive(int(pid)):
            shutil.rmtree(path, ignore_errors=True)
