"""The content of a JSON file as a frozen dataclass: written from it and read into it, each key checked on the way."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from sightline.errors import RunError
from sightline.files.atomic import write_json

WAY_OUT = "copy it again, or run it again into another folder"
# A number that may be NaN: JSON has null for it.
Number = Annotated[float, BeforeValidator(lambda value: float("nan") if value is None else value)]


class Record:
    """The base of every frozen dataclass that is kept as JSON.

    A field of the value None whose default is None is left out of the file; any other is written. Keys of a file that
    the class does not know are passed over, for files gain keys.
    """

    def write(self, path: Path) -> None:
        """Write it to a JSON file."""
        write_json(path, self.to_dict())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read it from a JSON file.

        Raises:
            RunError: the file is missing or damaged, a key of it is missing, or holds something else.
        """
        return cls.from_dict(read_json(path), where=str(path))

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, numbers and strings, keys in the order of the fields."""
        return plain_dict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], where: str = "result.json") -> Self:
        """Read what `to_dict` wrote.

        Args:
            content: of the file.
            where: names the file in an error.

        Raises:
            RunError: a key is missing or holds something else; the message names each.
        """
        try:
            return _adapter(cls).validate_python(content)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
            raise RunError(f"{where}: not as Sightline writes it ({faults}); {WAY_OUT}") from None


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        RunError: the file is missing or damaged.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RunError(f"{path}: no such file; the run or study it belongs to is not finished") from None
    return json_object(content, str(path))


def json_object(content: bytes, where: str) -> dict[str, Any]:
    """Return the JSON object that `content` is.

    Raises:
        RunError: it is none; `where` names it.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{where}: damaged, not JSON ({error}); {WAY_OUT}") from None
    if not isinstance(value, dict):
        raise RunError(f"{where}: damaged, a {type(value).__name__} and not an object; {WAY_OUT}")
    return value


def plain_dict(record: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as JSON has them."""
    values = ((field, getattr(record, field.name)) for field in fields(record))
    return {field.name: _plain(value) for field, value in values if not (value is None and field.default is None)}


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    if is_dataclass(value) and not isinstance(value, type):
        return plain_dict(value)
    if isinstance(value, Mapping):
        # JSON knows no other keys than texts.
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


@cache
def _adapter(cls: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(cls)
