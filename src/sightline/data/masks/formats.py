"""Masks to files: PNG, palette PNG, COCO run lengths, GeoJSON, an overlay to look at. Imports no torch."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from sightline.errors import DataError, NotAvailable
from sightline.files.atomic import atomic_path, write_json

MOST_INDICES = 255  # of a palette PNG; 0 is where no mask is
VEIL, LINE = 0.45, 2  # an overlay's colour in the mask, and its contour's width in pixels
GOLDEN = 0.618034  # turns of hue between neighbours: any few masks in a row get colours far apart


def run_lengths(mask: np.ndarray) -> list[int]:
    """Return the run lengths of a mask, bool (H, W), down the columns, the first of zeros: COCO's uncompressed RLE."""
    flat = np.asarray(mask, bool).ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return [0, *counts] if flat.size and flat[0] else counts


def from_run_lengths(counts: Sequence[int], height: int, width: int) -> np.ndarray:
    """Return the mask, bool (height, width), of run lengths from anywhere.

    Raises:
        DataError: run lengths that do not fill the mask.
    """
    pixels = height * width
    # Each is looked at before they are added: as integers of 64 bits two huge ones can add up to anything, and NumPy
    # would then write beyond the mask.
    if min(counts, default=0) < 0 or max(counts, default=0) > pixels or sum(counts) != pixels:
        raise DataError(f"the run lengths do not fill a mask of {height} × {width}")
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return flat.reshape((height, width), order="F")


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return x, y, width and height of what is set; zeros for nothing."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)


def encode_rle(mask: np.ndarray) -> dict[str, Any]:
    """Return a mask, bool (H, W), as COCO's compressed run lengths, {"size": [H, W], "counts": str}.

    Each run is written as its difference to the run two before it, in groups of five bits, lowest first, the sixth bit
    telling that more follow, offset by 48 (cocoapi, maskApi.c).
    """
    runs = run_lengths(mask)
    values = runs[:3] + [run - before for run, before in zip(runs[3:], runs[1:], strict=False)]
    return {"size": list(mask.shape), "counts": "".join(map(_letters, values))}


def _letters(value: int) -> str:
    text = ""
    while True:
        bits = value & 31
        value >>= 5
        done = value == (-1 if bits & 16 else 0)
        text += chr(48 + (bits if done else bits | 32))
        if done:
            return text


def decode_rle(rle: dict[str, Any]) -> np.ndarray:
    """Return bool (H, W) of COCO's compressed run lengths.

    Raises:
        DataError: runs that do not fill the mask.
    """
    runs: list[int] = []
    value = shift = 0
    for letter in rle["counts"]:
        bits = ord(letter) - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return from_run_lengths(runs, *rle["size"])


def annotation(number: int, category: int, mask: np.ndarray) -> dict[str, Any]:
    """Return COCO's entry of one object in image 1; object and category numbers count from 1."""
    return {
        "id": number,
        "image_id": 1,
        "category_id": category,
        "iscrowd": 0,
        "area": int(mask.sum()),
        "bbox": list(box_of(mask)),
        "segmentation": encode_rle(mask),
    }


def coco_of_one(
    image: str, size: tuple[int, int], categories: Sequence[dict[str, Any]], annotations: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return a COCO data set of one image; the categories are given their numbers."""
    return {
        "images": [{"id": 1, "file_name": image, "height": size[0], "width": size[1]}],
        "categories": [{"id": i, **category} for i, category in enumerate(categories, start=1)],
        "annotations": annotations,
    }


def coco(masks: Iterable[np.ndarray], scores: Sequence[float], image: str, size: tuple[int, int]) -> dict[str, Any]:
    """Return a COCO data set of one image and one category, with run lengths, boxes, areas and scores."""
    annotations = [
        {**annotation(number, 1, mask), "score": float(score)}
        for number, (mask, score) in enumerate(zip(masks, scores, strict=True), start=1)
    ]
    return coco_of_one(image, size, [{"name": "mask"}], annotations)


def colour(index: int) -> tuple[int, int, int]:
    """Return the colour of mask `index`, RGB."""
    red, green, blue = colorsys.hsv_to_rgb((index * GOLDEN) % 1, 0.85, 1.0 if index % 2 else 0.85)
    return round(red * 255), round(green * 255), round(blue * 255)


def write_mask(path: Path, mask: np.ndarray) -> None:
    """Write bool (H, W) as a one-channel PNG, 255 inside and 0 outside."""
    _save(path, Image.fromarray(mask.astype(np.uint8) * np.uint8(255)))


def indexed(masks: Iterable[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Return uint8 (H, W): 0 where no mask is, i + 1 in mask i; where masks overlap the first counts."""
    index = np.zeros(size, np.uint8)
    for i, mask in enumerate(masks):
        if i == MOST_INDICES:
            break
        index[mask & (index == 0)] = i + 1
    return index


def write_palette(path: Path, masks: Iterable[np.ndarray], size: tuple[int, int]) -> None:
    """Write up to MOST_INDICES masks as one palette PNG; see `indexed`."""
    _save(path, palette_image(indexed(masks, size), [colour(i) for i in range(MOST_INDICES)]))


def palette_image(index: np.ndarray, colours: Sequence[tuple[int, int, int]]) -> Image.Image:
    """Return uint8 (H, W) as a palette image: 0 is black, i + 1 has colour i, RGB."""
    picture = Image.fromarray(index)
    picture.putpalette([0, 0, 0] + [value for shade in colours for value in shade])
    return picture


def write_overlay(path: Path, image: np.ndarray, masks: Iterable[np.ndarray]) -> None:
    """Write the image, uint8 (H, W, 3), with each mask as a coloured veil and contour."""
    picture = image.copy()
    for i, mask in enumerate(masks):
        shade = np.array(colour(i), np.float32)
        picture[mask] = (picture[mask] * (1 - VEIL) + shade * VEIL).astype(np.uint8)
        lines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, lines, -1, colour(i), LINE)
    _save(path, Image.fromarray(picture))


def write_geojson(path: Path, source: Path, masks: Iterable[np.ndarray], scores: Sequence[float]) -> None:
    """Write masks as polygons in longitude and latitude (RFC 7946), by the georeference of a GeoTIFF.

    Args:
        path: to write.
        source: the image that the masks are of.
        masks: bool (H, W) each.
        scores: of each.

    Raises:
        NotAvailable: rasterio is not installed.
        DataError: the image has no georeference.
    """
    try:
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning, RasterioError
        from rasterio.features import shapes
        from rasterio.warp import transform_geom
    except ImportError:
        raise NotAvailable("GeoJSON needs rasterio: install sightline[geo]") from None
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # said below, as an error
            with rasterio.open(source) as file:
                crs, transform = file.crs, file.transform
    except RasterioError as error:
        raise DataError(f"{source}: cannot be read as a GeoTIFF ({error})") from None
    if crs is None:
        raise DataError(f"{source}: has no georeference, which GeoJSON needs; leave geojson out of --format")
    features = []
    for i, (mask, score) in enumerate(zip(masks, scores, strict=True)):
        pieces = shapes(mask.astype(np.uint8), mask=mask, transform=transform)
        polygons = [transform_geom(crs, "EPSG:4326", piece)["coordinates"] for piece, _ in pieces]
        features.append(
            {
                "type": "Feature",
                "properties": {"mask": i, "score": float(score)},
                "geometry": {"type": "MultiPolygon", "coordinates": [_wound(polygon) for polygon in polygons]},
            }
        )
    write_json(path, {"type": "FeatureCollection", "features": features})


def _wound(polygon: Sequence[Sequence[Sequence[float]]]) -> list[list[list[float]]]:
    """Return rings as RFC 7946 wants them: the outer one anticlockwise, holes clockwise."""
    rings = []
    for i, ring in enumerate(polygon):
        points = [[float(x), float(y)] for x, y in ring]
        area = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(points))
        rings.append(points if (area > 0) == (i == 0) else points[::-1])
    return rings


def _save(path: Path, picture: Image.Image) -> None:
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG")
