"""What to segment in each image: prompts from the command line, or from a file for a whole folder."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sightline.data.tables import read_table, read_text
from sightline.errors import ConfigError, DataError, nearest
from sightline.prompts import Box, Point, Prompts

SIGNS = {"+": 1, "-": 0, "1": 1, "0": 0}
KEYS = ("points", "box", "text", "everything")
WORDS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
MOST = 1e9  # pixels: no image has a side so long
COLUMNS = ("image", "x", "y", "label", "x0", "y0", "x1", "y1", "text", "everything")


@dataclass(frozen=True)
class Request:
    """What to segment in one image: what prompts point at, or everything."""

    prompts: Prompts = field(default_factory=Prompts)
    everything: bool = False

    def check(self, where: str) -> None:
        """Raise unless exactly one of prompts and everything mode was asked for.

        Args:
            where: the request's place, for the message.

        Raises:
            ConfigError: neither, or both.
        """
        if self.everything and self.prompts.kinds():
            raise ConfigError(f"{where}: everything and {', '.join(sorted(self.prompts.kinds()))}; choose one")
        if not self.everything and not self.prompts.kinds():
            raise ConfigError(f"{where}: nothing to look for; give --point, --box, --text, --everything or --prompts")


def parse_point(text: str) -> Point:
    """Return (x, y, 1 or 0) of "X,Y,+" or "X,Y,-"; "X,Y" is inside.

    Raises:
        ConfigError: something else.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 2:
        parts.append("+")
    try:
        x, y = float(parts[0]), float(parts[1])
        label = SIGNS[parts[2]]
        if len(parts) != 3 or not (math.isfinite(x) and math.isfinite(y)):
            raise ValueError
    except (ValueError, IndexError, KeyError):
        raise ConfigError(f"point {text!r}: expected X,Y,+ (inside) or X,Y,- (outside), for example 120,80,+") from None
    return x, y, label


def parse_box(text: str) -> Box:
    """Return (x0, y0, x1, y1) of "X0,Y0,X1,Y1".

    Raises:
        ConfigError: something else.
    """
    try:
        x0, y0, x1, y1 = (float(part) for part in text.split(","))
        if not all(map(math.isfinite, (x0, y0, x1, y1))):
            raise ValueError
    except ValueError:
        raise ConfigError(f"box {text!r}: expected X0,Y0,X1,Y1, for example 10,20,200,180") from None
    return x0, y0, x1, y1


def read_prompts(path: Path) -> dict[str, Request]:
    """Return the request for each image named in a JSON or CSV file.

    JSON: {"photo.jpg": {"points": [[x, y, 1], …], "box": [x0, y0, x1, y1], "text": "…", "everything": false}, …}.
    CSV: columns image, and any of x, y, label, x0, y0, x1, y1, text, everything; the rows of an image are one prompt.

    Raises:
        DataError: no such file, or not of that form.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; give a .json or .csv with the prompts of each image")
    if path.suffix.lower() == ".csv":
        return _from_csv(path)
    try:
        content = json.loads(read_text(path)[0].removeprefix("\ufeff"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is neither .csv nor readable as JSON ({error})") from None
    if not isinstance(content, dict) or not all(isinstance(value, dict) for value in content.values()):
        raise DataError(f'{path}: expected an object like {{"photo.jpg": {{"points": [[120, 80, 1]]}}}}')
    return {name: _request(value, f"{path}: {name}") for name, value in content.items()}


def _request(value: Mapping[str, Any], where: str) -> Request:
    unknown = [key for key in value if key not in KEYS]
    if unknown:
        raise DataError(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(KEYS)}.{nearest(unknown[0], KEYS)}")
    points, box = value.get("points", []), value.get("box")
    text, everything = value.get("text", ""), value.get("everything", False)
    if not isinstance(points, list) or not all(_is_numbers(point, 3) and point[2] in (0, 1) for point in points):
        raise DataError(f"{where}: points = {_short(points)}: expected [[x, y, 1 inside or 0 outside], …]")
    if box is not None and not _is_numbers(box, 4):
        raise DataError(f"{where}: box = {_short(box)}: expected four numbers, [x0, y0, x1, y1]")
    if not isinstance(text, str):
        raise DataError(f"{where}: text = {_short(text)}: expected words in quotes")
    if not isinstance(everything, bool):
        raise DataError(f"{where}: everything = {_short(everything)}: expected true or false, without quotes")
    pointed = tuple((float(x), float(y), int(label)) for x, y, label in points)
    request = Request(
        Prompts(pointed, None if box is None else (float(box[0]), float(box[1]), float(box[2]), float(box[3])), text),
        everything,
    )
    request.check(where)
    return request


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its pairs; a name that stands twice is a mistake, and JSON would keep the last."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return content


def _is_numbers(value: object, count: int) -> bool:
    """Whether a value is a list of so many finite numbers."""
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(n, int | float) and not isinstance(n, bool) and abs(n) <= MOST for n in value)
    )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _from_csv(path: Path) -> dict[str, Request]:
    table = read_table(path, filled=False)
    image = table.column("filename")
    unknown = [name for name in table.columns if name not in (image, *COLUMNS)]
    if image is None or unknown:
        columns = ", ".join(table.columns)
        raise DataError(f"{path}: columns {columns}; expected image and any of {', '.join(COLUMNS[1:])}")
    requests: dict[str, Request] = {}
    for row in table.rows:
        name = row.cells[image]
        if not name:
            raise DataError(f"{path}, line {row.line}: names no image; every row needs one")
        requests[name] = _with_row(requests.get(name, Request()), row.cells, f"{path}, line {row.line}")
    for name, request in requests.items():
        request.check(f"{path}: {name}")
    return requests


def _with_row(request: Request, row: Mapping[str, str], where: str) -> Request:
    """Add a row's point, box or text to the request for its image."""
    given = {key: value for key, value in row.items() if value}
    prompts, everything = request.prompts, request.everything
    try:
        if "x" in given or "y" in given:
            point = parse_point(",".join(given.get(key, "") for key in ("x", "y")) + "," + given.get("label", "+"))
            prompts = replace(prompts, points=(*prompts.points, point))
        if {"x0", "y0", "x1", "y1"} & given.keys():
            if prompts.box is not None:
                raise ConfigError("a second box for the same image; one prompt has one box")
            prompts = replace(prompts, box=parse_box(",".join(given.get(key, "") for key in ("x0", "y0", "x1", "y1"))))
    except ConfigError as error:
        raise DataError(f"{where}: {error}") from None
    if "text" in given:
        prompts = replace(prompts, text=given["text"])
    if "everything" in given:
        word = given["everything"].lower()
        if word not in WORDS:
            raise DataError(f"{where}: everything = {_short(word)}: expected one of {', '.join(WORDS)}")
        everything = WORDS[word]
    return Request(prompts, everything)
