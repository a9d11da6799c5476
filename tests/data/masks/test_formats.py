"""Masks to files: run lengths against a plain decoder, pictures read back, polygons in longitude and latitude."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from sightline.data.masks import formats
from sightline.errors import DataError

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))


def plain_decode(rle):
    """cocoapi's rleFrString and rleDecode, letter by letter and pixel by pixel."""
    text, place, runs = rle["counts"], 0, []
    while place < len(text):
        value, k, more = 0, 0, True
        while more:
            c = ord(text[place]) - 48
            value |= (c & 0x1F) << (5 * k)
            more = bool(c & 0x20)
            place += 1
            k += 1
            if not more and c & 0x10:
                value |= -1 << (5 * k)
        if len(runs) > 2:
            value += runs[-2]
        runs.append(value)
    pixels = [i % 2 for i, run in enumerate(runs) for _ in range(run)]
    height, width = rle["size"]
    return np.array(pixels, bool).reshape(width, height).T


@given(MASKS)
def test_run_lengths_go_and_come(mask: np.ndarray):
    counts = formats.run_lengths(mask)
    assert (formats.from_run_lengths(counts, *mask.shape) == mask).all()
    assert all(count > 0 for count in counts[1:])


def test_run_lengths_are_by_column_and_begin_with_zeros():
    assert formats.run_lengths(np.array([[0, 1], [1, 1]], bool)) == [1, 3]
    assert formats.run_lengths(np.array([[1, 0], [0, 0]], bool)) == [0, 1, 3]
    assert formats.run_lengths(np.zeros((2, 3), bool)) == [6]


@pytest.mark.parametrize("counts", [[5], [7], [-1, 7], [], [2**40, 3], [2**64, 6], [2**63 - 1, 2**63 - 1, 8]])
def test_run_lengths_that_do_not_fit(counts: list[int]):
    with pytest.raises(DataError, match="run lengths"):
        formats.from_run_lengths(counts, 2, 3)


@given(MASKS)
def test_box(mask: np.ndarray):
    x, y, width, height = formats.box_of(mask)
    assert mask[y : y + height, x : x + width].sum() == mask.sum()
    if mask.any():
        assert mask[:, x].any() and mask[y].any()  # noqa: PT018
        assert mask[:, x + width - 1].any() and mask[y + height - 1].any()  # noqa: PT018


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10**6), st.floats(0, 1))
def test_run_lengths_come_back(height, width, seed, share):
    mask = np.random.default_rng(seed).random((height, width)) < share
    rle = formats.encode_rle(mask)
    np.testing.assert_array_equal(plain_decode(rle), mask)
    np.testing.assert_array_equal(formats.decode_rle(rle), mask)


def test_run_lengths_of_large_masks_and_known_strings():
    mask = np.zeros((3000, 2000), bool)
    mask[5:2900, 100:1700] = True
    np.testing.assert_array_equal(formats.decode_rle(formats.encode_rle(mask)), mask)
    # By hand from maskApi.c: runs 0,4 and 4.
    assert formats.encode_rle(np.ones((2, 2), bool)) == {"size": [2, 2], "counts": "04"}
    assert formats.encode_rle(np.zeros((2, 2), bool)) == {"size": [2, 2], "counts": "4"}
    with pytest.raises(DataError, match="do not fill"):
        formats.decode_rle({"size": [3, 3], "counts": "4"})


def test_run_lengths_are_those_of_pycocotools():
    reference = pytest.importorskip("pycocotools.mask")
    mask = np.random.default_rng(0).random((57, 83)) < 0.4
    assert (
        reference.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
        == formats.encode_rle(mask)["counts"]
    )


def two():
    masks = np.zeros((2, 20, 30), bool)
    masks[0, 2:8, 3:12] = True
    masks[1, 5:15, 10:25] = True
    return masks


def test_coco_holds_boxes_and_areas():
    found = formats.coco(two(), [0.9, 0.5], "a.jpg", (20, 30))
    first = found["annotations"][0]
    assert first["bbox"] == [3, 2, 9, 6]
    assert first["area"] == 54
    assert found["images"][0] == {"id": 1, "file_name": "a.jpg", "height": 20, "width": 30}
    json.dumps(found)


def test_pictures_read_back(tmp_path):
    masks = two()
    formats.write_mask(tmp_path / "m.png", masks[0])
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "m.png")) == 255, masks[0])
    formats.write_palette(tmp_path / "p.png", masks, (20, 30))
    picture = Image.open(tmp_path / "p.png")
    assert picture.mode == "P"
    index = np.asarray(picture)
    np.testing.assert_array_equal(index == 1, masks[0])  # where they overlap the first counts
    np.testing.assert_array_equal(index == 2, masks[1] & ~masks[0])
    assert tuple(np.asarray(picture.convert("RGB"))[3, 4]) == formats.colour(0)
    image = np.full((20, 30, 3), 100, np.uint8)
    formats.write_overlay(tmp_path / "o.png", image, masks[:1])
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
    formats.write_geojson(tmp_path / "a.geojson", tmp_path / "a.tif", masks, [0.9, 0.5])
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
        formats.write_geojson(tmp_path / "a.geojson", tmp_path / "a.png", two(), [1, 1])
    (tmp_path / "b.tif").write_text("no")
    with pytest.raises(DataError, match="GeoTIFF"):
        formats.write_geojson(tmp_path / "a.geojson", tmp_path / "b.tif", two(), [1, 1])
