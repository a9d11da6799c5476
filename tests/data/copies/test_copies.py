"""Planted copies are found, others are not; what `data check` says of them."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from conftest import write_tiles
from sightline.cli.main import run as command_line
from sightline.config import DataConfig, SegmentDataConfig
from sightline.data import check_images, check_masks
from sightline.data.copies import FLIPS, TURNS, find_copies, fingerprints
from sightline.data.copies.fingerprint import WINDOWS, coefficients, hashes
from sightline.data.copies.hamming import near_pairs
from sightline.tasks import likeness

SIDE = 96


def photo(seed: int) -> np.ndarray:
    """Return a picture with few large and some small things on it, as photographs have."""
    rng = np.random.default_rng([3, seed])
    pixels = np.zeros((SIDE, SIDE, 3))
    for cells, strength in ((4, 50), (9, 30), (24, 20)):
        pixels += cv2.resize(rng.normal(0, strength, (cells, cells, 3)), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.clip(pixels + rng.uniform(70, 180, 3), 0, 255).astype(np.uint8)


def as_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def crop(pixels: np.ndarray, seed: int) -> np.ndarray:
    side = round(0.9 * SIDE)
    top, left = np.random.default_rng(seed).integers(0, SIDE - side + 1, 2)
    return pixels[top : top + side, left : left + side]


CHANGES = {
    "identical": lambda pixels, _: pixels.copy(),
    "crop": crop,
    "JPEG": lambda pixels, _: as_jpeg(pixels, 30),
    "smaller": lambda pixels, _: cv2.resize(pixels, (50, 50), interpolation=cv2.INTER_AREA),
    "mirrored": lambda pixels, _: pixels[:, ::-1],
    "all of these": lambda pixels, seed: as_jpeg(crop(pixels[:, ::-1], seed), 30),
    "lighter": lambda pixels, _: np.clip(pixels * 0.8 + 30, 0, 255).astype(np.uint8),
}


def found_in(pictures: list[np.ndarray], ways=FLIPS):
    return find_copies(fingerprints(pictures.__getitem__, len(pictures)), ways)


def test_every_planted_copy_is_found_and_no_other():
    originals = [photo(i) for i in range(60)]
    planted = [change(originals[i], i) for change in CHANGES.values() for i in range(8)]
    found = found_in(originals + planted)
    truth = np.concatenate([np.arange(60), np.tile(np.arange(8), len(CHANGES))])
    assert found.groups.tolist() == truth.tolist()
    assert found.exact.tolist() == [[i, 60 + i] for i in range(8)]
    assert len(found.near) >= 8 * (len(CHANGES) - 1)
    assert found.with_partner(np.arange(50, 60), np.arange(50)).tolist() == []
    assert found.with_partner(np.arange(4, 12), np.arange(60, 80)).tolist() == [4, 5, 6, 7]


def test_turned_tiles_are_copies_where_turns_are_asked_for():
    originals = [photo(i) for i in range(12)]
    turned = [np.rot90(originals[i], 1 + i % 3)[:: 1 if i % 2 else -1] for i in range(12)]
    assert len(found_in(originals + turned, TURNS).near) == 12
    assert len(found_in([*originals, np.rot90(originals[0])]).near) == 0


def test_hashes_of_a_picture_laid_in_another_way_need_no_picture():
    thumbs = fingerprints(photo, 5).thumbs
    for laid in itertools.product((False, True), repeat=3):
        turned, upside_down, mirrored = laid
        other = thumbs.transpose(0, 2, 1) if turned else thumbs
        other = np.ascontiguousarray(other[:, :: -1 if upside_down else 1, :: -1 if mirrored else 1])
        direct = hashes(coefficients(other, WINDOWS[0]), False, False, False)
        assert hashes(coefficients(thumbs, WINDOWS[0]), *laid).tolist() == direct.tolist()


def test_near_hashes_are_those_that_counting_bits_finds():
    rng = np.random.default_rng(0)
    bank = rng.integers(0, 1 << 63, 1500, dtype=np.uint64)
    queries = bank.copy()
    queries[:40] = bank[100:140] ^ np.uint64(0b1011)
    distance = np.bitwise_count(queries[:, None] ^ bank)
    np.fill_diagonal(distance, 64)
    found = near_pairs(queries, bank, 0, len(queries), np.uint64(14), 100)
    assert len(found) >= 40
    assert found.tolist() == np.argwhere(distance <= 14).tolist()
    assert len(near_pairs(np.zeros(50, np.uint64), np.zeros(50, np.uint64), 0, 50, np.uint64(0), 8)) == 400


def test_a_film_is_one_group_and_blank_pages_are_another():
    rng = np.random.default_rng(0)
    film = [np.clip(photo(0) + rng.normal(0, 3, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8) for _ in range(60)]
    blank = [np.full((SIDE, SIDE, 3), 255, np.uint8) for _ in range(5)] + [np.full((SIDE, SIDE, 3), 40, np.uint8)]
    found = found_in([*film, *blank])
    assert found.groups.tolist() == [0] * 60 + [1] * 5 + [2]
    assert found.exact.tolist() == [[60, i] for i in range(61, 65)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Labelled pictures in parts, with copies in other files, sizes and classes."""
    base = tmp_path_factory.mktemp("copies")
    for i in range(24):
        part = ("train", "train", "val", "test")[i % 4]
        path = base / "set" / part / ("cat" if i % 8 < 4 else "dog") / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo(i)).save(path)
    Image.fromarray(photo(0)).save(base / "set/test/cat/again.tiff")  # a cat of train, the same pixels
    Image.fromarray(crop(photo(1), 1)).save(base / "set/train/dog/part.jpg", quality=60)  # a cat of train, called dog
    (base / "loose").mkdir()
    Image.fromarray(photo(3)[:, ::-1]).save(base / "loose/a.jpg", quality=30)  # mirrored, of test
    Image.fromarray(photo(99)).save(base / "loose/b.png")
    return base


def test_the_check_tells_of_copies_between_parts_and_of_different_labels(folder: Path, capsys):
    source = str(folder / "set")
    assert command_line(["data", "check", source, "--unlabelled", str(folder / "loose"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    by = {row["what"]: row for row in rows}
    assert by["pairs of identical"]["value"] == 1
    assert by["identical"]["value"] == "test/cat/again.tiff = train/cat/00.png"
    assert by["pairs of near copies"]["value"] == 2
    assert by["test images with a copy in train"]["value"] == 1
    assert by["test images with a copy in train"]["share"] == pytest.approx(1 / 7)
    assert by["val images with a copy in train"]["value"] == 0
    assert by["test images with a copy in the unlabelled images"]["value"] == 1
    assert by["train images with a copy in the unlabelled images"]["value"] == 0
    assert by["pairs of copies with different labels"]["value"] == 1
    assert by["different labels"]["value"] == "train/cat/01.png (cat) = train/dog/part.jpg (dog)"
    assert (by["mode RGB"]["value"], by["different sizes"]["value"]) == (26, 2)
    assert by["largest size"]["value"] == "96 × 96"


def test_the_check_of_unlabelled_images_has_copies_too(folder: Path):
    (folder / "loose/c.png").write_bytes((folder / "loose/b.png").read_bytes())
    found = check_images(DataConfig(source=str(folder / "loose")))
    assert [found.ids[i] for pair in found.copies.exact for i in pair] == ["b.png", "c.png"]
    (folder / "loose/c.png").unlink()


def test_features_that_are_not_there_are_refused_whatever_there_is_to_confirm(folder: Path, capsys):
    assert command_line(["data", "check", str(folder / "loose"), "--features", "runs/x"]) == 2
    assert "runs/x" in capsys.readouterr().err


class LastOneOut:
    """A network that sees what a changed copy shows, and takes the last of the others for another one."""

    size = 32

    def __init__(self, *_: object) -> None:
        pass

    def features(self, wanted: list[tuple[int, object]], picture: Callable[[int, int], np.ndarray]) -> np.ndarray:
        rows = np.tile([1.0, 0.0], (len(wanted), 1))
        assert all(picture(i, self.size).ndim == 3 for i, _ in wanted)
        for index, change in wanted[:1]:
            assert not callable(change) or change(picture(index, self.size)).ndim == 3
        if not any(change for _, change in wanted):
            rows[-1] = [0.0, 1.0]
        return rows


def test_near_copies_that_a_network_does_not_confirm_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch):
    found = check_images(DataConfig(source=str(folder / "set")), str(folder / "loose"))
    assert len(found.copies.near) >= 2

    monkeypatch.setattr(likeness, "_Network", LastOneOut)
    of = likeness.confirm_copies(found, "weights")
    last = int(found.copies.near.max())
    assert of.passed_over.tolist() == [pair for pair in found.copies.near.tolist() if last in pair]
    assert len(of.check.copies.near) == len(found.copies.near) - len(of.passed_over)
    assert of.check.copies.exact.tolist() == found.copies.exact.tolist()
    assert of.rows()[0]["value"] == len(of.passed_over) > 0
    assert "(0.00, of copies 1.00 or more)" in of.rows()[1]["value"]


def test_near_copies_of_tiles_are_confirmed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_tiles(tmp_path / "tiles")
    tiles = sorted((tmp_path / "tiles").rglob("*_sat.jpg"))
    (tmp_path / "loose").mkdir()
    for path in tiles[:2]:
        Image.open(path).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "loose" / path.name, quality=60)
    found = check_masks(SegmentDataConfig(source=str(tmp_path / "tiles")), str(tmp_path / "loose"))
    assert found.shared is not None
    assert len(found.shared.near) >= 2
    monkeypatch.setattr(likeness, "_Network", LastOneOut)
    of = likeness.confirm_tile_copies(found, "weights")
    assert of.check.shared is not None
    assert len(of.check.shared.near) == len(found.shared.near) - len(of.passed_over) < len(found.shared.near)
    assert f"loose: {tiles[1].name}" in of.rows()[1]["value"]
    assert of.check.leaks.scenes.tolist() == found.leaks.scenes.tolist()
