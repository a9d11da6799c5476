"""Skip policies and interventions: names, draws, and what reaches the decoder."""

import numpy as np
import pytest
import torch

from sightline.errors import ConfigError
from sightline.models.segmentation import Intervention, SkipPolicy, build_segmenter, parse_drop

RESNET = (1, 2, 3, 4)


def unet(policy=None, seed=0, stem="published"):
    return build_segmenter("unet", "timm/test_resnet", 3, policy=policy, seed=seed, stem=stem)


def images(batch=2, side=64, seed=0):
    return torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("drop", "dropped"),
    [
        (None, ()),
        ("none", ()),
        ("deepest", (4,)),
        ("shallowest", (1,)),
        ("all", RESNET),
        ("random", ()),
        (3, (3,)),
        ("3", (3,)),
    ],
)
def test_names_become_indices(drop, dropped):
    assert SkipPolicy(drop).dropped(RESNET) == dropped


@pytest.mark.parametrize(
    ("make", "hint"),
    [
        (
            lambda: SkipPolicy(7).dropped(RESNET),
            r"skips.drop = 7.*are 1, 2, 3, 4 \(deepest 4, shallowest 1\).*deepest, sh",
        ),
        (lambda: SkipPolicy(5).dropped(RESNET), "skips.drop = 5"),
        (lambda: SkipPolicy("deepst"), "Did you mean 'deepest'"),
        (lambda: parse_drop("-1"), "'-1': is no skip"),
        (lambda: SkipPolicy("deepest").dropped(()), "no skip connections to drop.*the model unet"),
        (lambda: SkipPolicy("random", "structural"), "which a structure cannot"),
        (lambda: SkipPolicy("deepest", "zero", match_parameters=True), "set skips.mode = 'structural'"),
        (lambda: SkipPolicy("deepest", "cut"), "'zero' or 'structural'"),  # pyright: ignore[reportArgumentType]
        (lambda: Intervention(4, "shuffle"), "permutation"),
        (lambda: Intervention(4, "zero", torch.tensor([0])), "permutation"),
        (lambda: Intervention(4, "noise"), "zero, mean, shuffle"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_what_cannot_be_is_named(make, hint):
    with pytest.raises(ConfigError, match=hint):
        make()


def test_random_drops_one_skip_a_sample_as_seed_epoch_and_sample_say():
    policy = SkipPolicy("random")
    samples = list(range(4000))
    keep_mask = policy.keep_mask(RESNET, 1, 0, samples)
    assert (keep_mask.sum(1) == 3).all()
    counts = (~keep_mask).sum(0)
    assert abs(counts - 1000).max() < 5 * np.sqrt(4000 * 0.25 * 0.75)
    again = policy.keep_mask(RESNET, 1, 0, samples[::-1])[::-1]
    np.testing.assert_array_equal(keep_mask, again)
    assert (policy.keep_mask(RESNET, 1, 1, samples) != keep_mask).any()
    assert (policy.keep_mask(RESNET, 2, 0, samples) != keep_mask).any()


def test_a_fixed_policy_keeps_the_same_for_all():
    keep_mask = SkipPolicy("deepest").keep_mask(RESNET, 0, 0, [5, 6])
    np.testing.assert_array_equal(keep_mask, [[True, True, True, False]] * 2)


@pytest.mark.parametrize("index", RESNET)
def test_a_zeroed_skip_is_the_networks_own_with_zeros_in_its_place(index):
    full, without = unet().eval(), unet(SkipPolicy(index)).eval()
    assert [name for name, _ in full.named_parameters()] == [name for name, _ in without.named_parameters()]
    assert all(torch.equal(a, b) for a, b in zip(full.parameters(), without.parameters(), strict=True))
    x = images()
    keep_mask = torch.ones(2, 4, dtype=torch.bool)
    keep_mask[:, index - 1] = False
    torch.testing.assert_close(without(x), full(x, keep_mask))
    torch.testing.assert_close(without(x), full(x, intervention=Intervention(index)))
    assert (without(x) - full(x)).abs().max() > 1e-3
    assert f"skip.{index}" not in without.outputs(x).stages


@pytest.mark.parametrize("index", RESNET)
def test_a_zeroed_skip_brings_no_gradient_to_the_encoder(index):
    network = unet()
    x = images()
    features = network.outputs(x, torch.zeros(2, 4, dtype=torch.bool)).stages
    feature = network.outputs(x).stages
    assert not features[f"skip.{index}"].any()
    assert feature[f"skip.{index}"].any()
    weight = network.decoder.blocks[4 - index].conv1[0].weight
    channels = network.decoder.plans[4 - index].channels
    keep_mask = torch.ones(2, 4, dtype=torch.bool)
    keep_mask[:, index - 1] = False
    network(x, keep_mask).square().mean().backward()
    assert not weight.grad[:, channels:].any()
    assert weight.grad[:, :channels].any()


def test_kept_is_by_sample():
    network = unet().eval()
    x = images(3)
    keep_mask = torch.ones(3, 4, dtype=torch.bool)
    keep_mask[1, 3] = False
    changed = (network(x, keep_mask) - network(x)).abs().amax((1, 2, 3))
    assert changed[0] < 1e-5
    assert changed[1] > 1e-3
    assert changed[2] < 1e-5


def test_structural_has_no_channels_for_the_skip():
    full, without = unet(), unet(SkipPolicy("deepest", "structural"))
    lost = 9 * full.encoder.channels[4] * 256
    assert _size(full) - _size(without) == lost
    assert without(images()).shape == (2, 3, 64, 64)
    assert without.skips == RESNET
    assert without.dropped == (4,)


@pytest.mark.parametrize("encoder", ["resnet18", "timm/test_resnet", "timm/test_convnext"])
@pytest.mark.parametrize("drop", ["deepest", "shallowest", "all", 3])
def test_a_matched_control_has_the_parameters_of_the_full_network(encoder, drop):
    full = build_segmenter("unet", encoder, 5)
    matched = build_segmenter("unet", encoder, 5, policy=SkipPolicy(drop, "structural", True))
    assert abs(_size(matched) / _size(full) - 1) < 0.01
    assert _size(matched.encoder) == _size(full.encoder)
    changed = [a != b for a, b in zip(full.decoder.plans, matched.decoder.plans, strict=True)]
    assert sum(changed) == len(matched.dropped)
    assert matched(torch.zeros(1, 3, 64, 64)).shape == (1, 5, 64, 64)


def test_interventions_change_what_they_say():
    network = unet().eval()
    x = images(3)
    order = torch.tensor([1, 2, 0])
    plain = network.outputs(x).stages
    for index in RESNET:
        name = f"skip.{index}"
        zero = network.outputs(x, intervention=Intervention(index, "zero")).stages
        assert not zero[name].any()
        mean = network.outputs(x, intervention=Intervention(index, "mean")).stages
        torch.testing.assert_close(mean[name], plain[name].mean((0, 2, 3), keepdim=True).expand_as(plain[name]))
        shuffled = network.outputs(x, intervention=Intervention(index, "shuffle", order)).stages
        torch.testing.assert_close(shuffled[name], plain[name][order])
        for other in RESNET:
            if other != index:
                torch.testing.assert_close(shuffled[f"skip.{other}"], plain[f"skip.{other}"])
    identity = Intervention(4, "shuffle", torch.arange(3))
    torch.testing.assert_close(network(x, intervention=identity), network(x))


@pytest.mark.parametrize("order", [[0, 0, 1], [0, 1], [1, 2, 3]])
def test_a_permutation_that_is_none(order):
    with pytest.raises(ConfigError, match="each of 0 to 2 once"):
        unet().eval()(images(3), intervention=Intervention(4, "shuffle", torch.tensor(order)))


@pytest.mark.parametrize(
    ("keep_mask", "hint"),
    [
        (torch.ones(2, 3, dtype=torch.bool), r"torch.bool \(2, 4\)"),
        (torch.ones(1, 4, dtype=torch.bool), r"torch.bool \(2, 4\)"),
        (torch.ones(2, 4), "torch.float32"),
    ],
)
def test_kept_of_another_shape_is_refused(keep_mask, hint):
    with pytest.raises(ConfigError, match=hint):
        unet()(images(), keep_mask)


def test_an_intervention_needs_a_skip_that_is_there():
    with pytest.raises(ConfigError, match="skip 4: this network has the skip connections 1, 2, 3"):
        unet(SkipPolicy("deepest"))(images(), intervention=Intervention(4))
    with pytest.raises(ConfigError, match="skip 5"):
        unet()(images(), intervention=Intervention(5))


def _size(module):
    return sum(value.numel() for value in module.parameters())
