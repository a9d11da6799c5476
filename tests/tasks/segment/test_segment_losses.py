"""Losses against NumPy, torch and segmentation-models-pytorch; ignored pixels, absent classes, empty batches."""

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.config import IGNORE_INDEX
from sightline.config.losses import LOSSES
from sightline.errors import ConfigError, DataError
from sightline.tasks.segment.losses import Term, build_loss, parse_loss


def batch(seed=0, classes=4, ignored=0.2, size=9):
    make = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(2, classes, size, size, generator=make)
    target = torch.randint(classes, (2, size, size), generator=make)
    target[torch.rand(target.shape, generator=make) < ignored] = IGNORE_INDEX
    return logits.requires_grad_(), target


def gradient(loss, logits, target):
    (found,) = torch.autograd.grad(loss(logits, target), logits)
    return found


@pytest.mark.parametrize("weights", [None, [0.5, 1.0, 2.0, 0.0]])
def test_cross_entropy_is_torchs(weights):
    logits, target = batch()
    loss = build_loss("ce", weights)
    tensor = None if weights is None else torch.tensor(weights)
    expected = torch.nn.functional.cross_entropy(logits, target, tensor, ignore_index=IGNORE_INDEX)
    torch.testing.assert_close(loss(logits, target), expected)
    (wanted,) = torch.autograd.grad(expected, logits)
    torch.testing.assert_close(gradient(loss, logits, target), wanted)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("dice", smp.losses.DiceLoss("multiclass", ignore_index=IGNORE_INDEX)),
        ("jaccard", None),
        ("lovasz", smp.losses.LovaszLoss("multiclass", ignore_index=IGNORE_INDEX)),
    ],
)
def test_where_every_class_is_there_they_are_the_librarys(name, reference):
    logits, target = batch(ignored=0.2 if reference else 0.0)
    assert set(target.unique().tolist()) >= {0, 1, 2, 3}
    reference = reference or smp.losses.JaccardLoss("multiclass")  # it takes no ignore index
    loss = build_loss(name)
    expected = reference(logits, target)
    torch.testing.assert_close(loss(logits, target), expected)
    (wanted,) = torch.autograd.grad(expected, logits)
    torch.testing.assert_close(gradient(loss, logits, target), wanted, rtol=1e-4, atol=1e-7)


def test_tversky_is_its_formula():
    logits, target = batch()
    x = logits.detach().double().numpy()
    p = np.exp(x - x.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    valid = target.numpy() != IGNORE_INDEX
    losses = []
    for index in np.unique(target.numpy()[valid]):
        own, true = p[:, index][valid], target.numpy()[valid] == index
        hit, false, missed = own[true].sum(), own[~true].sum(), (1 - own[true]).sum()
        losses.append(1 - hit / (hit + 0.3 * false + 0.7 * missed))
    assert build_loss("tversky")(logits, target).item() == pytest.approx(np.mean(losses), rel=1e-5)


def test_focal_is_its_formula():
    logits, target = batch()
    weights = [1.0, 2.0, 3.0, 0.5]
    x = logits.detach().double().numpy()
    p = np.exp(x - x.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    valid = target.numpy() != IGNORE_INDEX
    own = np.take_along_axis(p, np.where(valid, target.numpy(), 0)[:, None], 1)[:, 0][valid]
    w = np.array(weights)[target.numpy()[valid]]
    expected = (w * (1 - own) ** 2 * -np.log(own)).sum() / w.sum()
    assert build_loss("focal", weights)(logits, target).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_perfect_is_zero_and_wrong_is_not(name):
    target = torch.randint(3, (1, 6, 6), generator=torch.Generator().manual_seed(0))
    logits = 40 * torch.nn.functional.one_hot(target, 3).permute(0, 3, 1, 2).float()
    loss = build_loss(name)
    assert loss(logits, target).item() == pytest.approx(0, abs=1e-5)
    assert loss(logits.roll(1, dims=1), target).item() > 0.9


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), ignored=st.floats(0.0, 1.0))
def test_ignored_pixels_change_nothing(name, seed, ignored):
    logits, target = batch(seed, ignored=ignored, size=5)
    loss = build_loss(name)
    value, found = loss(logits, target), gradient(loss, logits, target)
    hidden = (target == IGNORE_INDEX)[:, None].expand_as(logits)
    assert torch.isfinite(value)
    assert not found[hidden].any()
    spoiled = logits.detach().masked_fill(hidden, float("nan")).requires_grad_()
    torch.testing.assert_close(loss(spoiled, target), value)
    torch.testing.assert_close(gradient(loss, spoiled, target), found)
    # The same valid pixels alone, as a one-row picture.
    valid = target != IGNORE_INDEX
    if valid.any():
        alone = logits.detach().permute(0, 2, 3, 1)[valid].T[None, :, None]
        torch.testing.assert_close(loss(alone, target[valid][None, None]), value)


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_of_ignored_pixels_has_no_gradient(name):
    logits, target = batch()
    loss = build_loss(name)
    nothing = torch.full_like(target, IGNORE_INDEX)
    assert loss(logits, nothing).item() == 0
    assert torch.equal(gradient(loss, logits, nothing), torch.zeros_like(logits))


@pytest.mark.parametrize("name", ["dice", "jaccard", "lovasz"])
def test_an_absent_class_counts_neither_as_found_nor_as_missed(name):
    target = torch.zeros(1, 4, 4, dtype=torch.int64)
    target[:, 2:] = 1
    two = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    many = torch.cat([two, torch.full((1, 5, 4, 4), -60.0)], dim=1)  # five classes that nobody predicts or has
    loss = build_loss(name)
    torch.testing.assert_close(loss(many, target), loss(two, target))


def test_a_sum_is_the_sum_of_its_parts():
    logits, target = batch()
    loss = build_loss("0.5*ce + Dice+2*lovasz")
    assert loss.terms == (Term(0.5, "ce"), Term(1.0, "dice"), Term(2.0, "lovasz"))
    parts = {name: build_loss(name)(logits, target) for name in ("ce", "dice", "lovasz")}
    torch.testing.assert_close(loss(logits, target), 0.5 * parts["ce"] + parts["dice"] + 2 * parts["lovasz"])


def test_half_precision_logits_are_summed_in_single():
    logits, target = batch(size=32)
    for name in LOSSES:
        value = build_loss(name)(logits.bfloat16(), target)
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, build_loss(name)(logits.bfloat16().float(), target))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("dise", "Did you mean 'dice'"),
        ("ce+", "none of"),
        ("x*ce", "no positive number"),
        ("-1*ce", "no positive number"),
        ("inf*ce", "no positive number"),
        ("ce+ce", "twice"),
        ("", "none of"),
    ],
)
def test_a_text_that_is_no_loss(text, hint):
    with pytest.raises(ConfigError, match=hint):
        parse_loss(text)


@pytest.mark.parametrize(("weights", "text"), [([-1.0, 1.0], "ce"), ([0.0, 0.0], "ce"), ([1.0, 2.0], "dice")])
def test_class_weights_that_cannot_be(weights, text):
    with pytest.raises(ConfigError, match="class_weights"):
        build_loss(text, weights)


def test_a_mask_with_an_unknown_value_is_named():
    logits, target = batch()
    target[0, 0, 0] = 9
    with pytest.raises(DataError, match=r"values \[9\].*4 classes.*palette"):
        build_loss("ce")(logits, target)
