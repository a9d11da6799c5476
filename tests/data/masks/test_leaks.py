"""Copies, neighbours and scenes among tiles that were cut from known scenes; splits without leaks."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from sightline.cli.main import run as command_line
from sightline.config import SegmentDataConfig
from sightline.data import DEEPGLOBE, check_masks, load_masks, write_leak_free_split
from sightline.data.masks.leaks import find_leaks
from sightline.data.masks.scene_split import split_by_scenes
from sightline.errors import DataError

SIDE, ACROSS, SCENES = 64, 3, 6


def draw(seed: int) -> np.ndarray:
    """Return a scene of ACROSS × ACROSS tiles, smooth but for a little grain."""
    rng = np.random.default_rng(seed)
    size = SIDE * ACROSS
    coarse = cv2.resize(rng.normal(120, 45, (5, 5, 3)), (size, size), interpolation=cv2.INTER_CUBIC)
    fine = cv2.resize(rng.normal(0, 25, (40, 40, 3)), (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(coarse + fine + rng.normal(0, 2, (size, size, 3)), 0, 255).astype(np.uint8)


def as_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def cut() -> tuple[list[np.ndarray], set[tuple[int, int]]]:
    """Return JPEG tiles of all scenes in one shuffled order, and which are neighbours."""
    order = np.random.default_rng(9).permutation(SCENES * ACROSS * ACROSS)
    tiles: list[np.ndarray] = [np.empty(0)] * len(order)
    place = {}
    for scene in range(SCENES):
        pixels = draw(scene)
        for y in range(ACROSS):
            for x in range(ACROSS):
                at = int(order[(scene * ACROSS + y) * ACROSS + x])
                place[scene, y, x] = at
                tiles[at] = as_jpeg(pixels[y * SIDE : (y + 1) * SIDE, x * SIDE : (x + 1) * SIDE], 85)
    true = set()
    for (scene, y, x), at in place.items():
        for other in ((scene, y + 1, x), (scene, y, x + 1)):
            if other in place:
                true.add((min(at, place[other]), max(at, place[other])))
    return tiles, true


@pytest.fixture(scope="module")
def tiles():
    return cut()


def test_the_neighbors_of_tiles_cut_from_scenes_are_found_and_no_others(tiles):
    pictures, true = tiles
    found = find_leaks(pictures.__getitem__, len(pictures))
    assert {(int(a), int(b)) for a, b in found.neighbors} == true
    assert found.by_chance == 0
    assert len(found.exact) == len(found.near) == 0
    assert np.bincount(found.scenes).tolist() == [ACROSS * ACROSS] * SCENES


def test_tiles_that_were_never_side_by_side_are_no_neighbors(tiles):
    pictures, _ = tiles
    one_of_each = [pictures[i] for i in _first_of_each_scene(tiles)]
    found = find_leaks(one_of_each.__getitem__, len(one_of_each))
    assert len(found.exact) == len(found.near) == len(found.neighbors) == 0
    assert found.scenes.tolist() == list(range(SCENES))


def test_edges_of_one_color_are_no_evidence():
    rng = np.random.default_rng(0)
    pictures = [np.full((SIDE, SIDE, 3), 90 + 3 * i) + rng.integers(-2, 3, (SIDE, SIDE, 3)) for i in range(12)]
    pictures = [picture.astype(np.uint8) for picture in pictures]
    found = find_leaks(pictures.__getitem__, len(pictures))
    assert len(found.exact) == len(found.near) == len(found.neighbors) == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda pixels: as_jpeg(pixels, 60),
        lambda pixels: as_jpeg(np.rot90(pixels), 90),
        lambda pixels: pixels[:, ::-1],
        lambda pixels: cv2.resize(pixels, (40, 40), interpolation=cv2.INTER_AREA),
        lambda pixels: np.clip(pixels * 0.8 + 30, 0, 255).astype(np.uint8),
    ],
    ids=["JPEG of quality 60", "turned", "flipped", "smaller", "lighter"],
)
def test_a_changed_copy_is_near_and_an_unchanged_one_exact(tiles, change):
    pictures, true = tiles
    more = [*pictures, pictures[5].copy(), np.ascontiguousarray(change(pictures[11]))]
    found = find_leaks(more.__getitem__, len(more))
    assert found.exact.tolist() == [[5, len(pictures)]]
    assert found.near.tolist() == [[11, len(pictures) + 1]]
    assert {(int(a), int(b)) for a, b in found.neighbors} == true  # a copy does not hide its original's neighbours
    assert found.scenes[5] == found.scenes[len(pictures)]


def test_a_split_by_scenes_parts_no_scene_and_keeps_to_the_shares():
    rng = np.random.default_rng(3)
    scenes = np.repeat(np.arange(60), rng.integers(1, 12, 60))
    counts = rng.integers(0, 1000, (len(scenes), 4))
    parts = split_by_scenes(scenes, counts, val=0.2, test=0.1)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(scenes)))
    held = [set(scenes[part].tolist()) for part in parts.values()]
    assert not held[0] & held[1]
    assert not held[0] & held[2]
    assert not held[1] & held[2]
    assert len(parts["val"]) / len(scenes) == pytest.approx(0.2, abs=0.02)
    assert len(parts["test"]) / len(scenes) == pytest.approx(0.1, abs=0.02)
    again = split_by_scenes(scenes, counts, val=0.2, test=0.1)
    assert all((again[name] == part).all() for name, part in parts.items())
    other = split_by_scenes(scenes, counts, val=0.2, test=0.1, seed=1)
    assert any(not np.array_equal(other[name], part) for name, part in parts.items())


def test_a_split_by_scenes_prefers_parts_that_have_every_class():
    scenes = np.arange(40)
    counts = np.zeros((40, 2), np.int64)
    counts[:, 0] = 100
    counts[:4, 1] = 100  # one scene in ten holds the second class
    parts = split_by_scenes(scenes, counts)
    assert all(counts[part, 1].sum() > 0 for part in parts.values())


def test_three_scenes_make_three_parts_and_two_do_not():
    scenes = np.array([0, 0, 0, 0, 1, 1, 2])
    parts = split_by_scenes(scenes, np.ones((7, 1), np.int64))
    assert sorted(len(part) for part in parts.values()) == [1, 2, 4]
    with pytest.raises(DataError, match="2 scenes: a split by whole scenes needs at least three"):
        split_by_scenes(np.array([0, 1, 1]), np.ones((3, 1), np.int64))
    with pytest.raises(DataError, match=r"val = 0\.6, test = 0\.6"):
        split_by_scenes(scenes, np.ones((7, 1), np.int64), val=0.6, test=0.6)


@pytest.fixture
def source(tiles, tmp_path: Path) -> Path:
    """Tiles of six scenes dealt to train and validation without a look at scenes, as DeepGlobe pairs."""
    for i, pixels in enumerate(tiles[0]):
        folder = tmp_path / "set" / ("validation" if i % 4 == 0 else "train")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{i:03d}_sat.png")
        classes = np.full(pixels.shape[:2], i % 3, np.uint8)
        Image.fromarray(DEEPGLOBE.decode(classes)).save(folder / f"{i:03d}_mask.png")
    return tmp_path / "set"


def test_the_check_tells_of_leaks_and_its_split_has_none(source: Path, tmp_path: Path):
    before = {row["what"]: row for row in check_masks(SegmentDataConfig(source=str(source))).rows()}
    assert before["scenes"]["value"] == SCENES
    assert before["test tiles with a neighbour in train"]["share"] > 0.9
    assert sum(before[f"{part}: pixels of urban"]["value"] for part in ("train", "val", "test")) == 18 * SIDE * SIDE
    path = tmp_path / "split.json"
    found = check_masks(SegmentDataConfig(source=str(source)))
    written = {row["what"]: row["value"] for row in write_leak_free_split(found, path, val=0.17, test=0.17)}
    assert [written[f"split.json: {part} tiles"] for part in ("train", "val", "test")] == [36, 9, 9]
    assert [written[f"split.json: {part} scenes"] for part in ("train", "val", "test")] == [4, 1, 1]
    config = SegmentDataConfig(source=str(source), split_file=str(path))
    after = {row["what"]: row["value"] for row in check_masks(config).rows()}
    leaking = {what: value for what, value in after.items() if " tiles " in what and " in " in what}
    assert len(leaking) == 9
    assert set(leaking.values()) == {0}
    images = load_masks(config)
    assert images.scenes is not None
    assert len(set(images.scenes)) == SCENES
    assert len({images.scenes[i] for i in images.parts["test"]}) == 1
    assert str(tmp_path) not in path.read_text()


def test_the_command_line_writes_the_split(source: Path, tmp_path: Path, capsys):
    path = tmp_path / "split.json"
    asked = ["--write-split", str(path), "--val", "0.17", "--test", "0.17", "--json"]
    assert command_line(["data", "check", str(source), *asked]) == 0
    rows = {row["what"]: row["value"] for row in json.loads(capsys.readouterr().out)}
    assert rows["pairs of neighbours"] == SCENES * 12
    assert {len(json.loads(path.read_text())[part]) for part in ("train", "val", "test")} == {36, 9}
    assert command_line(["data", "check", str(source / "nowhere"), *asked]) == 2


def test_a_split_file_with_an_unknown_key_is_refused(source: Path, tmp_path: Path):
    (tmp_path / "split.json").write_text('{"train": [], "vali": []}')
    with pytest.raises(DataError, match=r"'vali' is none of train, val, test, scenes\. Did you mean 'val'"):
        load_masks(SegmentDataConfig(source=str(source), split_file=str(tmp_path / "split.json")))


def _first_of_each_scene(tiles) -> list[int]:
    pictures, _ = tiles
    scenes = find_leaks(pictures.__getitem__, len(pictures)).scenes
    return np.unique(scenes, return_index=True)[1].tolist()
