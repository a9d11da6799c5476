"""Masks as polygons: outlines that enclose exactly their pixels, and where they lie on the globe."""

from __future__ import annotations

import itertools
import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from PIL import Image

from sightline.data.masks import outlines
from sightline.errors import DataError

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))


def filled(polygons: list[list[outlines.Ring]], shape: tuple[int, int]) -> np.ndarray:
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
    found = outlines.polygons(mask)
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
    (polygon,) = outlines.polygons(mask)
    assert (filled([polygon], mask.shape) == mask).all()


def two():
    masks = np.zeros((2, 20, 30), bool)
    masks[0, 2:8, 3:12] = True
    masks[1, 5:15, 10:25] = True
    return masks


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's own use of affine
@pytest.mark.parametrize(("crs", "step"), [("EPSG:4326", 0.01), ("EPSG:32633", 10.0)])
def test_geojson_lies_where_the_tiff_says(tmp_path, crs, step):
    rasterio = pytest.importorskip("rasterio")
    from rasterio.features import rasterize
    from rasterio.transform import from_origin
    from rasterio.warp import transform_geom

    origin = (15.0, 50.0) if crs == "EPSG:4326" else (500000.0, 5538630.0)
    transform = from_origin(*origin, step, step)
    keys = {"driver": "GTiff", "height": 20, "width": 30, "count": 3, "dtype": "uint8"}
    with rasterio.open(tmp_path / "a.tif", "w", crs=crs, transform=transform, **keys) as file:
        file.write(np.zeros((3, 20, 30), np.uint8))
    masks = two()
    masks[0, 4, 6] = False  # a hole
    objects = [(masks[0], {"score": 0.9}), (masks[1], {"score": 0.5})]
    features = json.loads(json.dumps(outlines.geojson(tmp_path / "a.tif", objects)))["features"]
    assert [feature["properties"] for feature in features] == [{"score": 0.9}, {"score": 0.5}]
    for feature, mask in zip(features, masks, strict=True):
        back = transform_geom("EPSG:4326", crs, feature["geometry"])
        np.testing.assert_array_equal(rasterize([back], mask.shape, transform=transform) == 1, mask)
    rings = features[0]["geometry"]["coordinates"][0]
    assert len(rings) == 2
    assert 14.9 < rings[0][0][0] < 15.4


def test_geojson_without_a_georeference_says_so(tmp_path):
    pytest.importorskip("rasterio")
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="no georeference"):
        outlines.geojson(tmp_path / "a.png", [])
    (tmp_path / "b.tif").write_text("no")
    with pytest.raises(DataError, match="GeoTIFF"):
        outlines.geojson(tmp_path / "b.tif", [])


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's own use of affine
def test_geojson_of_an_image_that_is_shown_turned(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    from rasterio.transform import from_origin

    keys = {"driver": "GTiff", "height": 30, "width": 20, "count": 1, "dtype": "uint8", "crs": "EPSG:4326"}
    with rasterio.open(tmp_path / "a.tif", "w", transform=from_origin(15, 50, 0.01, 0.01), **keys) as file:
        file.write(np.zeros((1, 30, 20), np.uint8))
    with pytest.raises(DataError, match="stored as 30 × 20"):
        outlines.geojson(tmp_path / "a.tif", [(two()[0], {})])
