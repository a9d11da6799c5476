"""The U-Net: encoders, sizes, batches of one, seeds, parity with segmentation-models-pytorch."""

import copy
from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import ConfigError
from sightline.models import build_backbone
from sightline.models.libraries import torchvision_models
from sightline.models.segmentation import SkipPolicy, build_segmenter, export_library, load_encoder
from sightline.models.segmentation.encoder import build_encoder
from sightline.models.segmentation.segmenter import pad_to_multiple


def images(batch=2, height=64, width=64, seed=0):
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("encoder", "stem", "skips", "stride"),
    [
        ("resnet18", "published", (1, 2, 3, 4), 32),
        ("resnet18", "3x3", (1, 2, 3, 4), 16),
        ("torchvision/resnet18", "published", (1, 2, 3, 4), 32),
        ("torchvision/resnet18", "3x3", (1, 2, 3, 4), 16),
        ("timm/test_resnet", "published", (1, 2, 3, 4), 32),
        ("timm/test_convnext", "published", (2, 3, 4), 32),
        ("timm/test_efficientnet", "published", (1, 2, 3, 4), 32),
        ("timm/test_byobnet", "published", (1, 2, 3, 4), 32),
        ("torchvision/mobilenet_v3_small", "published", (1, 2, 3, 4), 32),
        ("torchvision/regnet_y_400mf", "published", (1, 2, 3, 4), 32),
        ("torchvision/shufflenet_v2_x0_5", "published", (1, 2, 3, 4), 32),
        ("torchvision/convnext_tiny", "published", (2, 3, 4), 32),
    ],
)
def test_encoders_of_all_kinds(encoder, stem, skips, stride):
    network = build_segmenter("unet", encoder, 4, stem=stem)
    assert (network.name, network.encoder_name, network.stem, network.classes) == ("unet", encoder, stem, 4)
    assert (network.skips, network.stride) == (skips, stride)
    outputs = network.outputs(images(1, 70, 45))
    assert outputs.logits.shape == (1, 4, 70, 45)
    outputs.logits.sum().backward()
    assert all(value.grad is not None for value in network.parameters() if value.requires_grad)
    padded = pad_to_multiple(images(1, 70, 45), stride).shape[2:]
    for index in skips:
        expected = tuple(side // network.encoder.strides[index] for side in padded)
        assert outputs.stages[f"encoder.{index}"].shape[2:] == expected
        assert outputs.stages[f"skip.{index}"] is outputs.stages[f"encoder.{index}"]
        assert outputs.stages[f"decoder.{index}"].shape[2:] == expected
    assert outputs.stages["decoder.0"].shape[2:] == padded


@pytest.mark.parametrize("encoder", ["timm/test_vit", "torchvision/vit_b_32"])
def test_an_encoder_without_a_pyramid_is_named(encoder):
    with pytest.raises(ConfigError, match=f"{encoder}.*several strides"):
        build_segmenter("unet", encoder, 2)


@pytest.mark.parametrize("encoder", ["resnet18", "timm/test_convnext", "timm/test_efficientnet"])
def test_stages_are_the_backbones_own(encoder):
    backbone = build_backbone(encoder, seed=3).eval()
    network = build_segmenter("unet", encoder, 2, seed=3).eval()
    own = backbone.state_dict()
    assert set(network.encoder.state_dict()) == set(own)
    assert all(torch.equal(value, own[name]) for name, value in network.encoder.state_dict().items())
    x = images()
    found = network.outputs(x).stages["encoder.5"]
    if encoder == "resnet18":
        torch.testing.assert_close(found, backbone.inner.forward_features(x))
    else:
        torch.testing.assert_close(found, backbone.inner.forward_intermediates(x)[1][-1])


@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_any_size_comes_back(height, width):
    network = _small()
    x = images(1, height, width)
    with torch.no_grad():
        assert network(x).shape == (1, 2, height, width)
    padded = pad_to_multiple(x, 32)
    assert padded.shape[2] % 32 == padded.shape[3] % 32 == 0
    assert torch.equal(padded[:, :, :height, :width], x)


def test_padding_reflects_where_it_can():
    row = torch.arange(5.0).view(1, 1, 1, 5).repeat(1, 1, 5, 1)
    assert pad_to_multiple(row, 8)[0, 0, 0].tolist() == [0, 1, 2, 3, 4, 3, 2, 1]
    assert pad_to_multiple(row, 16)[0, 0, 0].tolist() == [0, 1, 2, 3] + 12 * [4]


def test_inside_a_padded_image_logits_are_those_of_the_padded_one():
    network = _small()
    x = images(1, 50, 33)
    with torch.no_grad():
        torch.testing.assert_close(network(x), network(pad_to_multiple(x, 32))[:, :, :50, :33])


@pytest.mark.parametrize("encoder", ["timm/test_resnet", "timm/test_efficientnet"])
def test_a_batch_of_one_small_image_trains(encoder):
    network = build_segmenter("unet", encoder, 2)
    before = {name: value.clone() for name, value in network.named_buffers()}
    network(images(1, 32, 32)).square().mean().backward()
    assert all(torch.isfinite(value.grad).all() for value in network.parameters() if value.grad is not None)
    assert all(torch.isfinite(value).all() for value in network.buffers())
    assert any(not torch.equal(before[name], value) for name, value in network.named_buffers())


def test_weights_are_a_function_of_the_seed_and_nothing_else():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = build_segmenter("unet", "timm/test_resnet", 3, seed=1).state_dict()
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(6)
    again = build_segmenter("unet", "timm/test_resnet", 3, seed=1).state_dict()
    other = build_segmenter("unet", "timm/test_resnet", 3, seed=2).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    for name in (
        "encoder.inner.layer4.0.conv1.weight",
        "decoder.blocks.0.conv1.0.weight",
        "segmentation_head.0.weight",
    ):
        assert not torch.equal(first[name], other[name])


def test_it_is_segmentation_models_pytorchs_unet_tensor_by_tensor():
    # In 64 bits, where two orders of summation agree and a wrong gradient does not hide in rounding.
    ours = build_segmenter("unet", "resnet18", 5).double().eval()
    theirs = smp.Unet("resnet18", encoder_weights=None, classes=5).double().eval()
    theirs.load_state_dict({name.replace("encoder.inner.", "encoder."): v for name, v in ours.state_dict().items()})
    x = images(2, 96, 64).double()
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-9, atol=1e-10)
    for network in (ours.train(), theirs.train()):
        network.zero_grad()
        network(x).square().mean().backward()
    expected = dict(theirs.named_parameters())
    for name, value in ours.named_parameters():
        wanted = expected[name.replace("encoder.inner.", "encoder.")].grad
        assert (value.grad - wanted).abs().max() <= 1e-9 * wanted.abs().max() + 1e-14, name


def test_an_unknown_model_and_no_classes_are_named():
    with pytest.raises(ConfigError, match="Did you mean 'unet'"):
        build_segmenter("unett", "resnet18", 3)
    with pytest.raises(ConfigError, match="classes = 0"):
        build_segmenter("unet", "resnet18", 0)


_CACHE = []


def _small():
    if not _CACHE:
        _CACHE.append(build_segmenter("unet", "timm/test_resnet", 2, policy=SkipPolicy()).eval())
    return _CACHE[0]


@pytest.mark.parametrize("family", ["mobilenet_v3_small", "regnet_y_400mf"])
def test_a_torchvision_encoder_is_its_backbone_in_training_in_evaluation_and_copied(family):
    backbone = build_backbone(f"torchvision/{family}", seed=3)
    encoder = build_encoder(f"torchvision/{family}", seed=3)
    assert list(encoder.state_dict()) == list(backbone.state_dict())
    inner, x = backbone.inner, images(4)
    for mode in (True, False):
        backbone.train(mode)
        encoder.train(mode)
        twin = copy.deepcopy(encoder)
        expected = inner.features(x) if family.startswith("mobile") else inner.trunk_output(inner.stem(x))
        torch.testing.assert_close(encoder(x)[5], expected)
        torch.testing.assert_close(twin(x)[5], expected)
        assert list(twin.state_dict()) == list(encoder.state_dict())
        assert not any(a is b for a, b in zip(twin.parameters(), encoder.parameters(), strict=True))


@pytest.mark.parametrize("family", ["mobilenet_v3_small", "resnet18"])
def test_features_of_a_torchvision_encoder_are_extracted_once(monkeypatch, family):
    extract, calls = torchvision_models.create_feature_extractor, []
    monkeypatch.setattr(
        torchvision_models, "create_feature_extractor", lambda *a, **k: calls.append(a) or extract(*a, **k)
    )
    encoder = build_encoder(f"torchvision/{family}")
    assert len(calls) == 1
    assert list(encoder.channels) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("family", ["mobilenet_v3_small", "regnet_y_400mf", "convnext_tiny"])
def test_deeplab_takes_torchvisions_families_at_stride_16(family):
    network = build_segmenter("deeplabv3plus", f"torchvision/{family}", 2)
    stages = network.outputs(images(1, 64, 96)).stages
    assert stages["encoder.5"].shape[2:] == stages["encoder.4"].shape[2:] == (4, 6)
    report = load_encoder(network, build_backbone(f"torchvision/{family}", seed=4).state_dict())
    assert not report.missing
    assert not report.unexpected
    with pytest.raises(ConfigError, match="has no encoder torchvision"):
        export_library(network, Path("nowhere"))
