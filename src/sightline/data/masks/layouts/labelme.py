"""labelme: NAME.json beside each image, with polygons and other shapes."""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from sightline.config import IGNORE_INDEX
from sightline.data.masks.layouts.base import (
    Files,
    Found,
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

AREAS = ("polygon", "rectangle", "circle", "mask")
# labelme's own names for what is no object.
BACKGROUND, IGNORED = "_background_", "__ignore__"


def beside(image: Path) -> Path:
    """Return where labelme keeps what is drawn on an image."""
    return image.with_suffix(".json")


def labelme(source: str, root: Path, files: Files, place: Callable[[Path], Path] = beside) -> Found | None:
    """Find labelme's annotations, which are beside the images unless `place` says where else."""
    contents: dict[Path, dict[str, Any]] = {}
    for image in files:
        if (content := _content(place(image))) is not None:
            contents[image] = content
    if not contents:
        return None
    taken: dict[Path, Path] = {}
    for image in contents:
        if (other := taken.setdefault(place(image), image)) != image:
            raise DataError(f"{source}: {other.name} and {image.name} have one {image.stem}.json; rename one of them")
    missing = [path for path in files if path not in contents and path.parent in {image.parent for image in contents}]
    if missing and place is beside:
        raise DataError(
            f"{source}: no annotation for {', '.join(path.name for path in missing[:5])} "
            f"({len(missing)} images); save one without shapes in labelme if nothing is on them, or remove them"
        )
    labels = sorted({shape["label"] for content in contents.values() for shape in content["shapes"]})
    names = [label for label in labels if label not in (BACKGROUND, IGNORED)]
    other = sum(shape["shape_type"] not in AREAS for content in contents.values() for shape in content["shapes"])
    pairs = []
    for image, content in contents.items():
        given = place(image), image, content, names
        pairs.append(pair_of(root, image, given[0], draw=partial(_draw, *given), owners=partial(_owners, *given)))
    said = (f"{other} points and lines have no area and are left out",) if other else ()
    return Found(in_order(pairs), by_category(source, names), "labelme's shapes", said)


def _content(path: Path) -> dict[str, Any] | None:
    """Return a file of labelme's, None for any other JSON."""
    if not path.is_file():
        return None
    text = path.read_bytes()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        if b'"shapes"' not in text:
            return None
        raise DataError(f"{path}: damaged, not JSON; save it again in labelme, or remove it") from None
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list) or "imagePath" not in content:
        return None
    for number, shape in enumerate(content["shapes"]):
        if not isinstance(shape, dict) or not isinstance(shape.get("label"), str) or not shape["label"]:
            raise DataError(f"{path}: shape {number} has no label")
        shape["shape_type"] = str(shape.get("shape_type") or "polygon")
    return content


@dataclass(frozen=True)
class _Drawn:
    """What is drawn on an image of a size.

    Attributes:
        objects: index of the class and mask, bool (H, W), of each shape.
        groups: what the shapes of one object have in common.
        ignored: bool (H, W).
    """

    size: tuple[int, int]
    objects: list[tuple[int, np.ndarray]]
    groups: list[tuple[object, ...]]
    ignored: np.ndarray


def _drawn(file: Path, image: Path, content: dict[str, Any], names: list[str]) -> _Drawn:
    size = size_of(image)
    found = _Drawn(size, [], [], np.zeros(size, bool))
    for number, shape in enumerate(content["shapes"]):
        if shape["shape_type"] not in AREAS or shape["label"] == BACKGROUND:
            continue
        mask = _mask(f"{file}: shape {number}", shape, size)
        if shape["label"] == IGNORED:
            found.ignored[mask] = True
            continue
        group = shape.get("group_id")
        found.objects.append((names.index(shape["label"]) + 1, mask))
        found.groups.append(("alone", number) if group is None else ("together", shape["label"], group))
    return found


def _draw(file: Path, image: Path, content: dict[str, Any], names: list[str]) -> np.ndarray:
    found = _drawn(file, image, content, names)
    indices = drawn(file, image.name, found.size, found.objects)
    indices[found.ignored] = IGNORE_INDEX
    return indices


def _owners(file: Path, image: Path, content: dict[str, Any], names: list[str]) -> np.ndarray:
    found = _drawn(file, image, content, names)
    # Shapes of one label and group are one object, which takes the number of its first.
    firsts = np.array([*map(found.groups.index, found.groups), -1], np.int32)
    return firsts[owned(file, image.name, found.size, found.objects)]


def _mask(where: str, shape: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
    points, kind = numbers(shape.get("points"), where), shape["shape_type"]
    if kind == "polygon":
        return polygon_mask(points, size, where)
    if points.shape != (2, 2) or not np.isfinite(points).all() or np.abs(points).max() > 2 * max(size):
        raise DataError(f"{where}: a {kind} has two points, in its image")
    mask = np.zeros(size, np.uint8)
    (x0, y0), (x1, y1) = points.tolist()
    if kind == "circle":
        cv2.circle(mask, (round(x0), round(y0)), round(float(np.hypot(x1 - x0, y1 - y0))), (1,), -1)
    elif kind == "rectangle":
        left, right = sorted((max(0, round(x0)), max(0, round(x1))))
        top, bottom = sorted((max(0, round(y0)), max(0, round(y1))))
        mask[top:bottom, left:right] = 1
    else:
        part = _stored(where, shape.get("mask"))
        top, left = max(0, int(y0)), max(0, int(x0))
        room = mask[top : top + part.shape[0], left : left + part.shape[1]]
        room[...] = part[: room.shape[0], : room.shape[1]]
    return mask.astype(bool)


def _stored(where: str, text: object) -> np.ndarray:
    try:
        content = base64.b64decode(text if isinstance(text, str) else "", validate=True)
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(image.convert("L")) > 0
    except (binascii.Error, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise DataError(f"{where}: its mask is no picture") from None
