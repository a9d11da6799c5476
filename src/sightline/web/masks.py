"""Objects of classes as they leave the page: palette PNG, COCO JSON, GeoJSON, polygons in pixels.

Each writer goes through the objects once, so that no more than one mask need be in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ImageColor

from sightline.data.masks import formats, outlines

Classes = Sequence[tuple[str, str]]
BACKGROUND, UNLABELLED = -1, 254  # labels beside those of classes; masks hold label + 1


@dataclass(frozen=True)
class Kept:
    """An object to export.

    Attributes:
        label: index into the classes; `BACKGROUND` and `UNLABELLED` are in masks of values alone.
        mask: bool (H, W).
    """

    label: int
    mask: np.ndarray


def palette_png(shape: tuple[int, int], classes: Classes, objects: Iterable[Kept]) -> bytes:
    """Return a PNG of class indices with their colors as palette: 0 for nothing, class i as i + 1, 255 unlabelled.

    Of overlapping objects the later lies on top. The class names stand in the text chunk "classes", as JSON.

    Args:
        shape: height, width.
        classes: (name, "#rrggbb"), at most 254.
        objects: in the order in which they are laid.
    """
    index = np.zeros(shape, np.uint8)
    for item in objects:
        index[item.mask] = item.label + 1
    colors = [(0, 0, 0), *(ImageColor.getrgb(shade)[:3] for _, shade in classes)]
    return formats.palette_png(index, colors, ["", *(name for name, _ in classes)], optimize=False)


def coco(name: str, shape: tuple[int, int], classes: Classes, objects: Iterable[Kept]) -> dict[str, Any]:
    """Return a COCO data set of one image; segmentations are compressed RLE, category ids count from 1."""
    categories = [{"name": label, "color": shade} for label, shade in classes]
    numbered = ((item.mask, {"category_id": item.label + 1}) for item in _of_classes(objects))
    return {
        "info": {"description": "Masks made with Sightline"},
        **formats.coco(name, shape, categories, numbered),
    }


def geojson(path: Path, classes: Classes, objects: Iterable[Kept]) -> dict[str, Any]:
    """Return a GeoJSON FeatureCollection in longitude and latitude, one feature an object.

    Raises:
        NotAvailable: rasterio is not installed.
        DataError: the picture has no georeference.
    """
    return outlines.geojson(path, _described(classes, objects))


def polygons(name: str, shape: tuple[int, int], classes: Classes, objects: Iterable[Kept]) -> dict[str, Any]:
    """Return polygons in pixels as plain JSON, one entry an object."""
    return outlines.pixel_polygons(name, shape, _described(classes, objects))


def _of_classes(objects: Iterable[Kept]) -> Iterator[Kept]:
    return (item for item in objects if item.label not in (BACKGROUND, UNLABELLED))


def _described(classes: Classes, objects: Iterable[Kept]) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    for item in _of_classes(objects):
        label, shade = classes[item.label]
        yield item.mask, {"class": label, "color": shade, "area_pixels": int(item.mask.sum())}
