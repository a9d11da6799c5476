"""Networks for other channels than RGB, and RGB weights in them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sightline.errors import ConfigError
from sightline.models import build_backbone
from sightline.models.backbones import for_bands
from sightline.models.cpu import place
from sightline.models.initial import initial_backbone
from sightline.models.segmentation import build_segmenter, describe
from sightline.views.device import Preprocessing

BACKBONES = ["timm/resnet10t", "torchvision/resnet18", "timm/convnext_atto", "torchvision/mobilenet_v3_small"]


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("bands", [1, 4, 7])
def test_weights_of_rgb_are_adapted(name: str, bands: int):
    rgb = build_backbone(name).eval()
    other = for_bands(rgb, bands).eval()
    assert other.in_chans == bands
    gray = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        ours, theirs = other(gray.expand(-1, bands, -1, -1)), rgb(gray.expand(-1, 3, -1, -1))
    assert ours.shape == theirs.shape
    if bands == 1:  # the sum of the filters: a gray picture gives what it gives in RGB
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
    with pytest.raises(ConfigError, match=rf"see {bands} bands, and the images have 2"):
        for_bands(other, 2)


def test_a_run_says_that_the_stem_was_adapted(tmp_path):
    save_file(dict(build_backbone("timm/resnet10t", seed=1).inner.state_dict()), tmp_path / "a.safetensors")
    start = initial_backbone(
        str(tmp_path / "a.safetensors"), "timm/resnet10t", "published", 0, reference="", in_chans=5
    )
    assert "adapted from RGB to 5 bands" in start.matched
    assert start.preprocessing.mean == (0.485, 0.456, 0.406, 0.485, 0.456)


@pytest.mark.parametrize("model", ["unet", "deeplabv3plus", "fpn"])
@pytest.mark.parametrize("encoder", ["timm/resnet10t", "torchvision/resnet18", "torchvision/mobilenet_v3_small"])
def test_segmenters(model: str, encoder: str):
    if model != "unet" and encoder.endswith("resnet10t"):
        encoder = "resnet18"
    network = place(build_segmenter(model, encoder, 3, in_chans=5).eval(), torch.device("cpu"))
    with torch.no_grad():
        assert network(torch.rand(1, 5, 64, 64)).shape == (1, 3, 64, 64)
    assert describe(network, 64, 64).classes == 3


def test_the_small_stem_and_the_same_weights_in_every_model():
    backbone = build_backbone("resnet18", "3x3", 3, in_chans=4)
    network = build_segmenter("deeplabv3plus", "resnet18", 2, stem="3x3", seed=3, in_chans=4)
    torch.testing.assert_close(network.encoder_tensors()["conv1.weight"], backbone.inner.state_dict()["conv1.weight"])


def test_one_normalization_goes_round():
    images = np.full((1, 2, 2, 4), 128, np.uint8)
    tensor = Preprocessing().for_channels(4).to_tensor(images)
    assert tensor.shape == (1, 4, 2, 2)
    torch.testing.assert_close(tensor[0, 0], tensor[0, 3])
    assert Preprocessing().for_channels(1).mean == pytest.approx((0.449,))
