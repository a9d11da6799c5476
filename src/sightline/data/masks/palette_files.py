"""Palettes from files: JSON, YAML, lists of names, and the class tables that data sets come with."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sightline.config.base import load_yaml
from sightline.config.palettes import Code, palette_entries
from sightline.errors import DataError

# Headings of tables, in small letters.
NAMES, VALUES, COLORS = (
    ("name", "class", "label", "category"),
    ("value", "id", "index", "code", "pixel"),
    ("color", "colour", "hex"),
)
_NUMBER = re.compile(r"\d+")
_CODE = r"(?P<code>#[0-9a-fA-F]{6}|\d+(?:[\s,;]+\d+){2}|\d+)"
_NAME_FIRST = re.compile(rf"(?P<name>\D.*?)[\s:=,;]+{_CODE}[\s:,;]*")
_CODE_FIRST = re.compile(rf"{_CODE}[\s:=,;]+(?P<name>\D.*)")
LARGEST_FILE = 1 << 20


def read_palette(path: Path) -> dict[str, tuple[Code, ...]]:
    """Return the entries of a palette file, as of `palette_entries`.

    JSON and YAML hold a mapping of names to values or colors, a list of names (their places are the values), or a list
    of {name, and value or color}. CSV and TSV have a heading: name with value, with color, or with r, g, b. A text file
    has a class a line: its name alone, or with its value or its three color values before or after it.

    Raises:
        DataError: missing, damaged, or an entry that is no value and no color, which it names.
    """
    read: dict[str, Callable[[str], dict[str, Any]]] = {
        ".json": lambda text: _structured(json.loads(text)),
        ".yaml": lambda text: _structured(load_yaml(text, where)),
        ".yml": lambda text: _structured(load_yaml(text, where)),
        ".csv": _table,
        ".tsv": _table,
        ".txt": _lines,
    }
    where = f"data.palette = {str(path)!r}"
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise DataError(f"{where}: has over {LARGEST_FILE:,} bytes, and is no list of classes")
        text = path.read_bytes().decode("utf-8-sig")
        return palette_entries(read[path.suffix.lower()](text))
    except KeyError:
        raise DataError(f"{where}: is none of {', '.join(read)}") from None
    except OSError as error:
        raise DataError(f"{where}: cannot be read ({error.strerror}); give another file") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: is no UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except (ValueError, csv.Error, RecursionError) as error:
        raise DataError(f"{where}: {error or 'is nested too deep'}") from None


def _structured(content: Any) -> dict[str, Any]:
    if isinstance(content, dict):
        inner = content.get("names") or content.get("classes")
        return _structured(inner) if isinstance(inner, list | dict) else _unique(content.items())
    if isinstance(content, list) and all(isinstance(entry, str) for entry in content):
        return _unique(zip(content, range(len(content)), strict=True))
    if isinstance(content, list) and all(isinstance(entry, dict) for entry in content):
        return _unique(_row({str(key).lower(): value for key, value in entry.items()}) for entry in content)
    raise ValueError("holds neither a mapping of names to values or colors, nor a list of classes")


def _unique(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    entries: dict[Any, Any] = {}
    for name, value in pairs:
        # YOLO's way round: number → name.
        if type(name) is int and isinstance(value, str):
            name, value = value, name
        elif isinstance(name, str) and name.isdecimal() and isinstance(value, str) and not value.startswith("#"):
            name, value = value, int(name)
        if not isinstance(name, str):
            raise ValueError(f"{name!r}: a class has a name; put a word in quotation marks if YAML reads it otherwise")
        if name in entries:
            raise ValueError(f"{name} stands twice; each class stands once")
        entries[name] = value
    return entries


def _row(row: dict[str, Any]) -> tuple[Any, Any]:
    """Return (name, value or color) of one row of a table, keys in small letters."""
    name = next((row[key] for key in NAMES if row.get(key) not in (None, "")), None)
    if name is None:
        raise ValueError(f"a row has no name: {row}; columns are name with value, with color, or with r, g, b")
    if all(key in row for key in ("r", "g", "b")):
        return name, [_integer(row[key]) for key in ("r", "g", "b")]
    if all(key in row for key in ("red", "green", "blue")):
        return name, [_integer(row[key]) for key in ("red", "green", "blue")]
    for key in (*COLORS, *VALUES):
        if row.get(key) not in (None, ""):
            return name, _code(row[key])
    raise ValueError(f"{name}: has neither value nor color; columns are name with value, with color, or with r, g, b")


def _integer(value: Any) -> Any:
    return int(value) if isinstance(value, str) and _NUMBER.fullmatch(value.strip()) else value


def _code(value: Any) -> Any:
    """Return a value or a color of text: "7", "0 128 0", "#008000"."""
    if not isinstance(value, str):
        return value
    numbers = _NUMBER.findall(value)
    if re.fullmatch(r"[\d\s,;()\[\]]+", value) and len(numbers) in (1, 3):
        return int(numbers[0]) if len(numbers) == 1 else [int(number) for number in numbers]
    return value


def _table(text: str) -> dict[str, Any]:
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")
    reader.fieldnames = [(name or "").strip().lower() for name in reader.fieldnames or []]
    rows = [{str(key): (value or "").strip() for key, value in row.items() if isinstance(value, str)} for row in reader]
    return _unique(_row(row) for row in rows if any(row.values()))


def _lines(text: str) -> dict[str, Any]:
    entries: list[tuple[str, Any]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if line and not line.startswith(("#", "//")):
            entries.append(_line(line, len(entries), number))
    return _unique(entries)


def _line(line: str, place: int, number: int) -> tuple[str, Any]:
    """Return (name, value or color) of a line such as "road", "road: 7", "7 road", "0 128 0 road", "road:0,128,0::"."""
    if match := re.fullmatch(
        r"(?P<name>\D.*?)[\s:=,;]+(?P<code>#[0-9a-fA-F]{6}|\d+(?:[\s,;]+\d+){2}|\d+)[\s:,;]*", line
    ):
        return match["name"].strip(), _code(match["code"])
    if match := re.fullmatch(r"(?P<code>#[0-9a-fA-F]{6}|\d+(?:[\s,;]+\d+){2}|\d+)[\s:=,;]+(?P<name>\D.*)", line):
        return match["name"].strip(), _code(match["code"])
    if line.isdecimal():
        raise ValueError(f"line {number} is {line}, without a name")
    return line, place
