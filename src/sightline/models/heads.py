"""Heads: a linear classifier, and the projector of self-supervised methods."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


class LinearHead(nn.Linear):
    """A linear classifier; zero bias and N(0, 0.01²) weights, as linear evaluation in DINO's code."""

    def __init__(self, in_dim: int, classes: int) -> None:
        super().__init__(in_dim, classes)
        nn.init.normal_(self.weight, std=0.01)
        nn.init.zeros_(self.bias)


def projector(in_dim: int, hidden: Sequence[int], out_dim: int, *, batch_norm: bool = True) -> nn.Sequential:
    """Return an MLP from features (N, in_dim) to (N, out_dim): linear, batch norm and ReLU for each hidden layer.

    Args:
        in_dim: of the backbone's features.
        hidden: width of each hidden layer.
        out_dim: of the last layer, which has neither batch norm nor bias.
        batch_norm: after each hidden layer; without it, hidden layers have a bias.
    """
    layers: list[nn.Module] = []
    for width in hidden:
        layers.append(nn.Linear(in_dim, width, bias=not batch_norm))
        if batch_norm:
            layers.append(nn.BatchNorm1d(width))
        layers.append(nn.ReLU(inplace=True))
        in_dim = width
    return nn.Sequential(*layers, nn.Linear(in_dim, out_dim, bias=False))
