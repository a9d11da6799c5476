"""Images of other bands and depths than 8-bit RGB, from files to predictions."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.config import ClassifyConfig, DataConfig, EmbedConfig, PretrainConfig, SegmentConfig, SegmentDataConfig
from sightline.data import decode, load_images, load_masks
from sightline.data.images.reading import Reading
from sightline.engine import Interrupted, NoProgress
from sightline.models import load_backbone
from sightline.runs import RunFolder
from sightline.tasks.classify import classify
from sightline.tasks.classify import predict as predict_labels
from sightline.tasks.embed import embed
from sightline.tasks.pretrain import pretrain
from sightline.tasks.segment import MaskMaker, Options, evaluate, predict_masks, segment

rasterio = pytest.importorskip("rasterio")
BANDS = 5
PLACE = {"crs": "EPSG:32632", "transform": rasterio.Affine(10, 0, 440_000, 0, -10, 5_700_000)}
SMALL = {"backbone": "timm/resnet10t", "precision": "32-true", "threads": 1, "workers": 0}


def scene(i: int, label: int, side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Return 12-bit numbers (5, H, W) whose fifth band tells the class, and the classes."""
    rng = np.random.default_rng([i, label + 1])
    classes = np.zeros((side, side), np.uint8)
    classes[:, side // 2 :] = 1
    numbers = rng.integers(200, 900, (BANDS, side, side)).astype(np.uint16)
    numbers[4] += 2500 * (classes.astype(np.uint16) if label < 0 else np.uint16(label))
    return numbers, classes


def write(path: Path, numbers: np.ndarray, **keys) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = numbers.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=count, dtype=numbers.dtype, **PLACE | keys
    ) as file:
        file.write(numbers)
    return path


class StopAt(NoProgress):
    """Asks the run to stop, as Ctrl-C does, when a step is done."""

    def __init__(self, step: int) -> None:
        self._step = step

    def advance(self, done: int, note: str) -> None:
        if done == self._step:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bands") / "labelled"
    for label, name in enumerate(("dry", "green")):
        for i in range(10):
            write(root / name / f"{i}.tif", scene(i, label)[0])
    return root


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bands") / "masked"
    for i in range(10):
        numbers, classes = scene(i, -1)
        write(root / "images" / f"{i}.tif", numbers)
        (root / "masks").mkdir(exist_ok=True)
        Image.fromarray(classes).save(root / "masks" / f"{i}.png")
    return root


def data(source: Path, **more) -> dict:
    return {"source": str(source), "bands": [5, 4, 3, 2, 1], **more}


def test_a_classifier_of_five_bands(labelled: Path, tmp_path: Path):
    keys = SMALL | {"data": data(labelled), "input_size": 32, "epochs": 1, "batch_size": 8, "train": "all"}
    run = classify(ClassifyConfig.build(keys).settled(), tmp_path / "run", progress=NoProgress())
    described = json.loads(run.model_json.read_text())
    assert described["in_chans"] == BANDS
    assert len(described["preprocessing"]["mean"]) == BANDS
    reading = Reading.from_dict(described["reading"])
    assert reading.bands == (5, 4, 3, 2, 1)
    assert reading.scale is not None
    (low, high), *others = reading.scale
    assert 200 <= low < 300
    assert 3300 < high < 3400
    assert all(880 < white < 900 for _, white in others)
    predicted = predict_labels(run.path, labelled / "dry")
    assert len(predicted.labels) == 10
    quality = embed(EmbedConfig(run=str(run.path), data=DataConfig(source=str(labelled))), tmp_path / "embedding")
    assert quality.n == 20


def test_what_predicts_sees_what_trained(labelled: Path):
    images = load_images(DataConfig.build(data(labelled)))
    for i in (0, 13):
        path = images.listing.samples[i].path
        np.testing.assert_array_equal(images[i], decode(path, reading=images.reading))
    assert images[0].shape == (32, 32, BANDS)
    assert len(np.unique(images[0][..., 0])) > 50


def test_a_segmenter_of_five_bands_learns_from_the_fifth(masked: Path, tmp_path: Path):
    keys = SMALL | {"data": data(masked), "crop": 32, "epochs": 1, "batch_size": 4, "log_images": ["images/0.tif"]}
    config = SegmentConfig.build(keys)
    run = segment(config, tmp_path / "run", progress=NoProgress())
    assert json.loads(run.model_json.read_text())["in_chans"] == BANDS
    assert evaluate(run.path, SegmentDataConfig(source=str(masked))).mean_iou.n == 10
    hole = scene(3, -1)[0]
    hole[:, :10] = 0
    path = write(tmp_path / "in" / "hole.tif", hole, nodata=0)
    (mask,) = predict_masks(run.path, path, tmp_path / "out", Options(masks="rgb"))
    maker = MaskMaker(run.path)
    with rasterio.open(mask) as file:
        assert file.crs == PLACE["crs"]
        known = file.dataset_mask() > 0
        colors = file.read().transpose(1, 2, 0)
    assert not known[:10].any()
    assert known[10:].all()
    np.testing.assert_array_equal(colors[:10], np.broadcast_to(maker.palette.void_color, (10, 32, 3)))
    images = load_masks(SegmentDataConfig(source=str(masked)), earlier=maker.reading, split=False)
    np.testing.assert_array_equal(images.image(0), decode(masked / "images" / "0.tif", reading=maker.reading))


def test_pretraining_on_five_bands_goes_on_exactly(labelled: Path, tmp_path: Path):
    views = {"global_size": 32, "local_size": 16, "local_crops": 1}
    method = {"name": "dino", "prototypes": 64, "hidden": 32, "bottleneck": 16}
    keys = SMALL | {"data": data(labelled), "views": views, "method": method, "epochs": 2}
    keys |= {"batch_size": 10, "log_every": 1}
    config = PretrainConfig.build(keys).settled()
    whole = pretrain(config, tmp_path / "whole", progress=NoProgress())
    with pytest.raises(Interrupted):
        pretrain(config, tmp_path / "broken", progress=StopAt(3))
    again = pretrain(config, tmp_path / "broken", resume=True, progress=NoProgress())
    assert whole.weights.read_bytes() == again.weights.read_bytes()
    assert whole.model_json.read_bytes() == again.model_json.read_bytes()
    assert load_backbone(whole.path).backbone.in_chans == BANDS
    keys = SMALL | {"data": {"source": str(labelled)}, "init": str(whole.path), "input_size": 32, "epochs": 1}
    run = classify(ClassifyConfig.build(keys).settled(), tmp_path / "run", progress=NoProgress())
    described = json.loads(RunFolder.open(run.path).model_json.read_text())
    assert described["in_chans"] == BANDS
    assert described["reading"] == json.loads(whole.model_json.read_text())["reading"]
