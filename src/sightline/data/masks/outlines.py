"""Masks as polygons: GeoJSON in longitude and latitude, or plain JSON in pixels where a picture has no georeference."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sightline.errors import DataError, NotAvailable

Ring = list[list[int]]


def geojson(source: Path, objects: Iterable[tuple[np.ndarray, dict[str, Any]]]) -> dict[str, Any]:
    """Return masks as a GeoJSON FeatureCollection in longitude and latitude (RFC 7946).

    Args:
        source: the image that the masks are of, a GeoTIFF.
        objects: masks, bool (H, W), and the properties of each; read once.

    Raises:
        NotAvailable: rasterio is not installed.
        DataError: the image has no georeference, or is stored with its sides turned.
    """
    try:
        from rasterio.features import shapes
        from rasterio.warp import transform_geom
    except ImportError:
        raise NotAvailable("GeoJSON needs rasterio: install sightline[geo]") from None
    crs, transform, size = georeference(source)
    features = []
    for mask, properties in objects:
        if mask.shape != size:
            raise DataError(
                f"{source}: is stored as {size[0]} × {size[1]} and shown as {mask.shape[0]} × {mask.shape[1]}, so its "
                "georeference is not that of the masks; export COCO, or polygons in pixels"
            )
        # GDAL's tracer, for it is there anyway, and in C; the polygons are those of `polygons`.
        pieces = shapes(mask.astype(np.uint8), mask=mask, transform=transform)
        outlines = [transform_geom(crs, "EPSG:4326", piece)["coordinates"] for piece, _ in pieces]
        geometry = {"type": "MultiPolygon", "coordinates": [_wound(outline) for outline in outlines]}
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    return {"type": "FeatureCollection", "features": features}


def georeference(source: Path) -> tuple[Any, Any, tuple[int, int]]:
    """Return coordinate system, transform, and height and width of a GeoTIFF."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    try:
        with warnings.catch_warnings():
            # Said below, as an error.
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(source) as file:
                crs, transform, size = file.crs, file.transform, (file.height, file.width)
    except RasterioError as error:
        raise DataError(f"{source}: cannot be read as a GeoTIFF ({error})") from None
    if crs is None:
        raise DataError(
            f"{source}: has no georeference, and GeoJSON is in longitude and latitude; take COCO or another format"
        )
    return crs, transform, size


def _wound(polygon: Sequence[Sequence[Sequence[float]]]) -> list[list[list[float]]]:
    """Return rings as RFC 7946 wants them: the outer one anticlockwise, holes clockwise."""
    rings = []
    for i, ring in enumerate(polygon):
        points = [[float(x), float(y)] for x, y in ring]
        area = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(points))
        rings.append(points if (area > 0) == (i == 0) else points[::-1])
    return rings


def pixel_polygons(
    name: str, size: tuple[int, int], objects: Iterable[tuple[np.ndarray, dict[str, Any]]]
) -> dict[str, Any]:
    """Return masks as polygons in pixels, for a picture without a georeference; plain JSON, not GeoJSON.

    Coordinates go x to the right and y down from the upper left corner of the image, along pixel edges, so that a
    polygon covers exactly the pixels of its mask.

    Args:
        name: of the image.
        size: its height and width.
        objects: masks, bool (H, W), and what is known of each; read once.
    """
    return {
        "image": name,
        "height": size[0],
        "width": size[1],
        "coordinates": "pixels, x to the right and y down from the upper left corner; each polygon's outer ring first",
        "objects": [{**fields, "polygons": polygons(mask)} for mask, fields in objects],
    }


def polygons(mask: np.ndarray) -> list[list[Ring]]:
    """Return a mask's outlines along pixel edges: a polygon for each 4-connected part, outer ring first, then holes."""
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    outlines = []
    for part in range(1, count):
        x, y, width, height = (int(v) for v in boxes[part, :4])
        rings = _rings(parts[y : y + height, x : x + width] == part)
        rings.sort(key=lambda ring: -abs(_area(ring)))  # the outer ring encloses its holes
        outlines.append([[[px + x, py + y] for px, py in ring] for ring in rings])
    return outlines


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
    for neighbor, corner, step in sides:
        for y, x in np.argwhere(inner & ~neighbor).tolist():
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
