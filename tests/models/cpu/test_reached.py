"""Every verb that runs a network on a CPU runs the CPU's form of it."""

from __future__ import annotations

import pytest

import sightline as sl
from sightline.models import Backbone
from sightline.models.cpu.enlarging import EnlargingBlock
from sightline.models.cpu.small_maps import fits
from sightline.models.segmentation.skipping import SkippingSegmenter
from sightline.models.segmentation.unet import DecoderBlock
from sightline.tasks.classify import predict
from sightline.tasks.segment import predict_masks

QUICK = {"device": "cpu", "precision": "32-true", "workers": 0, "epochs": 1, "batch_size": 8}
BACKBONE = {"backbone": "timm/test_resnet"}
DINO = {"prototypes": 16, "hidden": 16, "bottleneck": 8}
VIEWS = {"global_size": 32, "local_size": 16, "local_crops": 1}


@pytest.fixture
def runs(monkeypatch):
    """Note for each network that runs whether it holds a module that a CPU has a faster form of."""
    plain: list[bool] = []

    def watched(cls, name):
        forward = getattr(cls, name)

        def noting(self, *arguments, **options):
            plain.append(any(fits(module) or type(module) is DecoderBlock for module in self.modules()))
            return forward(self, *arguments, **options)

        monkeypatch.setattr(cls, name, noting)

    watched(Backbone, "forward")
    watched(SkippingSegmenter, "outputs")
    return plain


def test_pretraining_classification_features_and_predictions(runs, class_folder, tmp_path):
    own = sl.pretrain(class_folder, tmp_path / "p", **QUICK, **BACKBONE, method=DINO, views=VIEWS)
    assert runs
    assert not any(runs)
    for train in ({}, {"train": "head"}):
        runs.clear()
        arm = sl.classify(class_folder, tmp_path / f"c{len(train)}", init=own, input_size=24, **QUICK, **train)
        assert runs
        assert not any(runs)
    runs.clear()
    sl.embed(own, class_folder, tmp_path / "e")
    predict(arm.path, class_folder, tmp_path / "labels.csv", device="cpu")
    assert len(runs) >= 2
    assert not any(runs)


def test_segmentation_and_its_predictions(runs, tmp_path, monkeypatch):
    blocks = []
    forward = EnlargingBlock.forward
    monkeypatch.setattr(EnlargingBlock, "forward", lambda self, *given: (blocks.append(1), forward(self, *given))[1])
    data = {"source": "demo/landcover", "image_size": 96}
    run = sl.segment(data, tmp_path / "s", crop=64, interventions=False, **QUICK, **BACKBONE)
    assert runs
    assert not any(runs)
    assert blocks
    runs.clear()
    images = tmp_path / "in"
    images.mkdir()
    from PIL import Image

    Image.new("RGB", (64, 64)).save(images / "a.png")
    predict_masks(run.path, images, tmp_path / "out", device="cpu")
    assert runs
    assert not any(runs)
