"""Masks survive every way out; outlines enclose exactly their pixels."""

from __future__ import annotations

import io
import itertools
import json

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from PIL import Image

from sightline.data.masks.formats import decode_rle
from sightline.web import masks

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))
CLASSES = (("road", "#ff0080"), ("sea", "#0010ff"))


def filled(polygons: list[list[masks.Ring]], shape: tuple[int, int]) -> np.ndarray:
    """Test the centre of each pixel by the even-odd rule over all rings."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    odd = np.zeros(shape, bool)
    for ring in (ring for polygon in polygons for ring in polygon):
        for (x0, y0), (x1, y1) in itertools.pairwise(ring):
            if y0 != y1:  # a vertical edge: along pixel edges there is no other kind that counts
                odd ^= (x < x0) & (y > min(y0, y1)) & (y < max(y0, y1))
                assert x0 == x1
    return odd


@settings(max_examples=300)
@given(MASKS)
def test_outlines_enclose_exactly_the_pixels(mask: np.ndarray):
    found = masks.polygons(mask)
    assert len(found) == cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0] - 1
    assert (filled(found, mask.shape) == mask).all()
    for polygon in found:
        for ring in polygon:
            assert ring[0] == ring[-1]
            assert len(ring) >= 5
            turns = [
                (b[0] - a[0] == 0) != (c[0] - b[0] == 0) for a, b, c in zip(ring, ring[1:], ring[2:], strict=False)
            ]
            assert all(turns), "points only where it turns"


def test_a_hole_that_touches_the_outside_at_a_corner():
    mask = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], bool)
    (polygon,) = masks.polygons(mask)
    assert (filled([polygon], mask.shape) == mask).all()


def test_palette_png_has_indices_colours_and_names():
    first, second = np.zeros((4, 6), bool), np.zeros((4, 6), bool)
    first[:2] = second[1:3] = True
    content = masks.palette_png((4, 6), CLASSES, [masks.Kept(0, first), masks.Kept(1, second)])
    image = Image.open(io.BytesIO(content))
    assert image.mode == "P"
    assert np.asarray(image)[:, 0].tolist() == [1, 2, 2, 0]
    assert np.asarray(image.convert("RGB"))[:, 0].tolist() == [[255, 0, 128], [0, 16, 255], [0, 16, 255], [0, 0, 0]]
    assert json.loads(image.info["classes"]) == ["", "road", "sea"]


def test_coco_and_geojson_hold_the_same_objects():
    mask = np.zeros((5, 7), bool)
    mask[1:4, 2:6] = True
    mask[2, 3] = False
    kept = [masks.Kept(1, mask)]
    data = masks.coco("a.png", (5, 7), CLASSES, kept)
    (annotation,) = data["annotations"]
    assert (decode_rle(annotation["segmentation"]) == mask).all()
    assert annotation["bbox"] == [2, 1, 4, 3]
    assert annotation["area"] == 11
    assert data["categories"][annotation["category_id"] - 1]["name"] == "sea"
    (feature,) = masks.geojson("a.png", CLASSES, kept)["features"]
    assert feature["geometry"] == {
        "type": "Polygon",
        "coordinates": [[[2, 1], [6, 1], [6, 4], [2, 4], [2, 1]], feature["geometry"]["coordinates"][1]],
    }
    assert sorted(feature["geometry"]["coordinates"][1][:-1]) == [[3, 2], [3, 3], [4, 2], [4, 3]]
    assert feature["properties"]["class"] == "sea"


def test_geojson_of_two_parts_and_of_none():
    mask = np.eye(2, dtype=bool)
    two, none = masks.geojson("a", CLASSES, [masks.Kept(0, mask), masks.Kept(0, np.zeros((2, 2), bool))])["features"]
    assert two["geometry"]["type"] == "MultiPolygon"
    assert len(two["geometry"]["coordinates"]) == 2
    assert none["geometry"] == {"type": "MultiPolygon", "coordinates": []}
