"""Architectures of segmentation-models-pytorch: sizes, batches of one, parity, encoders' weights."""

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

from sightline.errors import ConfigError, WeightsError
from sightline.models import build_backbone
from sightline.models.batch_norm import AnyBatchNorm2d
from sightline.models.segmentation import (
    SkippingSegmenter,
    SkipPolicy,
    build_segmenter,
    load_encoder,
    segmenter_names,
    skips_of,
)


def images(batch=2, height=64, width=64, seed=0):
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", [name for name in segmenter_names() if name not in ("unet", "dpt", "unetplusplus")])
def test_all_take_any_size_and_train_on_a_batch_of_one(name):
    network = build_segmenter(name, "resnet18", 3)
    outputs = network.outputs(images(1, 37, 50))
    assert outputs.logits.shape == (1, 3, 37, 50)
    outputs.logits.square().mean().backward()
    trained = [value for value in network.parameters() if value.requires_grad]
    assert all(value.grad is not None and torch.isfinite(value.grad).all() for value in trained)
    assert skips_of(network) == ()
    assert "encoder.1" in outputs.stages


def test_deeplab_is_the_librarys_and_names_its_parts():
    network = build_segmenter("deeplabv3plus", "resnet18", 4).eval()
    theirs = smp.DeepLabV3Plus("resnet18", encoder_weights=None, classes=4).eval()
    theirs.load_state_dict(network.state_dict())
    x = images(2, 96, 64)
    with torch.no_grad():
        outputs = network.outputs(x)
        torch.testing.assert_close(outputs.logits, theirs(x), rtol=1e-4, atol=1e-6)
    shapes = {name: tuple(value.shape[1:]) for name, value in outputs.stages.items()}
    assert shapes["aspp"] == (256, 6, 4)
    assert shapes["low_level"] == (48, 24, 16)
    assert shapes["fused"] == (256, 24, 16)


def test_the_pooled_branch_says_something_on_a_batch_of_one():
    network = build_segmenter("deeplabv3plus", "resnet18", 2)
    pooled = network.decoder.aspp[0].convs[4]
    assert isinstance(pooled[2], AnyBatchNorm2d)
    before = pooled[2].running_mean.clone()
    seen = pooled(images(1, 8, 8).repeat(1, 171, 1, 1)[:, :512])
    assert not torch.allclose(seen, pooled(images(1, 8, 8, seed=1).repeat(1, 171, 1, 1)[:, :512]))
    assert torch.equal(pooled[2].running_mean, before)
    pooled(images(2, 8, 8).repeat(1, 171, 1, 1)[:, :512])
    assert not torch.equal(pooled[2].running_mean, before)


def test_batch_norm_is_torchs_where_torch_takes_the_batch():
    ours, theirs = AnyBatchNorm2d(3), nn.BatchNorm2d(3)
    x = images(2, 5, 5)
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    single = images(1, 1, 1)
    assert ours.training
    with pytest.raises(ValueError, match="more than 1 value"):
        theirs(single)
    torch.testing.assert_close(ours(single), theirs.eval()(single))
    assert ours.training


@pytest.mark.parametrize("name", ["deeplabv3plus", "fpn", "smp-unet", "pspnet"])
def test_the_small_stem(name):
    network = build_segmenter(name, "resnet18", 3, stem="3x3")
    assert network(images(1, 48, 64)).shape == (1, 3, 48, 64)
    assert network.encoder.conv1.kernel_size == (3, 3)
    backbone = build_backbone("resnet18", "3x3", seed=5)
    report = load_encoder(network, backbone.state_dict())
    assert not report.missing
    assert not report.mismatched


def test_a_model_that_needs_the_published_strides_is_named():
    with pytest.raises(ConfigError, match=r"linknet.*3x3.*stem = 'published'"):
        build_segmenter("linknet", "resnet18", 3, stem="3x3")


def test_skips_of_the_library_cannot_be_dropped():
    with pytest.raises(ConfigError, match="deeplabv3plus cannot be dropped"):
        build_segmenter("deeplabv3plus", "resnet18", 3, policy=SkipPolicy("deepest"))
    network = build_segmenter("deeplabv3plus", "resnet18", 3)
    assert not isinstance(network, SkippingSegmenter)
    with pytest.raises(TypeError, match="positional argument"):
        network(images(), torch.ones(2, 0, dtype=torch.bool))


@pytest.mark.parametrize(
    ("model", "encoder"),
    [
        ("unet", "resnet18"),
        ("unet", "timm/test_convnext"),
        ("deeplabv3plus", "resnet18"),
        ("deeplabv3plus", "torchvision/resnet18"),
        ("deeplabv3plus", "timm/test_efficientnet"),
        ("fpn", "timm/test_convnext"),
    ],
)
def test_a_backbones_weights_go_into_the_encoder(model, encoder):
    backbone = build_backbone(encoder, seed=7)
    network = build_segmenter(model, encoder, 3)
    report = load_encoder(network, backbone.state_dict())
    assert not report.missing
    assert not report.mismatched
    first = next(iter(backbone.inner.state_dict().values()))
    assert any(torch.equal(first, value) for value in network.encoder_tensors().values())
    if model == "unet":
        assert not report.unexpected
    elif encoder.endswith("resnet18"):
        own = network.encoder.state_dict()
        assert all(torch.equal(value, own[name]) for name, value in backbone.inner.state_dict().items())


def test_equal_seeds_give_a_resnet_equal_encoders_in_every_architecture():
    states = [build_segmenter(m, "resnet18", 3, seed=4).encoder_tensors() for m in ("unet", "deeplabv3plus", "fpn")]
    for other in states[1:]:
        assert all(torch.equal(value, other[name]) for name, value in states[0].items())


@pytest.mark.parametrize("model", ["unet", "deeplabv3plus"])
def test_weights_of_another_architecture_are_refused_and_nothing_changes(model):
    network = build_segmenter(model, "resnet18", 3)
    before = {name: value.clone() for name, value in network.encoder_tensors().items()}
    with pytest.raises(WeightsError, match=r"do not fit the encoder resnet18.*0 of .* tensors used"):
        load_encoder(network, build_backbone("timm/test_convnext").state_dict())
    assert all(torch.equal(before[name], value) for name, value in network.encoder_tensors().items())


@pytest.mark.parametrize(
    ("model", "encoder", "hint"),
    [
        ("fpn", "resnet5O", "Did you mean 'resnet50'"),
        ("deeplabv3plus", "timm/test_vit", "refuses it"),
        ("dpt", "resnet18", "refuses it"),
    ],
)
def test_an_encoder_that_does_not_go_is_named(model, encoder, hint):
    with pytest.raises(ConfigError, match=hint):
        build_segmenter(model, encoder, 3)
