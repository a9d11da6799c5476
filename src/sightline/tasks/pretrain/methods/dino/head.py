"""DINO's head: an MLP, a normalized bottleneck, and prototypes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class DinoHead(nn.Module):
    """DINO's head (Caron et al. 2021, appendix C): a 3-layer MLP, L2 normalisation, a weight-normalised last layer.

    Args:
        in_dim: of the backbone's features.
        hidden: of the two hidden layers, 2048 in the paper.
        bottleneck: of the normalised vector, 256 in the paper.
        prototypes: K, the output dimension.
        batch_norm: after each hidden layer; the paper's option for convolutional backbones.
        bottleneck_batch_norm: on the vector before it is normalised, without scale and shift: from the first step on
            images differ in it, which an untrained network's all but parallel features would not.
    """

    def __init__(
        self,
        in_dim: int,
        hidden: int,
        bottleneck: int,
        prototypes: int,
        batch_norm: bool = False,
        bottleneck_batch_norm: bool = False,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in (in_dim, hidden):
            layers.append(nn.Linear(width, hidden, bias=not batch_norm))
            if batch_norm:
                layers.append(nn.BatchNorm1d(hidden))
            layers.append(nn.GELU())
        layers.append(nn.Linear(hidden, bottleneck))
        if bottleneck_batch_norm:
            layers.append(nn.BatchNorm1d(bottleneck, affine=False))
        self.mlp = nn.Sequential(*layers)
        for module in self.mlp:
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self.last_layer = NormalizedLinear(bottleneck, prototypes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (N, K): cosines between bottleneck and prototypes, in −1 … 1."""
        return self.last_layer(self.project(features))

    def project(self, features: Tensor) -> Tensor:
        """Return the bottleneck, float32 (N, bottleneck) of norm one."""
        return functional.normalize(self.mlp(features).float(), dim=-1)


class NormalizedLinear(nn.Module):
    """A linear layer whose rows have norm one: weight normalisation with its gain fixed at 1, as DINO's default."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_dim, in_dim))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)  # nn.Linear's own, as in the official code

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (N, out_dim); rows are normalised in float32 whatever the autocast."""
        return functional.linear(inputs, functional.normalize(self.weight, dim=-1))
