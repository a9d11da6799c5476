"""DINO's head against the official definition."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from sightline.tasks.pretrain.methods.dino.head import DinoHead


class OfficialHead(nn.Module):
    """The definition of Caron et al. (2021), written with torch's own weight normalisation."""

    def __init__(self, in_dim, hidden, bottleneck, prototypes):
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Linear(in_dim, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, bottleneck)]
        )
        self.last = nn.utils.parametrizations.weight_norm(nn.Linear(bottleneck, prototypes, bias=False))
        self.last.parametrizations.weight.original0.data.fill_(1)

    def forward(self, x):
        first, second, third = self.layers
        x = third(functional.gelu(second(functional.gelu(first(x)))))
        return self.last(functional.normalize(x, dim=-1, p=2))


def pair():
    torch.manual_seed(0)
    official, ours = OfficialHead(12, 16, 8, 20), DinoHead(12, 16, 8, 20)
    for theirs, mine in zip(official.layers, [m for m in ours.mlp if isinstance(m, nn.Linear)], strict=True):
        mine.load_state_dict(theirs.state_dict())
    ours.last_layer.weight.data.copy_(official.last.parametrizations.weight.original1.data)
    return official, ours


def test_values_and_gradients_are_the_official_ones():
    official, ours = pair()
    x = torch.randn(6, 12)
    torch.testing.assert_close(ours(x), official(x))
    weights = torch.randn(6, 20)
    (official(x) * weights).sum().backward()
    (ours(x) * weights).sum().backward()
    torch.testing.assert_close(ours.last_layer.weight.grad, official.last.parametrizations.weight.original1.grad)
    torch.testing.assert_close(ours.mlp[0].weight.grad, official.layers[0].weight.grad)


def test_logits_are_cosines_whatever_the_scale_of_the_last_layer():
    _, head = pair()
    x = torch.randn(6, 12)
    before = head(x)
    assert before.abs().max() <= 1 + 1e-6
    head.last_layer.weight.data.mul_(37)
    torch.testing.assert_close(head(x), before)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_initialisation_and_shape(batch_norm):
    torch.manual_seed(0)
    head = DinoHead(64, 256, 32, 128, batch_norm=batch_norm)
    linears = [module for module in head.mlp if isinstance(module, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linears] == [(64, 256), (256, 256), (256, 32)]
    for module in linears:
        assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
        assert module.bias is None or not module.bias.any()
    assert sum(isinstance(m, nn.BatchNorm1d) for m in head.mlp) == (2 if batch_norm else 0)
    assert head(torch.randn(4, 64)).shape == (4, 128)
    assert all(isinstance(value, torch.Tensor) for value in head.state_dict().values())


def test_bf16_autocast_stays_near_float32():
    _, head = pair()
    x = torch.randn(6, 12)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = head(x)
    torch.testing.assert_close(rough.float(), head(x), atol=0.02, rtol=0)
