from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from sightline.config import DataConfig, SplitConfig
from sightline.data import decode, list_images, load_image_set, split, write_demo
from sightline.data.sets.demo import CLASSES, PALETTE, STYLES, draw_object
from sightline.errors import DataError
from sightline.randomness import generator


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo(tmp_path_factory.mktemp("sets") / "demo")


def digest(root: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def test_the_same_seed_gives_the_same_bytes(demo: Path, tmp_path: Path) -> None:
    assert digest(write_demo(tmp_path / "again")) == digest(demo)


def test_another_seed_gives_other_pictures() -> None:
    first, second = (draw_object("rings", "photo", generator(seed, "demo/objects")) for seed in (0, 1))
    assert np.abs(first.astype(int) - second.astype(int)).mean() > 10


def test_the_parts_open_as_sources(demo: Path) -> None:
    objects = list_images(DataConfig(source=str(demo / "objects")))
    assert objects.classes == tuple(sorted(CLASSES))
    assert {sample.style for sample in objects.samples} == set(STYLES)
    assert len(set(zip(objects.labels.tolist(), [s.style for s in objects.samples], strict=True))) == 32
    pool = list_images(DataConfig(source=str(demo / "pool.csv")))
    assert pool.classes == objects.classes
    assert len(pool) == len(list_images(DataConfig(source=str(demo / "unlabelled"))))
    assert np.bincount(pool.labels).min() > 0.7 * len(pool) / len(CLASSES)


def test_scenes_have_masks_in_the_palette_and_every_class(demo: Path) -> None:
    seen = set()
    for part in ("train", "validation"):
        scenes = sorted((demo / "landcover" / part).glob("*_sat.jpg"))
        assert scenes
        for scene in scenes:
            mask = decode(scene.with_name(scene.name.replace("_sat.jpg", "_mask.png")))
            assert decode(scene).shape == mask.shape
            seen |= set(map(tuple, mask.reshape(-1, 3).tolist()))
    assert seen == set(PALETTE.values())


def test_neighbors_in_pixel_space_say_little(demo: Path) -> None:
    images = load_image_set(list_images(DataConfig(source=str(demo / "objects"))), 32)
    parts = split(images.listing, SplitConfig())
    pixels = np.stack(images.gather(range(len(images)))).reshape(len(images), -1).astype(np.float32)
    pixels = (pixels - pixels.mean(1, keepdims=True)) / pixels.std(1, keepdims=True)
    nearest = (pixels[parts.test] @ pixels[parts.train].T).argmax(1)
    labels = images.listing.labels
    accuracy = (labels[parts.train][nearest] == labels[parts.test]).mean()
    assert accuracy < 0.35, "chance is 0.125; a data set that pixels solve shows nothing"


def test_a_full_folder_is_left_alone_and_an_empty_one_is_used(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(DataError, match="already and not empty"):
        write_demo(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
