"""The convolution of an enlarged map: the plain one's numbers, with and without a skip, and in bfloat16."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sightline.models.cpu import enlarging
from sightline.models.cpu.enlarging import convolve_enlarged


def images(batch=2, height=64, width=64, seed=0):
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=25, deadline=None)
@given(
    channels=st.integers(1, 9),
    skip=st.integers(0, 5),
    height=st.integers(5, 9),
    width=st.integers(5, 9),
    seed=st.integers(0, 99),
)
def test_the_fast_convolution_gives_the_same_numbers(channels, skip, height, width, seed):
    make = torch.Generator().manual_seed(seed)
    convolution = nn.Conv2d(channels + skip, 3, 3, padding=1, bias=False).double()
    x = torch.randn(2, channels, height, width, generator=make, dtype=torch.float64, requires_grad=True)
    other = torch.randn(2, skip, 2 * height, 2 * width, generator=make, dtype=torch.float64) if skip else None
    enlarged = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
    expected = convolution(enlarged if other is None else torch.cat([enlarged, other], 1))
    found = convolve_enlarged(convolution, x, other, 2)
    torch.testing.assert_close(found, expected)
    for a, b in zip(_gradients(found, x, convolution), _gradients(expected, x, convolution), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("side", [2, 8])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_missing_skip_is_zeros(side, scale):
    convolution = nn.Conv2d(7, 4, 3, padding=1, bias=False)
    x = images(2, side, side)
    zeros = torch.zeros(2, 4, scale * side, scale * side)
    expected = convolve_enlarged(convolution, x, zeros, scale)
    torch.testing.assert_close(convolve_enlarged(convolution, x, None, scale), expected)


@pytest.mark.parametrize(("channels", "skip", "side"), [(256, 128, 6), (64, 64, 16), (32, 0, 32)])
def test_in_bfloat16_the_fast_convolution_is_as_exact_as_the_plain_one(channels, skip, side, monkeypatch):
    convolution = nn.Conv2d(channels + skip, 32, 3, padding=1, bias=False)
    x = images(4, side, side).repeat(1, channels, 1, 1)[:, :channels].requires_grad_()
    x = (x + torch.randn(x.shape, generator=torch.Generator().manual_seed(1))).detach().requires_grad_()
    other = torch.randn(4, skip, 2 * side, 2 * side) if skip else None

    def run(bf16):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            found = convolve_enlarged(convolution, x, other, 2).float()
        return [found, *_gradients(found, x, convolution)]

    exact, fast, again = run(False), run(True), run(True)
    monkeypatch.setattr(enlarging, "_faster", lambda x, scale: False)
    plain = run(True)
    for wanted, a, b, c in zip(exact, fast, again, plain, strict=True):
        assert torch.equal(a, b)
        assert (a - wanted).norm() < 1.5 * (c - wanted).norm() + 1e-6


def _gradients(found, x, convolution):
    return torch.autograd.grad(found.sin().sum(), [x, convolution.weight], retain_graph=True)
