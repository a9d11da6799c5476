"""COCO: one JSON of images, categories and annotations, as polygons or as run lengths, plain or compressed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sightline.data.masks.layouts.base import (
    Files,
    Found,
    Painter,
    Pair,
    by_category,
    drawn,
    in_order,
    numbers,
    owned,
    pair_of,
    part_on_way,
    polygon_mask,
)
from sightline.errors import DataError
from sightline.run_lengths import decode_rle, from_run_lengths

LARGEST = 1 << 31


def coco(source: str, root: Path, files: Files) -> Found | None:
    """Find COCO's annotations, in the source's folder or one below it."""
    return coco_of(source, root, files, candidates(root))


def coco_of(source: str, root: Path, files: Files, jsons: Iterable[Path]) -> Found | None:
    """Find the annotations that some files hold; those that are not of COCO's form are passed over."""
    contents = {path: content for path in jsons if (content := _content(path)) is not None}
    if not contents:
        return None
    names = sorted({c["name"] for content in contents.values() for c in content["categories"]})
    # In the order of their numbers where all files number them alike.
    order = {c["name"]: c["id"] for content in contents.values() for c in content["categories"]}
    if all(order[c["name"]] == c["id"] for content in contents.values() for c in content["categories"]):
        names = sorted(names, key=lambda name: order[name])
    places: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        places[file.name].append(file)
    pairs: dict[str, Pair] = {}
    for path, content in contents.items():
        for pair in _pairs(source, root, path, content, names, places):
            if (other := pairs.setdefault(pair.id, pair)) is not pair:
                raise DataError(f"{source}: {pair.id} is in both {other.mask.name} and {path.name}; keep one of them")
    if not pairs:
        raise DataError(f"{source}: {', '.join(path.name for path in contents)} names no images")
    return Found(in_order(pairs.values()), by_category(source, names), "COCO's annotations")


def candidates(root: Path) -> Iterable[Path]:
    """Yield the JSON files of a folder and of those in it."""
    inner = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    for folder in (root, *inner):
        yield from sorted(path for path in folder.glob("*.json") if path.is_file() and not path.name.startswith("."))


def _content(path: Path) -> dict[str, Any] | None:
    """Return a file of COCO's form, None for any other JSON."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        if '"annotations"' not in path.read_bytes()[: 1 << 16].decode("utf-8", errors="replace"):
            return None
        raise DataError(f"{path}: damaged, not JSON; export it again") from None
    keys = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in keys):
        return None
    if not all(isinstance(entry, dict) for key in keys for entry in content[key]):
        raise DataError(f"{path}: images, annotations and categories are lists of objects")
    fields = {"images": ("id", "file_name"), "categories": ("id", "name"), "annotations": ("image_id", "category_id")}
    for key, needed in fields.items():
        for number, entry in enumerate(content[key]):
            for name in needed:
                kinds = str if name in ("file_name", "name") else int | str
                if not isinstance(entry.get(name), kinds) or isinstance(entry.get(name), bool):
                    raise DataError(f"{path}: {key}[{number}] has no {name}")
    if content["annotations"] and not any("segmentation" in entry for entry in content["annotations"]):
        raise DataError(f"{path}: its annotations are boxes without segmentation; masks need polygons or run lengths")
    return content


def _pairs(
    source: str, root: Path, path: Path, content: dict[str, Any], names: list[str], places: dict[str, list[Path]]
) -> Iterable[Pair]:
    number_of = {category["id"]: names.index(category["name"]) + 1 for category in content["categories"]}
    of_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for number, annotation in enumerate(content["annotations"]):
        if annotation["category_id"] not in number_of:
            raise DataError(f"{path}: annotations[{number}] is of category {annotation['category_id']}, which is none")
        of_image[annotation["image_id"]].append(annotation)
    known = {entry["id"] for entry in content["images"]}
    if stray := [str(image) for image in of_image if image not in known]:
        raise DataError(f"{path}: annotations of image {stray[0]}, which is none of its images")
    part = (part_on_way(path.relative_to(root)) if path.is_relative_to(root) else "") or _part_of_name(path.stem)
    for entry in content["images"]:
        image = _image(source, root, path, entry["file_name"], places)
        draw = partial(_draw, path, entry, of_image[entry["id"]], number_of)
        yield pair_of(root, image, path, part, partial(draw, drawn), partial(draw, owned))


def _part_of_name(stem: str) -> str:
    words = stem.lower().replace("-", "_").split("_")
    return next((part for word in words if (part := part_on_way(Path(word, "x")))), "")


def _image(source: str, root: Path, path: Path, name: str, places: dict[str, list[Path]]) -> Path:
    """Return the file of an image: below the JSON or the source as it is named, else the only one of its name."""
    relative = Path(name.replace("\\", "/"))
    found = places.get(relative.name, [])
    for place in (path.parent, root, root / "images"):
        if (whole := place / relative) in found:
            return whole
    ends = [file for file in found if file.parts[-len(relative.parts) :] == relative.parts]
    for candidates in (ends, found):
        if len(candidates) == 1:
            return candidates[0]
    what = "is not there" if not found else f"is there {len(found)} times"
    raise DataError(f"{source}: {name}, which {path.name} names, {what}; add it, or name it with its folder")


def _draw(
    path: Path, image: dict[str, Any], annotations: list[dict[str, Any]], number_of: dict[Any, int], paint: Painter
) -> np.ndarray:
    width, height = _side(path, image, "width"), _side(path, image, "height")
    objects = []
    for annotation in annotations:
        where = f"{path}: annotation {annotation.get('id', '?')} of {image['file_name']}"
        mask = _mask(where, annotation.get("segmentation"), (height, width))
        objects.append((number_of[annotation["category_id"]], mask))
    return paint(path, image["file_name"], (height, width), objects)


def _side(path: Path, image: dict[str, Any], name: str) -> int:
    value = image.get(name)
    if type(value) is not int or not 0 < value < 1 << 16:
        raise DataError(f"{path}: {image['file_name']} has no {name} in pixels")
    return value


def _mask(where: str, segmentation: object, size: tuple[int, int]) -> np.ndarray:
    if isinstance(segmentation, dict):
        return _run_lengths(where, segmentation, size)
    mask = np.zeros(size, bool)
    if not isinstance(segmentation, list):
        raise DataError(f"{where}: has no segmentation")
    for polygon in segmentation if segmentation and isinstance(segmentation[0], list) else [segmentation]:
        points = numbers(polygon, where)
        if points.ndim != 1 or len(points) % 2 or len(points) < 6:
            raise DataError(f"{where}: a polygon has three points or more, each of x and y")
        mask |= polygon_mask(points.reshape(-1, 2), size, where)
    return mask


def _run_lengths(where: str, rle: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
    counts = rle.get("counts")
    if rle.get("size") != list(size):
        raise DataError(f"{where}: run lengths of size {rle.get('size')}, and the image has {list(size)}")
    try:
        if isinstance(counts, str):
            return decode_rle({"size": list(size), "counts": counts})
        if isinstance(counts, list) and all(type(count) is int for count in counts):
            return from_run_lengths(counts, *size)
    except (DataError, OverflowError, IndexError) as error:
        raise DataError(f"{where}: {error}") from None
    raise DataError(f"{where}: run lengths are a text, or a list of whole numbers")
