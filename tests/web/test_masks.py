"""Masks survive every way out of the page."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import DataError
from sightline.run_lengths import decode_rle
from sightline.web import masks

CLASSES = (("road", "#ff0080"), ("sea", "#0010ff"))


def test_palette_png_has_indices_colors_and_names():
    first, second = np.zeros((4, 6), bool), np.zeros((4, 6), bool)
    first[:2] = second[1:3] = True
    content = masks.palette_png((4, 6), CLASSES, [masks.Kept(0, first), masks.Kept(1, second)])
    image = Image.open(io.BytesIO(content))
    assert image.mode == "P"
    assert np.asarray(image)[:, 0].tolist() == [1, 2, 2, 0]
    assert np.asarray(image.convert("RGB"))[:, 0].tolist() == [[255, 0, 128], [0, 16, 255], [0, 16, 255], [0, 0, 0]]
    assert json.loads(image.info["classes"]) == ["", "road", "sea"]


def test_coco_and_polygons_hold_the_same_objects():
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
    plain = masks.polygons("a.png", (5, 7), CLASSES, kept)
    assert (plain["image"], plain["height"], plain["width"]) == ("a.png", 5, 7)
    assert "type" not in plain, "pixels are no GeoJSON"
    (entry,) = plain["objects"]
    (polygon,) = entry["polygons"]
    assert polygon[0] == [[2, 1], [6, 1], [6, 4], [2, 4], [2, 1]]
    assert sorted(polygon[1][:-1]) == [[3, 2], [3, 3], [4, 2], [4, 3]]
    assert (entry["class"], entry["color"], entry["area_pixels"]) == ("sea", "#0010ff", 11)


def test_polygons_of_two_parts_and_of_none():
    mask = np.eye(2, dtype=bool)
    kept = [masks.Kept(0, mask), masks.Kept(0, np.zeros((2, 2), bool))]
    two, none = masks.polygons("a", (2, 2), CLASSES, kept)["objects"]
    assert len(two["polygons"]) == 2
    assert none["polygons"] == []


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's own use of affine
def test_geojson_is_in_longitude_and_latitude(tmp_path: Path):
    rasterio = pytest.importorskip("rasterio")
    from rasterio.transform import from_origin

    keys = {"driver": "GTiff", "height": 10, "width": 10, "count": 1, "dtype": "uint8", "crs": "EPSG:4326"}
    with rasterio.open(tmp_path / "a.tif", "w", transform=from_origin(15, 50, 0.5, 0.25), **keys) as file:
        file.write(np.zeros((1, 10, 10), np.uint8))
    mask = np.zeros((10, 10), bool)
    mask[2:4, 1:5] = True
    (feature,) = masks.geojson(tmp_path / "a.tif", CLASSES, [masks.Kept(1, mask)])["features"]
    assert feature["properties"] == {"class": "sea", "color": "#0010ff", "area_pixels": 8}
    corners = np.array(feature["geometry"]["coordinates"][0][0])
    assert corners.min(axis=0).tolist() == [15.5, 49.0]
    assert corners.max(axis=0).tolist() == [17.5, 49.5]


def test_geojson_of_a_picture_without_georeference_is_refused(tmp_path: Path):
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png: has no georeference, and GeoJSON is in longitude and latitude"):
        masks.geojson(tmp_path / "a.png", CLASSES, [])
