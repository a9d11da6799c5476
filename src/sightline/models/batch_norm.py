"""Batch norm that trains on a batch of one, where a map has a single position.

The pooled branch of DeepLabV3+ (Chen et al. 2018), and the last stage on an image of 32 px, bring one value a channel.
Its batch variance is zero: normalised by itself it would be nothing but the bias, whatever was seen, and torch refuses.
Normalising it by the running statistics, as in evaluation, keeps what it says; the statistics themselves stay, for one
value tells no variance.
"""

from __future__ import annotations

from typing import Any, TypeVar

from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.recast import recast


class AnyBatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` that takes its running statistics where a batch has one value a channel."""

    def forward(self, input: Tensor) -> Tensor:
        """Return (B, C, H, W) normalised."""
        return _by_running_statistics(self, input) if _is_single(self, input) else super().forward(input)


class AnyBatchNormAct2d(BatchNormAct2d):
    """timm's batch norm with an activation, extended as `AnyBatchNorm2d` is."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W) normalised and activated."""
        if not _is_single(self, x):
            return super().forward(x)
        norm: Any = self  # whose activation and dropout timm declares of no type
        return norm.act(norm.drop(_by_running_statistics(norm, x)))


M = TypeVar("M", bound=nn.Module)
# Exact classes: what derives from them (a synchronised batch norm, say) has its own ways.
FORMS: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm2d: AnyBatchNorm2d,
    BatchNormAct2d: AnyBatchNormAct2d,
}


def use_any_batch_norm(module: M) -> M:
    """Replace the batch norms below `module`, in place, by those that take a batch of one; tensors and names stay."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if type(child) in FORMS:
                setattr(parent, name, recast(child, FORMS[type(child)]))
    return module


def _is_single(norm: nn.BatchNorm2d | BatchNormAct2d, x: Tensor) -> bool:
    return norm.training and x.numel() == x.shape[1] and norm.running_mean is not None


def _by_running_statistics(norm: Any, x: Tensor) -> Tensor:
    return functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps)
