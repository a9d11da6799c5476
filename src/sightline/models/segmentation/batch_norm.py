"""Batch norm that trains on a batch of one, where a map has a single position.

The pooled branch of DeepLabV3+ (Chen et al. 2018), and the last stage on an image of 32 px, bring one value a channel.
Its batch variance is zero: normalised by itself it would be nothing but the bias, whatever was seen, and torch refuses.
Normalising it by the running statistics, as in evaluation, keeps what it says; the statistics themselves stay, for one
value tells no variance.
"""

from __future__ import annotations

from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn


class AnyBatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` that takes its running statistics where a batch has one value a channel."""

    def forward(self, input: Tensor) -> Tensor:
        """Return (B, C, H, W) normalised."""
        if not _is_single(self, input):
            return super().forward(input)
        self.training = False
        try:
            return super().forward(input)
        finally:
            self.training = True


class AnyBatchNormAct2d(BatchNormAct2d):
    """The same of timm's batch norm with an activation."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W) normalised and activated."""
        if not _is_single(self, x):
            return super().forward(x)
        self.training = False
        try:
            return super().forward(x)
        finally:
            self.training = True


def use_any_batch_norm(module: nn.Module) -> nn.Module:
    """Turn, in place, the batch norms below `module` into such; their tensors and names stay."""
    for child in module.modules():
        if type(child) is nn.BatchNorm2d:
            child.__class__ = AnyBatchNorm2d
        elif type(child) is BatchNormAct2d:
            child.__class__ = AnyBatchNormAct2d
    return module


def _is_single(norm: nn.BatchNorm2d | BatchNormAct2d, x: Tensor) -> bool:
    return norm.training and x.numel() == x.shape[1] and norm.running_mean is not None
