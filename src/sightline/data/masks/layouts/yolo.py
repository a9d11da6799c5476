"""YOLO's segmentation: images/ + labels/ with a line of class and polygon for each object, names in data.yaml."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sightline.config.base import load_yaml
from sightline.data.masks.layouts.base import (
    Files,
    Found,
    Painter,
    by_category,
    drawn,
    in_order,
    numbers,
    owned,
    pair_of,
    polygon_mask,
)
from sightline.data.masks.planes import size_of
from sightline.errors import DataError

LISTS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml", "classes.txt")


def yolo(
    source: str, root: Path, files: Files, place: Callable[[Path], Path] | None = None, listing: Path | None = None
) -> Found | None:
    """Find YOLO's polygons; an image without a file of them has no object.

    Args:
        source: for errors.
        root: of the images.
        files: the images.
        place: where an image's objects are, if not in labels/ in place of images/; only those that are there count.
        listing: the folder of data.yaml, if not `root`.
    """
    labels = {image: label for image in files if (label := _label(root, image)) is not None}
    if place is not None:
        labels = {image: path for image in files if (path := place(image)).is_file()}
    names = _names(listing or root)
    if not any(path.is_file() for path in labels.values()):
        return None
    lines = {image: _lines(path) for image, path in labels.items() if path.is_file()}
    highest = max((line[0] for entries in lines.values() for line in entries), default=-1)
    if names is None:
        names = [f"class {i}" for i in range(highest + 1)]
    if highest >= len(names):
        raise DataError(f"{source}: an object is of class {highest}, and {len(names)} classes are named, from 0 on")
    some = next(path for path in labels.values() if path.is_file())
    pairs = []
    for image, path in labels.items():
        drawing = partial(_draw, path, image, lines.get(image, []))
        file = path if path.is_file() else some
        pairs.append(pair_of(root, image, file, draw=partial(drawing, drawn), owners=partial(drawing, owned)))
    empty = len(labels) - len(lines)
    said = (f"{empty} images have no file of objects and are all background, as YOLO takes them",) if empty else ()
    return Found(in_order(pairs), by_category(source, names), "YOLO's polygons", said)


def _label(root: Path, image: Path) -> Path | None:
    """Return where an image's objects would be: labels/ in place of images/; None for an image elsewhere."""
    parts = list(image.relative_to(root).parts)
    at = max((i for i, part in enumerate(parts[:-1]) if part.lower() == "images"), default=None)
    if at is None:
        beside = image.with_suffix(".txt")
        return beside if beside.is_file() and _looks_like(beside) else None
    for name in ("labels", "Labels"):
        folder = root.joinpath(*parts[:at], name, *parts[at + 1 : -1])
        if folder.is_dir():
            return folder / f"{image.stem}.txt"
    return None


def _looks_like(path: Path) -> bool:
    first = path.read_bytes()[:200].split(b"\n", 1)[0].split()
    return len(first) >= 7 and len(first) % 2 == 1 and first[0].isdigit()


def _names(root: Path) -> list[str] | None:
    for place in (root, root.parent):
        for name in LISTS:
            path = place / name
            # Beside the source, only what names YOLO's own parts; classes.txt may be anything there.
            if path.is_file() and (place == root or name == "data.yaml"):
                names = _read_names(path)
                if names is not None:
                    return names
    return None


def _read_names(path: Path) -> list[str] | None:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if path.suffix == ".txt":
            return [line.strip() for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise DataError(f"{path}: is no UTF-8 text ({error}); save it as UTF-8") from None
    content: Any = load_yaml(text, str(path))
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, dict) and all(type(key) is int for key in names):
        if sorted(names) != list(range(len(names))):
            raise DataError(f"{path}: names are numbered from 0 on, none left out")
        names = [names[i] for i in range(len(names))]
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str | int) for name in names) or not names:
        raise DataError(f"{path}: names is a list of words, or a mapping of numbers to words")
    if len({str(name) for name in names}) < len(names):
        raise DataError(f"{path}: a name stands twice")
    return [str(name) for name in names]


def _lines(path: Path) -> list[tuple[int, np.ndarray]]:
    objects = []
    for number, line in enumerate(path.read_bytes().decode("utf-8", errors="replace").splitlines(), start=1):
        words, where = line.split(), f"{path}, line {number}"
        if not words:
            continue
        values = numbers(words, where)
        if not (np.isfinite(values).all() and values[0] == int(values[0]) and 0 <= values[0] < 1 << 16):
            raise DataError(f"{where}: begins with the number of a class, from 0 on")
        if len(words) == 5:
            raise DataError(f"{where}: holds a box and no polygon; masks need YOLO's segmentation format")
        if len(words) < 7 or len(words) % 2 == 0:
            raise DataError(f"{where}: expected a class and three points or more, each of x and y")
        objects.append((int(values[0]), values[1:].reshape(-1, 2)))
    return objects


def _draw(path: Path, image: Path, lines: list[tuple[int, np.ndarray]], paint: Painter) -> np.ndarray:
    height, width = size_of(image)
    objects = [
        (category + 1, polygon_mask(points * (width, height), (height, width), str(path))) for category, points in lines
    ]
    return paint(path, image.name, (height, width), objects)
