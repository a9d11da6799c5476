"""Sizes of data, batches and images: each trains to a result, or is refused before anything is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.config import ClassifyConfig, PretrainConfig, SegmentConfig, SegmentDataConfig
from sightline.data import check_masks, list_pairs
from sightline.engine import NoProgress
from sightline.errors import UserError
from sightline.runs import RunFolder
from sightline.tasks.classify import classify
from sightline.tasks.pretrain import pretrain
from sightline.tasks.segment import segment

TINY = {"epochs": 1, "precision": "32-true", "device": "cpu", "threads": 1, "workers": 0}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))


def trained_or_refused(run, config, out: Path, expected: str) -> RunFolder | None:
    """Train; the end must be `expected`: "trained" with a result, or words of a refusal that left nothing behind."""
    if expected != "trained":
        with pytest.raises(UserError, match=expected):
            run(config, out, progress=NoProgress())
        assert not out.exists(), "refused only after a folder was made"
        return None
    done = run(config, out, progress=NoProgress())
    assert done.is_done
    assert "notes" not in done.result()
    return done


def class_folders(root: Path, counts: tuple[int, ...], size: int = 32) -> str:
    for label, count in enumerate(counts):
        for i in range(count):
            path = root / f"class{label}" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng([label, i]).integers(0, 256, (size, size, 3), np.uint8)
            Image.fromarray(pixels).save(path)
    return str(root)


# (images by class, batch, share of val, share of test) → how it ends; 20 % each of 10 leave 6 to learn from.
CLASSIFY = [
    ((10, 10), 4, 0.2, 0.2, "trained"),
    ((10, 10), 11, 0.2, 0.2, "trained"),  # 12 = 1 mod 11
    ((10, 10), 12, 0.2, 0.2, "trained"),
    ((10, 10), 64, 0.2, 0.2, "trained"),  # fewer images than a batch
    ((10, 10), 1, 0.2, 0.2, "trained"),  # a batch of one, whose last map is 1×1
    ((5, 3), 2, 0.2, 0.2, "trained"),
    ((3, 3), 1, 0.34, 0.33, "trained"),
    ((10, 10), 4, 0.0, 0.2, "val part has no image"),
    ((10, 10), 4, 0.2, 0.0, "test part has no image"),
    ((1, 1), 4, 0.2, 0.2, "val part has no sample"),
    ((10, 1), 4, 0.2, 0.2, "val part has no sample"),
    ((10,), 4, 0.2, 0.2, "one class|no labels"),
]


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize(("counts", "batch", "val", "test", "expected"), CLASSIFY)
def test_a_classifier(counts, batch, val, test, expected, frozen, tmp_path):
    data = {"source": class_folders(tmp_path / "data", counts), "split": {"val": val, "test": test}}
    keys = {"data": data, "batch_size": batch, "backbone": "timm/test_resnet", "input_size": 32, "keep_features": 4}
    config = ClassifyConfig.build(TINY, keys, {"train": "head" if frozen else "all"})
    trained_or_refused(classify, config, tmp_path / "run", expected)


@pytest.mark.parametrize("batch", [1, 5])
def test_a_resnet_takes_one_image_at_a_time(batch, tmp_path):
    """The last map of a ResNet is 1×1 on 32 px: batch norm of one image then has a single value a channel."""
    data = {"source": class_folders(tmp_path / "data", (5, 5)), "split": {"val": 0.2, "test": 0.2}}
    keys = {"data": data, "batch_size": batch, "backbone": "timm/resnet10t", "input_size": 32}
    trained_or_refused(classify, ClassifyConfig.build(TINY, keys), tmp_path / "run", "trained")


def test_fewer_images_than_processes_are_refused(tmp_path):
    data = {"source": class_folders(tmp_path / "data", (3, 3)), "split": {"val": 0.34, "test": 0.33}}
    keys = {"data": data, "backbone": "timm/test_resnet", "devices": 3, "batch_size": 3}
    trained_or_refused(classify, ClassifyConfig.build(TINY, keys), tmp_path / "run", "each of 3 processes needs one")
    keys = {**keys, "devices": 2, "batch_size": 1}
    trained_or_refused(classify, ClassifyConfig.build(TINY, keys), tmp_path / "run", "batch_size = 1")


PRETRAIN = [
    (5, 4, 1, "trained"), (5, 5, 1, "trained"), (9, 4, 2, "trained"), (4, 8, 1, "do not fill one step of 8"),
    (9, 1, 1, "batch_size = 1"), (7, 4, 2, "do not fill one step of 8"),
]  # fmt: skip


@pytest.mark.parametrize("method", ["dino", "simclr", "lejepa"])
@pytest.mark.parametrize(("count", "batch", "accumulate", "expected"), PRETRAIN)
def test_pretraining(count, batch, accumulate, expected, method, tmp_path):
    keys = {
        "data": {"source": class_folders(tmp_path / "data", (count,))},
        "batch_size": batch,
        "accumulate": accumulate,
        "backbone": "timm/test_resnet",
        "method": {"name": method},
        "views": {"global_size": 32, "local_size": 16, "local_crops": int(method == "dino")},
    }
    trained_or_refused(pretrain, PretrainConfig.build(TINY, keys), tmp_path / "run", expected)


# -- masks
def tiles(root: Path, sizes: list[tuple[int, int]], classes: int = 3) -> str:
    """Write images with index masks; a corner of each has class 1, the last image alone has the last class."""
    for i, (height, width) in enumerate(sizes):
        mask = np.zeros((height, width), np.uint8)
        mask[: (height + 1) // 2, : (width + 1) // 2] = 1
        if i == len(sizes) - 1:
            mask[height // 2 :] = classes - 1
        image = np.random.default_rng(i).integers(0, 80, (height, width, 3), np.uint8) + 60 * mask[..., None]
        for folder, pixels in (("images", image), ("masks", mask)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(root / folder / f"t{i:02d}.png")
    return str(root)


EQUAL = [(40, 40)] * 10
DIFFERENT = [(40 + i, 56 - 2 * i) for i in range(10)]
# (sizes of the tiles, batch, model) → how it ends.
SEGMENT = [
    (EQUAL, 4, "unet", "trained"),
    (EQUAL, 1, "unet", "trained"),
    (EQUAL, 5, "unet", "trained"),  # 6 = 1 mod 5
    (EQUAL, 64, "unet", "trained"),
    (DIFFERENT, 4, "unet", "trained"),
    ([*EQUAL[:9], (41, 40)], 4, "unet", "trained"),
    ([(40, 40), (20, 90)] * 5, 4, "unet", "trained"),
    ([(1, 1), (3, 70), (70, 3), *DIFFERENT[:7]], 2, "unet", "trained"),
    (EQUAL, 1, "deeplabv3plus", "trained"),
    (DIFFERENT, 6, "deeplabv3plus", "trained"),
    (EQUAL[:2], 4, "unet", "leave none for"),
]


@pytest.mark.parametrize(("sizes", "batch", "model", "expected"), SEGMENT)
def test_a_segmenter(sizes, batch, model, expected, tmp_path):
    data = {"source": tiles(tmp_path / "data", sizes), "val": 0.2, "test": 0.2}
    keys = {"data": data, "batch_size": batch, "backbone": "timm/resnet10t", "crop": 32, "model": model}
    ids = list_pairs(SegmentDataConfig(source=data["source"])).ids
    watched = {"log_images": [ids[1], ids[3]]} if len(sizes) > 3 else {}
    run = trained_or_refused(segment, SegmentConfig.build(TINY, keys, watched), tmp_path / "run", expected)
    if run is not None:
        assert (run.result()["interventions"] is not None) == (model == "unet")
        assert len(run.result()["progress"]) == 8


@pytest.mark.parametrize("sizes", [DIFFERENT, [*EQUAL[:9], (41, 40)], [(1, 1), (3, 70), (70, 3), (2, 2)] * 2])
def test_masks_of_any_sizes_are_checked(sizes, tmp_path):
    checked = check_masks(SegmentDataConfig(source=tiles(tmp_path / "data", sizes), val=0.2, test=0.2))
    assert checked.counts.sum() == sum(height * width for height, width in sizes)


def test_an_unknown_image_to_watch_is_refused_before_anything_is_written(tmp_path):
    keys = {"data": {"source": tiles(tmp_path / "data", EQUAL)}, "backbone": "timm/resnet10t", "log_images": ["x"]}
    trained_or_refused(segment, SegmentConfig.build(TINY, keys), tmp_path / "run", "no such image")
