"""What an earlier answer wrote beside a user's own files: only that may be replaced or removed.

NAME.json, the record of an answer, lists the files beside it. While they are written a journal, .NAME.files, lists them
already, so that an answer that was cut short by a crash is known as one's own too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sightline.errors import DataError
from sightline.files.atomic import write_json

OUTPUT = re.compile(r"(?P<name>.+)_(?:mask_\d+|palette|overlay)\.png")


@contextmanager
def replacing(base: Path, names: Sequence[str]) -> Iterator[None]:
    """Write files of these names beside `base`: what an earlier answer of that name wrote there goes first.

    Raises:
        DataError: one of them is there, and no record says that Sightline wrote it. Nothing is changed then.
    """
    record, journal = base.with_name(f"{base.name}.json"), base.with_name(f".{base.name}.files")
    listed = _listed(record) | _listed(journal)
    for name in names:
        path = base.with_name(name)
        if path.exists() and name not in listed:
            raise DataError(
                f"{path}: is there already, and Sightline did not write it; nothing was changed. "
                "Give another --out, or move that file away"
            )
    base.parent.mkdir(parents=True, exist_ok=True)
    write_json(journal, {"files": sorted({*names, *listed}), "engine": ""})
    for name in listed - set(names):
        base.with_name(name).unlink(missing_ok=True)
    yield
    journal.unlink(missing_ok=True)


def is_output(path: Path) -> bool:
    """Return whether an image is what Sightline drew for another one, by the record beside it."""
    match = OUTPUT.fullmatch(path.name)
    return match is not None and path.name in _listed(path.with_name(f"{match['name']}.json"))


def _listed(record: Path) -> set[str]:
    """Return the names that a record lists, its own among them; none where it is no record of Sightline."""
    try:
        content: Any = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    if not isinstance(content, dict) or "engine" not in content or not isinstance(content.get("files"), list):
        return set()
    return {record.name, *(name for name in content["files"] if isinstance(name, str) and name == Path(name).name)}
