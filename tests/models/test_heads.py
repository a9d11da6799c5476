"""Heads that belong to no method."""

import pytest
import torch
from torch import nn

from sightline.models import LinearHead, projector


def test_a_linear_head_starts_small_and_unbiased():
    torch.manual_seed(0)
    head = LinearHead(200, 10)
    assert head(torch.zeros(3, 200)).abs().max() == 0
    assert head.weight.std().item() == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_projector_has_the_widths_asked_for(batch_norm):
    head = projector(12, (32, 16), 8, batch_norm=batch_norm)
    linears = [module for module in head if isinstance(module, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linears] == [(12, 32), (32, 16), (16, 8)]
    assert [m.bias is None for m in linears] == [batch_norm, batch_norm, True]
    assert sum(isinstance(m, nn.BatchNorm1d) for m in head) == (2 if batch_norm else 0)
    assert head(torch.randn(4, 12)).shape == (4, 8)
