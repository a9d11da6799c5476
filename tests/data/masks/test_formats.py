"""Masks to files: pictures read back, polygons in longitude and latitude."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from sightline.data.masks import formats


def two():
    masks = np.zeros((2, 20, 30), bool)
    masks[0, 2:8, 3:12] = True
    masks[1, 5:15, 10:25] = True
    return masks


def test_coco_holds_boxes_and_areas():
    objects = [(two()[0], {"score": 0.9}), (two()[1], {"score": 0.5, "category_id": 2})]
    found = formats.coco("a.jpg", (20, 30), [{"name": "a"}, {"name": "b"}], objects)
    assert [category["id"] for category in found["categories"]] == [1, 2]
    assert [annotation["category_id"] for annotation in found["annotations"]] == [1, 2]
    first = found["annotations"][0]
    assert first["score"] == 0.9
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
    assert tuple(np.asarray(picture.convert("RGB"))[3, 4]) == formats.color(0)
    image = np.full((20, 30, 3), 100, np.uint8)
    formats.write_overlay(tmp_path / "o.png", image, masks[:1])
    shown = np.asarray(Image.open(tmp_path / "o.png"))
    assert (shown[16:, 26:] == 100).all()
    assert (shown[masks[0]] != 100).any(axis=1).all()
    assert (image == 100).all()
