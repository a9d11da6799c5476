"""Palettes, pairs, parts, decoded masks and tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.config import IGNORE_INDEX, SegmentDataConfig
from sightline.data import DEEPGLOBE, list_pairs, load_masks, split_pairs
from sightline.data.masks.meaning import find_palette
from sightline.data.masks.palette import Palette
from sightline.data.masks.tiles import blend, plan, window
from sightline.errors import DataError


def scene(index: int, side: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(index)
    classes = rng.integers(0, 6, (4, 4)).repeat(side // 4, 0).repeat(side // 4, 1).astype(np.uint8)
    return rng.integers(0, 256, (side, side, 3), dtype=np.uint8), classes


def write_pairs(folder: Path, parts: dict[str, int]) -> Path:
    for part, count in parts.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            image, classes = scene(index + 100 * len(part))
            Image.fromarray(image).save(folder / part / f"{index:02d}_sat.jpg")
            Image.fromarray(DEEPGLOBE.decode(classes)).save(folder / part / f"{index:02d}_mask.png")
    return folder


def test_a_palette_reads_what_it_wrote():
    classes = np.array([[0, 1, 2], [3, 4, 5], [IGNORE_INDEX, 0, 5]], np.uint8)
    indices, off = DEEPGLOBE.encode(DEEPGLOBE.decode(classes))
    assert (indices == classes).all()
    assert off == 0
    assert Palette.from_dict(DEEPGLOBE.to_dict()) == DEEPGLOBE


def test_a_mask_with_fringes_is_read_by_the_threshold_of_128():
    fringed = np.array([[[127, 200, 130], [129, 3, 250]]], np.uint8)
    assert DEEPGLOBE.encode(fringed)[0].tolist() == [[0, 2]]  # urban 0,255,255 and rangeland 255,0,255
    assert DEEPGLOBE.encode(np.array([[[200, 0, 0]]], np.uint8)) == (np.array([[IGNORE_INDEX]]), 1)  # red is no class


def test_palettes_are_found_out(tmp_path: Path):
    indexed = Image.fromarray(np.array([[0, 1], [2, 255]], np.uint8))
    indexed.save(tmp_path / "index.png")
    found = find_palette([tmp_path / "index.png"])
    assert found.indexed
    assert len(found.classes) == 3
    Image.fromarray(np.array([[[10, 20, 30], [200, 100, 0]]], np.uint8)).save(tmp_path / "colours.png")
    assert find_palette([tmp_path / "colours.png"]).classes == ("#0a141e", "#c86400")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(tmp_path / "photo.png")
    with pytest.raises(DataError, match="saved with"):
        find_palette([tmp_path / "photo.png"])


def test_the_given_validation_folder_is_the_test_part(tmp_path: Path):
    source = write_pairs(tmp_path / "set", {"train": 10, "validation": 4})
    config = SegmentDataConfig(source=str(source), val=0.2)
    found = list_pairs(config)
    parts = split_pairs(found, config)
    assert {name: len(part) for name, part in parts.items()} == {"train": 8, "val": 2, "test": 4}
    assert all(found.ids[i].startswith("validation/") for i in parts["test"])
    assert found.palette == DEEPGLOBE


def test_folders_of_images_and_masks(tmp_path: Path):
    for part in ("train", "val", "test"):
        for kind in ("images", "masks"):
            (tmp_path / kind / part).mkdir(parents=True)
        for index in range(2):
            image, classes = scene(index)
            Image.fromarray(image).save(tmp_path / "images" / part / f"{index}.jpg")
            Image.fromarray(classes).save(tmp_path / "masks" / part / f"{index}.png")
    images = load_masks(SegmentDataConfig(source=str(tmp_path)))
    assert {name: len(part) for name, part in images.parts.items()} == {"train": 2, "val": 2, "test": 2}
    assert (images.mask(0) == scene(0)[1]).all()


def test_missing_partners_are_named(tmp_path: Path):
    source = write_pairs(tmp_path / "set", {"train": 3})
    (source / "train" / "01_mask.png").unlink()
    with pytest.raises(DataError, match=r"no mask for train/01_sat\.jpg"):
        list_pairs(SegmentDataConfig(source=str(source)))


def test_a_mask_of_another_size_is_refused_by_name(tmp_path: Path):
    source = write_pairs(tmp_path / "set", {"train": 6})
    Image.new("RGB", (7, 5)).save(source / "train" / "02_mask.png")
    with pytest.raises(DataError, match=r"train/02_sat\.jpg: the image has 40×40 pixels and its mask 7×5"):
        load_masks(SegmentDataConfig(source=str(source)))
    left = load_masks(SegmentDataConfig(source=str(source), max_bad_fraction=0.5))
    assert len(left.ids) == 5
    assert all((left.mask(i) < 6).all() for i in range(5))


def test_off_palette_pixels_are_counted_and_ignored(tmp_path: Path):
    source = write_pairs(tmp_path / "set", {"train": 6})
    mask = np.asarray(Image.open(source / "train" / "00_mask.png")).copy()
    mask[:2, :3] = (255, 0, 0)
    Image.fromarray(mask).save(source / "train" / "00_mask.png")
    said: list[str] = []
    images = load_masks(SegmentDataConfig(source=str(source), palette="deepglobe"), progress=said.append)
    assert images.off_palette == {"train/00_sat.jpg": 6}
    assert (images.mask(0)[:2, :3] == IGNORE_INDEX).all()
    assert any("6 pixels in 1 masks" in line for line in said)


def test_a_split_file_stands_above_folders(tmp_path: Path):
    source = write_pairs(tmp_path / "set", {"train": 4})
    (tmp_path / "split.json").write_text(
        '{"train": ["train/00_sat.jpg"], "val": ["train/01_sat.jpg"], "test": ["train/02_sat.jpg"]}'
    )
    config = SegmentDataConfig(source=str(source), split_file=str(tmp_path / "split.json"))
    parts = split_pairs(list_pairs(config), config)
    assert {name: part.tolist() for name, part in parts.items()} == {"train": [0], "val": [1], "test": [2]}


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    tile=st.integers(8, 40),
    overlap=st.sampled_from([0.0, 0.25, 0.6]),
)
def test_tiles_of_any_image_blend_to_what_the_whole_gives(height: int, width: int, tile: int, overlap: float):
    image = np.random.default_rng(height * 100 + width).random((2, height, width), dtype=np.float32)
    windows = plan(height, width, tile, overlap)
    assert len({(bottom - top, right - left) for top, left, bottom, right in windows}) == 1

    def cut(chosen):
        return np.stack([image[:, top:bottom, left:right] for top, left, bottom, right in chosen])

    bands = list(blend(windows, width, 2, cut))
    assert [top for top, _ in bands] == sorted({w[0] for w in windows})
    np.testing.assert_allclose(np.concatenate([band for _, band in bands], axis=1), image, rtol=1e-4, atol=1e-6)


def test_a_tile_weighs_next_to_nothing_at_its_border():
    weights = window(64)
    assert weights[0] < 0.01
    assert weights[32] > 0.99
