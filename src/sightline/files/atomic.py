"""Atomic files: a reader sees the old content or the new, never half of either."""

from __future__ import annotations

import json
import math
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sightline.files.faults import named

MARK = ".tmp-"  # temporary files are named .NAME.tmp-PID
SAFETENSORS = re.compile(r"\.tmp[A-Za-z0-9]{6}")  # what safetensors names its own
_umask_lock = threading.Lock()


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; on success it is synced and takes the place of `path`.

    On an error the temporary file is removed, and `path` stays as it was. The folder is made if missing. The file may
    be read by whom the umask lets, however it was made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}{MARK}{os.getpid()}"
    try:
        with named(path, temporary):
            yield temporary
        with temporary.open("rb") as file:
            os.fchmod(file.fileno(), 0o666 & ~_umask())
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, keys in their given order; NaN and infinity are null."""
    write_text(path, json_text(content, indent=1) + "\n")


def json_text(content: Any, indent: int | None = None) -> str:
    """Return JSON as any reader takes it: UTF-8 as it is, keys in their given order, NaN and infinity as null."""
    try:
        text = json.dumps(content, indent=indent, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError):  # the second way looks at each value, which takes long where there are millions
        text = json.dumps(_without_nan(content), indent=indent, allow_nan=False, ensure_ascii=False)
    # Of names that are no UTF-8; JSON has an escape for what UTF-8 has no bytes for.
    return re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value


def sweep(folder: Path, *, alone: bool = False) -> list[Path]:
    """Remove temporary files that dead processes left in `folder` and below; return what was removed.

    Args:
        folder: searched through.
        alone: no other process writes there, so that safetensors' own, which name no process, are of dead ones.
    """
    left = [path for path in folder.rglob(".*") if is_temporary(path) and (alone or _pid(path) is not None)]
    return [path for path in left if _swept(path)]


def sweep_of(*paths: Path) -> None:
    """Remove temporary files that dead processes left of some files; a folder is listed once, however many it holds."""
    by_folder: dict[Path, set[str]] = {}
    for path in paths:
        by_folder.setdefault(path.parent, set()).add(path.name)
    for folder, names in by_folder.items():
        for left in folder.glob(f".*{MARK}*"):
            if left.name[1:].rpartition(MARK)[0] in names:
                _swept(left)


def is_temporary(path: Path) -> bool:
    """Return whether a file is one that was being written, by `atomic_path` or by safetensors."""
    return path.is_file() and (_pid(path) is not None or SAFETENSORS.fullmatch(path.name) is not None)


def alive(pid: int) -> bool:
    """Whether a process of this number runs, whoever's it is; one that has ended and is still listed does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except (OSError, IndexError):
        return True  # there is no such list on this system


def _swept(path: Path) -> bool:
    pid = _pid(path)
    if pid is not None and alive(pid):
        return False
    path.unlink(missing_ok=True)
    return True


def _pid(path: Path) -> int | None:
    name, _, pid = path.name.rpartition(MARK)
    return int(pid) if name.startswith(".") and pid.isdecimal() and len(pid) < 10 else None


def _umask() -> int:
    # There is no way to read it but to set it; a file that another thread makes meanwhile is its owner's alone.
    with _umask_lock:
        mask = os.umask(0o077)
        os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
