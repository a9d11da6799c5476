"""The one rule for files that a command writes beside a user's own.

Never onto an input; no two of one name; and a file that is there already is replaced or removed only where the record
of its folder lists it: `.sightline-outputs`, a line of JSON a file, with its size and SHA-256. A file that was changed
since is the user's. A line without a checksum is written just before a file is, so that what a crash left is known as
one's own too.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sightline.errors import DataError
from sightline.files.atomic import sweep_of
from sightline.files.checksum import file_sha256

RECORD = ".sightline-outputs"
SHOWN = 3


class Outputs:
    """The files that a command will write, known to be safe before the first one is written.

    Args:
        targets: (input, file made from it), of every file.
        inputs: every file that is read, whether a target is made from it or not.
        way_out: ends the messages.

    Raises:
        DataError: a target is an input, two have one name, or one is there that no record lists. Nothing was written.
        PermissionError: a folder of theirs may not be written. Said before the work, which may take hours.
    """

    def __init__(
        self, targets: Iterable[tuple[Path, Path]], inputs: Iterable[Path] = (), way_out: str = "Give another --out"
    ) -> None:
        self.sources = one_name_each(targets)
        originals = {_place(path): path for path in inputs}
        for target, source in self.sources.items():
            if (original := originals.get(_place(target))) is not None:
                raise DataError(
                    f"{target}: the output for {source} would replace {original}, which is an input; "
                    f"nothing was written. {way_out}"
                )
        foreign = [target for target in self.sources if os.path.lexists(target) and not _is_ours(target)]
        if foreign:
            more = f" and {len(foreign) - SHOWN} more" if len(foreign) > SHOWN else ""
            raise DataError(
                f"{', '.join(map(str, foreign[:SHOWN]))}{more}: is there already, and Sightline did not write it; "
                f"nothing was changed. {way_out}, or move it away"
            )
        for folder in {target.parent for target in self.sources}:
            check_writable(folder)
        sweep_of(*self.sources)

    @contextmanager
    def writing(self, *targets: Path, of: str = "") -> Iterator[None]:
        """Record files around their writing; all of them by default.

        Args:
            targets: of these outputs.
            of: names what they are together; what was written for it before and is not among them now is removed.
        """
        targets = targets or tuple(self.sources)
        for target in targets:
            _append(target.parent, {"name": target.name, "of": of, "begun": True})
        if of:
            _remove_others(targets, of)
        try:
            yield
        except Exception:
            for target in targets:
                if not target.exists():
                    _append(target.parent, {"name": target.name, "of": of})
            raise
        for target in targets:
            if target.is_file():
                _append(target.parent, {"name": target.name, "of": of, **_print(target)})


def check_writable(folder: Path) -> None:
    """Refuse a folder in which this user may make no file, or a folder to come in one.

    Raises:
        PermissionError: names the folder.
    """
    nearest = next((place for place in (folder, *folder.absolute().parents) if os.path.lexists(place)), folder)
    if nearest.is_dir() and not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def is_output(path: Path) -> bool:
    """Return whether a file is what Sightline wrote, by the record beside it and the file's size: it is no input."""
    entries = _recorded(path.parent).get(path.name)
    if not entries:
        return False
    size = path.stat().st_size
    return bool(entries[-1].get("begun")) or any(entry.get("size") == size for entry in entries)


def whole_outputs(paths: Iterable[Path]) -> set[Path]:
    """Return which files are there as Sightline wrote them to their end, by the records beside them and their sizes.

    The record of a folder is read once, however many of its files are asked for.
    """
    records: dict[Path, dict[str, list[dict[str, Any]]]] = {}
    whole = set()
    for path in paths:
        if path.parent not in records:
            records[path.parent] = _recorded(path.parent)
        entries = records[path.parent].get(path.name)
        if entries and path.is_file() and entries[-1].get("size") == path.stat().st_size:
            whole.add(path)
    return whole


def one_name_each(targets: Iterable[tuple[Path, Path]]) -> dict[Path, Path]:
    """Return target → source of (source, target) pairs.

    Raises:
        DataError: two sources would be written to one target.
    """
    outputs: dict[Path, Path] = {}
    for source, target in targets:
        if (other := outputs.setdefault(target, source)) != source:
            raise DataError(
                f"{other} and {source} would both be written to {target}; nothing was written. "
                "Rename one of them, or give them one by one with another --out each"
            )
    return outputs


def _is_ours(path: Path) -> bool:
    entries = _recorded(path.parent).get(path.name, ())
    if path.is_symlink() or not path.is_file() or not entries:
        return False
    return bool(entries[-1].get("begun")) or _print(path) in [
        {"size": entry.get("size"), "sha256": entry.get("sha256")} for entry in entries
    ]


def _remove_others(targets: tuple[Path, ...], of: str) -> None:
    folder, names = targets[0].parent, {target.name for target in targets}
    for name, entries in _recorded(folder).items():
        if name not in names and entries[-1].get("of") == of and _is_ours(folder / name):
            (folder / name).unlink()


def _print(path: Path) -> dict[str, Any]:
    return {"size": path.stat().st_size, "sha256": file_sha256(path)}


def _append(folder: Path, entry: dict[str, Any]) -> None:
    """Add a line in one write, so that two processes may write into one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / RECORD).open("ab", buffering=0) as file:
        # A crash may have cut the last line short.
        file.write(f"\n{json.dumps(entry)}\n".encode())


def _recorded(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return what the record of a folder says of each name, oldest first."""
    try:
        status = (folder / RECORD).stat()
    except OSError:
        return {}
    return _read(folder / RECORD, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _read(record: Path, _time: int, _size: int) -> dict[str, list[dict[str, Any]]]:
    entries: dict[str, list[dict[str, Any]]] = {}
    for line in record.read_bytes().splitlines():
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            entries.setdefault(entry["name"], []).append(entry)
    return entries


def _place(path: Path) -> Path:
    return path.resolve()
