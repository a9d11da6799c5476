"""Objects of classes as they leave the page: palette PNG, COCO JSON, GeoJSON.

Each writer goes through the objects once, so that no more than one mask need be in memory.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import ImageColor, PngImagePlugin

from sightline.data.masks.formats import annotation, coco_of_one, palette_image

Ring = list[list[float]]


@dataclass(frozen=True)
class Kept:
    """An object to export.

    Attributes:
        label: index into the classes.
        mask: bool (H, W).
    """

    label: int
    mask: np.ndarray


def palette_png(shape: tuple[int, int], classes: Sequence[tuple[str, str]], objects: Iterable[Kept]) -> bytes:
    """Return a PNG of class indices with their colours as palette: 0 for nothing, class i as i + 1.

    Of overlapping objects the later lies on top. The class names stand in the text chunk "classes", as JSON.

    Args:
        shape: height, width.
        classes: (name, "#rrggbb"), at most 255.
        objects: in the order in which they are laid.
    """
    index = np.zeros(shape, np.uint8)
    for kept in objects:
        index[kept.mask] = kept.label + 1
    image = palette_image(index, [ImageColor.getrgb(colour)[:3] for _, colour in classes])
    info = PngImagePlugin.PngInfo()
    info.add_itxt("classes", json.dumps(["", *(name for name, _ in classes)], ensure_ascii=False))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def coco(
    name: str, shape: tuple[int, int], classes: Sequence[tuple[str, str]], objects: Iterable[Kept]
) -> dict[str, Any]:
    """Return a COCO data set of one image; segmentations are compressed RLE, category ids count from 1."""
    annotations = [annotation(number, kept.label + 1, kept.mask) for number, kept in enumerate(objects, start=1)]
    categories = [{"name": label, "color": colour} for label, colour in classes]
    return {
        "info": {"description": "Masks made with Sightline"},
        **coco_of_one(name, shape, categories, annotations),
    }


def geojson(name: str, classes: Sequence[tuple[str, str]], objects: Iterable[Kept]) -> dict[str, Any]:
    """Return a GeoJSON FeatureCollection, one feature an object.

    Coordinates are pixels: x to the right and y down from the upper left corner of the image, along pixel edges, so
    that a polygon covers exactly the pixels of its mask.
    """
    features = []
    for number, kept in enumerate(objects, start=1):
        shapes = polygons(kept.mask)
        one = len(shapes) == 1
        geometry = {"type": "Polygon" if one else "MultiPolygon", "coordinates": shapes[0] if one else shapes}
        label, colour = classes[kept.label]
        properties = {"class": label, "color": colour, "area_pixels": int(kept.mask.sum())}
        features.append({"type": "Feature", "id": number, "geometry": geometry, "properties": properties})
    return {
        "type": "FeatureCollection",
        "name": name,
        "coordinates": "pixels, x to the right and y down from the upper left corner",
        "features": features,
    }


def polygons(mask: np.ndarray) -> list[list[Ring]]:
    """Return a mask's outlines along pixel edges: a polygon for each 4-connected part, outer ring first, then holes."""
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    found = []
    for part in range(1, count):
        x, y, width, height = (int(v) for v in boxes[part, :4])
        rings = _rings(parts[y : y + height, x : x + width] == part)
        rings.sort(key=lambda ring: -abs(_area(ring)))  # the outer ring encloses its holes
        found.append([[[px + x, py + y] for px, py in ring] for ring in rings])
    return found


def _rings(mask: np.ndarray) -> list[list[tuple[int, int]]]:
    """Trace the directed edges around a part, its inside on the right; at a corner shared by two pixels turn right."""
    padded = np.pad(mask, 1)
    inner = padded[1:-1, 1:-1]
    sides = (  # neighbour outside, start of the edge from the pixel's corner, its direction
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (0, 1)),
        (padded[2:, 1:-1], (1, 1), (-1, 0)),
        (padded[1:-1, :-2], (0, 1), (0, -1)),
    )
    leaving: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for neighbour, corner, step in sides:
        for y, x in np.argwhere(inner & ~neighbour).tolist():
            leaving.setdefault((x + corner[0], y + corner[1]), []).append(step)
    rings, seen = [], set()
    for start, steps in leaving.items():
        for first in steps:
            if (start, first) not in seen:
                rings.append(_follow(leaving, start, first, seen))
    return rings


def _follow(
    leaving: dict[tuple[int, int], list[tuple[int, int]]], start: tuple[int, int], first: tuple[int, int], seen: set
) -> list[tuple[int, int]]:
    """Return the closed ring that begins with an edge; its points are where it turns."""
    ring: list[tuple[int, int]] = []
    point, step, before = start, first, (0, 0)
    while True:
        if step != before:
            ring.append(point)
        seen.add((point, step))
        point, before = (point[0] + step[0], point[1] + step[1]), step
        right = (-step[1], step[0])
        step = right if right in leaving[point] else leaving[point][0]
        if (point, step) == (start, first):
            break
    if before == first:
        ring.pop(0)  # it began in the middle of a side
    return [*ring, ring[0]]


def _area(ring: Sequence[tuple[int, int]]) -> float:
    points = np.array(ring, float)
    x, y = points[:, 0], points[:, 1]
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2)
