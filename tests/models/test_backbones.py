"""Backbones of both libraries: features, stems, sizes, seeds, names."""

import pytest
import timm
import torch
from torch import nn

from sightline.errors import ConfigError
from sightline.models import build_backbone
from sightline.models.libraries import BACKBONE_LIBRARIES, Library, Pyramid
from sightline.models.segmentation.encoder import build_encoder


@pytest.mark.parametrize(
    ("name", "dim"),
    [
        ("timm/test_resnet", None),
        ("timm/test_vit", None),
        ("timm/test_efficientnet", None),
        ("timm/test_convnext", None),
        ("resnet18", 512),
        ("torchvision/resnet18", 512),
        ("torchvision/mobilenet_v3_small", 1024),
        ("torchvision/squeezenet1_1", 512),
        ("torchvision/densenet121", 1024),
        ("torchvision/shufflenet_v2_x0_5", 1024),
    ],
)
def test_features_are_pooled_and_the_classifier_is_gone(name, dim):
    backbone = build_backbone(name)
    assert backbone.training
    features = backbone(torch.zeros(2, 3, 96, 96))
    assert features.shape == (2, backbone.dim)
    assert features.requires_grad
    if dim:
        assert backbone.dim == dim
    if name.startswith("timm/"):
        assert backbone.dim == timm.create_model(name[5:], num_classes=0).head_hidden_size


def test_a_vit_takes_the_sizes_of_multi_crop():
    backbone = build_backbone("timm/test_vit")
    assert {backbone(torch.zeros(1, 3, side, side)).shape for side in (32, 64, 160)} == {(1, backbone.dim)}


def test_a_swin_takes_the_sizes_of_multi_crop():
    backbone = build_backbone("swin_tiny_patch4_window7_224").eval()
    with torch.no_grad():
        assert backbone(torch.zeros(1, 3, 96, 96)).shape == (1, 768)


def test_a_fixed_size_is_named_when_another_comes():
    backbone = build_backbone("torchvision/vit_b_32")
    with pytest.raises(ConfigError, match=r"vit_b_32.*refuses images of 96×96.*224"):
        backbone(torch.zeros(1, 3, 96, 96))


def test_convnext_keeps_the_norm_before_its_classifier():
    backbone = build_backbone("torchvision/convnext_tiny")
    assert backbone.dim == 768
    assert "classifier.0.weight" in backbone.inner.state_dict()
    assert "classifier.2.weight" not in backbone.inner.state_dict()


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_the_small_stem_doubles_the_resolution(library):
    images = torch.zeros(1, 3, 64, 64)
    published = build_encoder(f"{library}/resnet18")(images)
    small = build_encoder(f"{library}/resnet18", stem="3x3")
    features = small(images)
    for index in (2, 3, 4, 5):
        assert features[index].shape[-1] == 2 * published[index].shape[-1]
        assert features[index].shape[1] == published[index].shape[1]
    stem = small.inner.conv1
    assert isinstance(stem, nn.Conv2d)
    assert (stem.kernel_size, stem.stride, stem.bias) == ((3, 3), (2, 2), None)
    assert features[2].shape[-1] == 32


@pytest.mark.parametrize("name", ["timm/test_vit", "torchvision/mobilenet_v3_small", "timm/resnet18d"])
def test_a_backbone_without_such_a_stem_is_named(name):
    with pytest.raises(ConfigError, match=f"{name} has no ResNet stem"):
        build_backbone(name, stem="3x3")


def test_a_toy_library_is_one_line(monkeypatch):
    toy = Library(
        names=lambda: ["squares"],
        architecture=lambda name: name,
        build=lambda name, in_chans: nn.Sequential(nn.Conv2d(in_chans, 5, 3), nn.AdaptiveAvgPool2d(1)),
        pyramid=lambda inner, name, in_chans: Pyramid(inner, (1,), lambda module, images: [images]),
    )
    monkeypatch.setitem(BACKBONE_LIBRARIES, "toy", toy)
    assert build_backbone("toy/squares").dim == build_backbone("squares").dim == 5
    with pytest.raises(ConfigError, match=r"neither timm nor torchvision nor toy has it\. Did you mean 'squares'"):
        build_backbone("toy/sqares")


def test_weights_are_a_function_of_the_seed_and_nothing_else():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = build_backbone("resnet18", seed=1).state_dict()
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(6)
    again, other = build_backbone("resnet18", seed=1).state_dict(), build_backbone("resnet18", seed=2).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["inner.conv1.weight"], other["inner.conv1.weight"])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("resnet5O", "Did you mean 'resnet50"),
        ("timm/resnett18", "Did you mean 'resnet18"),
        ("torchvision/fasterrcnn_resnet50_fpn", "neither"),
        ("huggingface/resnet18", "neither"),
        ("", "neither"),
    ],
)
def test_an_unknown_name_gets_the_nearest(name, hint):
    with pytest.raises(ConfigError, match=hint):
        build_backbone(name)


def test_torchvision_and_timm_name_a_resnets_tensors_alike():
    assert list(build_backbone("timm/resnet50").inner.state_dict()) == list(
        build_backbone("torchvision/resnet50").inner.state_dict()
    )
