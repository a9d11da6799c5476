"""Small-map convolutions equal torch's, forward and backward."""

import pytest
import torch
from torch import nn

from sightline.models.cpu import for_cpu, small_maps
from sightline.models.cpu.small_maps import SmallMapConv2d
from sightline.models.recast import recast


@pytest.mark.parametrize("height", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (1, 1), (1, 2)])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("amx", [False, True])
def test_values_and_gradients_are_those_of_the_convolution(height, width, kernel, stride, bias, amx, monkeypatch):
    monkeypatch.setattr(small_maps, "_amx", lambda: amx)
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 5, kernel, stride, padding=kernel // 2, bias=bias).double()
    fast = recast(convolution, SmallMapConv2d)
    x = torch.randn(2, 3, height, width, dtype=torch.float64, requires_grad=True)
    parameters = [x, *convolution.parameters()]
    expected, found = convolution(x), fast(x)
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(expected)
    for ours, theirs in zip(
        torch.autograd.grad((found * weights).sum(), parameters),
        torch.autograd.grad((expected * weights).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_map_of_one_pixel_has_the_strides_of_its_gradient(kernel):
    x = torch.randn(2, 3, 1, 1).contiguous(memory_format=torch.channels_last)
    convolution = SmallMapConv2d(3, 5, kernel, padding=kernel // 2, bias=False)
    assert convolution(x).stride() == torch.empty(2, 5, 1, 1).stride()


def test_names_stay_and_what_does_not_fit_is_left_alone():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1, groups=2), nn.Conv2d(4, 4, 7))
    names = list(net.state_dict())
    for_cpu(net)
    assert list(net.state_dict()) == names
    assert [type(layer) is SmallMapConv2d for layer in net] == [True, False, False]
