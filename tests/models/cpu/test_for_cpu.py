"""`for_cpu`: values, gradients and names of the plain network; what it puts in, and where it is put in."""

import copy

import pytest
import segmentation_models_pytorch as smp
import timm
import torch
import torchvision
from torch import nn

from sightline.models import build_backbone
from sightline.models.cpu import for_cpu, place
from sightline.models.cpu.enlarging import EnlargingBlock
from sightline.models.cpu.small_maps import SmallMapConv2d, fits
from sightline.models.cpu.stem import pool_before_relu
from sightline.models.segmentation import SkipPolicy, build_segmenter

LIBRARIES = {
    "timm": lambda name: timm.create_model(name, num_classes=0),
    "torchvision": lambda name: torchvision.models.get_model(name, weights=None),
}


def pixels(batch, side):
    return torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(side)).double()


def assert_gradients_agree(ours, theirs, rename=lambda name: name):
    expected = {rename(name): value.grad for name, value in theirs.named_parameters()}
    for name, value in ours.named_parameters():
        if value.grad is not None:
            wanted = expected[name]
            # Of the largest: batch norms over a handful of values leave gradients that are all but zero.
            assert (value.grad - wanted).abs().max() <= 1e-8 * wanted.abs().max() + 1e-12, name


@pytest.mark.parametrize("side", [16, 64])
@pytest.mark.parametrize(
    "name", ["timm/resnet18", "timm/resnet10t", "timm/test_efficientnet", "timm/test_vit", "torchvision/resnet18"]
)
def test_a_backbone_is_the_librarys_own_in_values_gradients_and_names(name, side):
    # In 64 bits, where two orders of summation agree and a wrong gradient does not hide in rounding.
    library, _, bare = name.partition("/")
    theirs = LIBRARIES[library](bare).double()
    if library == "torchvision":
        theirs.fc = nn.Identity()
    elif name == "timm/test_vit":
        theirs = timm.create_model(bare, num_classes=0, dynamic_img_size=True).double()
    ours = build_backbone(name).double()
    assert list(ours.inner.state_dict()) == list(theirs.state_dict())
    ours.inner.load_state_dict(theirs.state_dict())
    before = list(ours.state_dict())
    for_cpu(ours)
    assert list(ours.state_dict()) == before
    x = pixels(6, side)
    found, expected = ours(x), theirs(x).flatten(1)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)
    found.square().mean().backward()
    expected.square().mean().backward()
    assert_gradients_agree(ours.inner, theirs)
    for (key, a), b in zip(ours.inner.state_dict().items(), theirs.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10, msg=key)


@pytest.mark.parametrize("side", [32, 96])
def test_a_u_net_is_segmentation_models_pytorchs_in_values_and_gradients(side):
    ours = for_cpu(build_segmenter("unet", "resnet18", 5)).double()
    theirs = smp.Unet("resnet18", encoder_weights=None, classes=5).double()

    def renamed(name):
        return name.replace("encoder.", "encoder.inner.", 1)

    ours.load_state_dict({renamed(name): value for name, value in theirs.state_dict().items()})
    x = pixels(6, side)
    found, expected = ours(x), theirs(x)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)
    found.square().mean().backward()
    expected.square().mean().backward()
    assert_gradients_agree(ours, theirs, renamed)


@pytest.mark.parametrize("policy", [None, SkipPolicy("deepest"), SkipPolicy("deepest", "structural")])
def test_a_u_net_without_a_skip_stays_what_it_is(policy):
    plain = build_segmenter("unet", "timm/test_resnet", 3, policy=policy).double()
    quick = for_cpu(copy.deepcopy(plain))
    x = pixels(2, 64)
    torch.testing.assert_close(quick(x), plain(x), rtol=1e-9, atol=1e-10)


def test_what_it_exchanges():
    backbone = for_cpu(build_backbone("timm/resnet18"))
    convolutions = [module for module in backbone.modules() if isinstance(module, nn.Conv2d)]
    assert [type(module) for module in convolutions] == [nn.Conv2d] + [SmallMapConv2d] * 19  # but for the 7×7 stem
    assert isinstance(backbone.inner.act1, nn.Identity)
    pool, relu = backbone.inner.maxpool
    assert isinstance(pool, nn.MaxPool2d)
    assert isinstance(relu, nn.ReLU)
    network = for_cpu(build_segmenter("unet", "timm/resnet18", 2))
    assert all(type(block) is EnlargingBlock for block in network.decoder.blocks)
    assert isinstance(network.encoder.inner.act1, nn.ReLU)  # the shallowest skip is read before the pool
    assert isinstance(network.encoder.inner.maxpool, nn.MaxPool2d)
    for model in (backbone, network):
        assert not any(fits(module) for module in model.modules())
        types = [type(module) for module in model.modules()]
        assert types == [type(module) for module in for_cpu(model).modules()]  # once is enough
        assert types == [type(module) for module in copy.deepcopy(model).modules()]


@pytest.mark.parametrize(("device", "quick"), [("cpu", True), ("meta", False)])
def test_elsewhere_than_on_a_cpu_a_network_stays_as_it_was_built(device, quick):
    for make in (
        lambda: build_backbone("timm/resnet18"),
        lambda: build_backbone("torchvision/resnet18"),
        lambda: build_segmenter("unet", "timm/resnet18", 2),
        lambda: build_segmenter("deeplabv3plus", "timm/resnet18", 2),
    ):
        plain, placed = make(), place(make(), torch.device(device))
        types = [type(module) for module in placed.modules()]
        assert (types == [type(module) for module in plain.modules()]) != quick
        assert (SmallMapConv2d in types) == quick
        assert {value.device.type for value in placed.parameters()} == {device}
    inner = place(build_backbone("timm/resnet18"), torch.device("meta")).inner
    assert [type(module) for module in inner.modules()] == [
        type(module) for module in timm.create_model("resnet18", num_classes=0).modules()
    ]


@pytest.mark.parametrize("name", ["torchvision/resnet18", "timm/resnet10t", "timm/resnet18"])
def test_pooling_before_the_relu_changes_no_value_and_no_gradient(name):
    backbone = build_backbone(name)
    plain = build_backbone(name)
    pool_before_relu(backbone)
    assert isinstance(backbone.inner.maxpool, nn.Sequential)
    assert isinstance(plain.inner.maxpool, nn.MaxPool2d)
    assert list(plain.state_dict()) == list(backbone.state_dict())
    images = torch.randn(2, 3, 32, 32)
    for network in (backbone, plain):
        network(images).square().sum().backward()
    for ours, theirs in zip(backbone.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours.grad, theirs.grad)
