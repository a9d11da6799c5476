"""Masks to files: pictures read back, polygons in longitude and latitude."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from sightline.data import masks_out
from sightline.errors import DataError


def two():
    masks = np.zeros((2, 20, 30), bool)
    masks[0, 2:8, 3:12] = True
    masks[1, 5:15, 10:25] = True
    return masks


def test_coco_holds_boxes_and_areas():
    found = masks_out.coco(two(), [0.9, 0.5], "a.jpg", (20, 30))
    first = found["annotations"][0]
    assert first["bbox"] == [3, 2, 9, 6]
    assert first["area"] == 54
    assert found["images"][0] == {"id": 1, "file_name": "a.jpg", "height": 20, "width": 30}
    json.dumps(found)


def test_pictures_read_back(tmp_path):
    masks = two()
    masks_out.write_mask(tmp_path / "m.png", masks[0])
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "m.png")) == 255, masks[0])
    masks_out.write_palette(tmp_path / "p.png", masks, (20, 30))
    picture = Image.open(tmp_path / "p.png")
    assert picture.mode == "P"
    index = np.asarray(picture)
    np.testing.assert_array_equal(index == 1, masks[0])  # where they overlap the first counts
    np.testing.assert_array_equal(index == 2, masks[1] & ~masks[0])
    assert tuple(np.asarray(picture.convert("RGB"))[3, 4]) == masks_out.colour(0)
    image = np.full((20, 30, 3), 100, np.uint8)
    masks_out.write_overlay(tmp_path / "o.png", image, masks[:1])
    shown = np.asarray(Image.open(tmp_path / "o.png"))
    assert (shown[16:, 26:] == 100).all()
    assert (shown[masks[0]] != 100).any(axis=1).all()
    assert (image == 100).all()


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
    masks_out.write_geojson(tmp_path / "a.geojson", tmp_path / "a.tif", masks, [0.9, 0.5])
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert [feature["properties"]["score"] for feature in features] == [0.9, 0.5]
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
        masks_out.write_geojson(tmp_path / "a.geojson", tmp_path / "a.png", two(), [1, 1])
    (tmp_path / "b.tif").write_text("no")
    with pytest.raises(DataError, match="GeoTIFF"):
        masks_out.write_geojson(tmp_path / "a.geojson", tmp_path / "b.tif", two(), [1, 1])
