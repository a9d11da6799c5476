"""EfficientNet-Lite0 from its package: the network that its authors trained, and images as they gave them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

import sightline as sl
from conftest import write_tiles
from sightline.config.references import REFERENCES, Package
from sightline.models import read_foreign
from sightline.models.backbones import build_backbone
from sightline.models.foreign import left_over, match
from sightline.models.initial import InitialBackbone, initial_backbone
from sightline.models.segmentation import build_segmenter, load_encoder
from sightline.runs import read_json

REPEATS = (
    1,
    2,
    2,
    3,
    3,
    4,
    1,
)  # blocks of each stage (Tan and Le 2019, table 1; first and last are not repeated in Lite)
STRIDES = (1, 2, 2, 2, 1, 2, 1)
PLAIN: dict[str, Any] = {"precision": "32-true", "threads": 1, "workers": 0}
MEAN, STD = [127 / 255] * 3, [128 / 255] * 3


@pytest.fixture(scope="module")
def start() -> InitialBackbone:
    return initial_backbone("reference", "resnet50", "published", 0, reference="efficientnet-lite0")


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    source = REFERENCES["efficientnet-lite0"].source
    assert isinstance(source, Package)
    spec = find_spec(source.module)
    assert spec is not None
    assert spec.submodule_search_locations
    return read_foreign(Path(spec.submodule_search_locations[0]) / source.file)


def by_hand(tensors: dict[str, Tensor], images: Tensor) -> Tensor:
    """Return pooled features of the published network, written out from the names in its file alone."""

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = tensors[f"{name}.weight"]
        kernel, side = weight.shape[-1], x.shape[-1]
        pad = max((-(-side // stride) - 1) * stride + kernel - side, 0)  # TensorFlow's SAME: the odd one at the end
        x = functional.pad(x, [pad // 2, pad - pad // 2] * 2)
        return functional.conv2d(x, weight, stride=stride, groups=x.shape[1] // weight.shape[1])

    def norm(x: Tensor, name: str) -> Tensor:
        values = [tensors[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return functional.batch_norm(x, *values, eps=1e-3)

    x = functional.relu6(norm(conv(images, "_conv_stem", 2), "_bn0"))
    number = 0
    for repeats, first in zip(REPEATS, STRIDES, strict=True):
        for stride in (first, *[1] * (repeats - 1)):
            block, before = f"_blocks.{number}.", x
            if f"{block}_expand_conv.weight" in tensors:
                x = functional.relu6(norm(conv(x, f"{block}_expand_conv"), f"{block}_bn0"))
            x = functional.relu6(norm(conv(x, f"{block}_depthwise_conv", stride), f"{block}_bn1"))
            x = norm(conv(x, f"{block}_project_conv"), f"{block}_bn2")
            x = x + before if x.shape == before.shape else x
            number += 1
    return functional.relu6(norm(conv(x, "_conv_head"), "_bn1")).mean((2, 3))


@torch.no_grad()
def test_it_computes_what_its_authors_network_computes(start, tensors):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    expected = by_hand(tensors, (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - 127) / 128)
    found = start.backbone.eval()(start.preprocessing.to_tensor(pixels))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    assert start.matched.startswith("294 of 296 tensors used")
    assert start.backbone.name == "timm/tf_efficientnet_lite0"


def test_a_network_of_other_padding_or_depth_does_not_fit(tensors):
    for name in ("timm/efficientnet_lite0", "timm/tf_efficientnet_lite1"):
        report, _ = match(build_backbone(name).inner, tensors)
        assert report.missing or report.mismatched
    # A file whose names are in no order, as safetensors', under a prefix as of data-parallel training.
    shuffled = {f"module.{name}": tensors[name] for name in sorted(tensors)}
    inner = build_backbone("timm/tf_efficientnet_lite0").inner
    report, values = match(inner, shuffled)
    assert (report.missing, report.mismatched, left_over(inner, report)) == ((), (), [])
    assert torch.equal(values["blocks.1.0.bn1.weight"], tensors["_blocks.1._bn0.weight"])


@torch.no_grad()
def test_it_is_the_encoder_of_deeplab(start):
    network = build_segmenter("deeplabv3plus", start.backbone.name, 3).eval()
    load_encoder(network, start.backbone.state_dict(), "lite0")
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    shallow = start.backbone.eval().inner.forward_intermediates(images, indices=[1], intermediates_only=True)[0]
    torch.testing.assert_close(network.encoder(images)[2], shallow)
    assert network(images).shape == (1, 3, 64, 64)


def test_a_unet_on_it_learns_with_the_encoder_still(start, tmp_path):
    tiles = write_tiles(tmp_path / "tiles")
    run = sl.segment(
        tiles, tmp_path / "run", init="reference", reference="efficientnet-lite0", epochs=1, batch_size=8,
        crop=32, interventions=False, optim={"encoder_lr": 0.0}, **PLAIN,
    )  # fmt: skip
    state = load_file(run.path / "weights.safetensors")
    for name, value in start.backbone.named_parameters():
        torch.testing.assert_close(state[f"encoder.{name}"], value, msg=name)
    assert read_json(run.path / "model.json")["preprocessing"]["mean"] == MEAN
    assert sl.predict(run, tiles / "validation", tmp_path / "masks")


def test_its_preprocessing_goes_with_it_through_pretraining_and_a_frozen_backbone(tmp_path, class_folder):
    own = sl.pretrain(
        class_folder, tmp_path / "own", init="efficientnet-lite0", epochs=1, batch_size=30, **PLAIN,
        method={"prototypes": 16, "hidden": 16, "bottleneck": 8},
        views={"global_size": 32, "local_size": 32, "local_crops": 0},
    )  # fmt: skip
    keys = {"train": "head", "head_solver": "lbfgs", "input_size": 32, "augment": "none", **PLAIN}
    frozen = sl.classify(class_folder, tmp_path / "e", init=own, **keys)
    for run in (own, frozen):
        said = read_json(run.path / "model.json")
        assert (said["preprocessing"]["mean"], said["preprocessing"]["std"]) == (MEAN, STD)
        assert said["backbone"] == "timm/tf_efficientnet_lite0"
    assert len(sl.predict(frozen, class_folder / "class0").labels) == 20
