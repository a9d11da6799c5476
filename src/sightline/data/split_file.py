"""Parts of a data set: what folders and columns call them, and files that name the members of each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.data.tables import read_text, some
from sightline.errors import DataError, nearest

PARTS = ("train", "val", "test")
PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
SCENES = "scenes"


def part_of(name: str) -> str:
    """Return the part, train, val or test, that a folder or a cell of this name means, in any case; "" for none."""
    return PART_NAMES.get(name.strip().lower(), "")


@dataclass(frozen=True)
class SplitFile:
    """What a split file says.

    Attributes:
        path: of it.
        parts: part → ids, for the parts that it names.
        scenes: name of a scene → ids of its tiles; None where the file names none.
    """

    path: str
    parts: Mapping[str, tuple[str, ...]]
    scenes: Mapping[str, tuple[str, ...]] | None = None

    def indices(self, ids: Sequence[str]) -> dict[str, list[int]]:
        """Return the indices of the parts' members among `ids`, for train, val and test, [] for a part without name.

        Raises:
            DataError: a member that is not among `ids`.
        """
        index = {name: i for i, name in enumerate(ids)}
        unknown = [name for members in self.parts.values() for name in members if name not in index]
        if unknown:
            raise DataError(
                f"data.split_file = {self.path!r}: names {some(unknown)}, not in the data."
                f"{nearest(unknown[0], ids[:500])} An id is a path below the source, or of a table its id"
            )
        return {part: [index[name] for name in self.parts.get(part, ())] for part in PARTS}


def read_split(path: str) -> SplitFile:
    """Read a split file: JSON, an object of part → list of ids, and perhaps scenes, an object of scene → list of ids.

    Raises:
        DataError: the file cannot be read, or is not of this form; names the place.
    """
    where = f"data.split_file = {path!r}"
    try:
        content: Any = json.loads(read_text(Path(path))[0].removeprefix("\ufeff"))
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    except RecursionError:
        raise DataError(f"{where}: is nested too deeply; give an object of part → ids") from None
    except ValueError as error:
        raise DataError(f"{where}: is no JSON ({error}); write it again") from None
    if not isinstance(content, dict):
        raise DataError(f"{where}: must be an object of part → ids, and is {_kind(content)}")
    parts: dict[str, tuple[str, ...]] = {}
    for name, members in content.items():
        if name == SCENES:
            continue
        if not (part := part_of(name)):
            keys = (*PARTS, SCENES)
            raise DataError(f"{where}: {name!r} is none of {', '.join(keys)}.{nearest(name, keys)}")
        if part in parts:
            raise DataError(f"{where}: {name!r} is the {part} part, which the file names twice; name it once")
        parts[part] = _ids(members, f"{where}: {name}")
    counts = Counter(name for members in parts.values() for name in members)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise DataError(f"{where}: names {some(twice)} in two parts, or twice; each belongs to one")
    if not any(parts.values()):
        raise DataError(f"{where}: names no member of train, val or test; give part → ids")
    return SplitFile(path, parts, _scenes(content[SCENES], f"{where}: scenes") if SCENES in content else None)


def _scenes(value: Any, where: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise DataError(f"{where}: must be an object of scene → ids, and is {_kind(value)}")
    scenes = {name: _ids(members, f"{where}.{name}") for name, members in value.items()}
    counts = Counter(name for members in scenes.values() for name in members)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise DataError(f"{where}: {some(twice)} stands in two scenes, or twice; each belongs to one")
    return scenes


def _ids(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise DataError(f"{where}: must be a list of ids, and is {_kind(value)}")
    for number, entry in enumerate(value, start=1):
        if not isinstance(entry, str):
            raise DataError(f"{where}: entry {number} must be an id, a text, and is {_kind(entry)}")
    return tuple(value)


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
