"""Batch norm over the batch of all processes: the statistics, and their gradients, of one process on the whole batch.

On CPUs torch's SyncBatchNorm has no kernel, so the same is written here with one collective each way. A GPU takes
torch's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.nn.modules._functions import SyncBatchNorm as _OnGpu

from sightline.models.batch_norm import AnyBatchNorm2d, AnyBatchNormAct2d
from sightline.models.recast import recast


class SynchronizedBatchNorm1d(nn.BatchNorm1d):
    """`nn.BatchNorm1d` over all processes; `alone` makes it that of this process."""

    alone = False

    def forward(self, input: Tensor) -> Tensor:
        """Return (B, C) or (B, C, L) normalized."""
        return _normalized(self, input) if _joins(self) else super().forward(input)


class SynchronizedBatchNorm2d(AnyBatchNorm2d):
    """`nn.BatchNorm2d` over all processes; `alone` makes it that of this process."""

    alone = False

    def forward(self, input: Tensor) -> Tensor:
        """Return (B, C, H, W) normalized."""
        return _normalized(self, input) if _joins(self) else super().forward(input)


class SynchronizedBatchNormAct2d(AnyBatchNormAct2d):
    """timm's batch norm with an activation over all processes; `alone` makes it that of this process."""

    alone = False

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W) normalized and activated."""
        if not _joins(self):
            return super().forward(x)
        norm: Any = self  # whose activation and dropout timm declares of no type
        return norm.act(norm.drop(_normalized(norm, x)))


Synchronized = SynchronizedBatchNorm1d | SynchronizedBatchNorm2d | SynchronizedBatchNormAct2d
# Exact classes, as in `batch_norm`: what derives from them has its own ways.
FORMS: dict[type[nn.Module], type[Synchronized]] = {
    nn.BatchNorm1d: SynchronizedBatchNorm1d,
    nn.BatchNorm2d: SynchronizedBatchNorm2d,
    AnyBatchNorm2d: SynchronizedBatchNorm2d,
    BatchNormAct2d: SynchronizedBatchNormAct2d,
    AnyBatchNormAct2d: SynchronizedBatchNormAct2d,
}


def synchronize_batch_norms(modules: Iterable[nn.Module]) -> list[Synchronized]:
    """Exchange the batch norms below `modules`, in place, for those over all processes; tensors and names stay.

    Returns:
        Those that are there now. In evaluation they are what they were; in training every process must call them in
        the same order.
    """
    for module in modules:
        for parent in list(module.modules()):
            for name, child in list(parent.named_children()):
                if type(child) in FORMS:
                    setattr(parent, name, recast(child, FORMS[type(child)]))
    return [norm for module in modules for norm in module.modules() if isinstance(norm, Synchronized)]


def _joins(norm: Synchronized) -> bool:
    return norm.training and not norm.alone


def _normalized(norm: Any, x: Tensor) -> Tensor:
    """Return `x` normalized by the statistics of all processes, and move the running ones as torch does."""
    factor, tracked = norm.momentum, norm.track_running_stats
    if tracked and norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
        if factor is None:
            factor = 1.0 / float(norm.num_batches_tracked)
    running = (norm.running_mean, norm.running_var) if tracked else (None, None)
    if x.is_cuda:
        world = distributed.get_world_size()
        return _OnGpu.apply(x, norm.weight, norm.bias, *running, norm.eps, factor, distributed.group.WORLD, world)  # pyright: ignore[reportReturnType]
    return _BatchNormOverProcesses.apply(x, norm.weight, norm.bias, *running, norm.eps, factor)  # pyright: ignore[reportReturnType]


class _BatchNormOverProcesses(torch.autograd.Function):
    """Ioffe and Szegedy 2015, algorithm 1, with the batch spread over processes, in shares of any size.

    With n values a channel in all, dx = w/σ·(dy − Σdy/n − x̂·Σ(dy·x̂)/n), the sums over all processes. The gradients of
    w and b are this process's part: who averages gradients over processes averages these too.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        eps: float,
        factor: float,
    ) -> Tensor:
        channels = x.shape[1]
        dims = [dim for dim in range(x.dim()) if dim != 1]
        variance, mean = torch.var_mean(_exact(x), dims, correction=0)
        here = torch.cat([mean, variance, mean.new_tensor([x.numel() // channels])])
        gathered = [torch.empty_like(here) for _ in range(distributed.get_world_size())]
        distributed.all_gather(gathered, here)
        # In float64: variances are joined as means of squares about the common mean (Chan et al. 1979).
        means, variances, counts = torch.stack(gathered).double().split([channels, channels, 1], dim=1)
        count = counts.sum()
        common = (counts * means).sum(dim=0) / count
        spread = (counts * (variances + (means - common).square())).sum(dim=0) / count
        if running_mean is not None and running_var is not None:
            running_mean.lerp_(common.to(running_mean), factor)
            running_var.lerp_((spread * count / (count - 1)).to(running_var), factor)
        mean, variance = common.to(mean), spread.to(mean)
        ctx.save_for_backward(x, weight, mean, (variance + eps).rsqrt())
        ctx.count, ctx.dims = count.to(mean), dims
        return functional.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale = ctx.saved_tensors
        shape = [1, -1] + [1] * (x.dim() - 2)
        gradient = _exact(gradients[0])
        normalized = (_exact(x) - mean.view(shape)) * scale.view(shape)
        here = torch.stack([gradient.sum(ctx.dims), (gradient * normalized).sum(ctx.dims)])
        to_bias, to_weight = here.clone()
        to_x = None
        if ctx.needs_input_grad[0]:
            distributed.all_reduce(here)
            of_ones, of_normalized = (here / ctx.count).unsqueeze(1).view(2, *shape)
            to_x = gradient - of_ones - normalized * of_normalized
            to_x *= (scale if weight is None else scale * weight).view(shape)
            to_x = to_x.to(x.dtype)
        if weight is None:
            return (to_x, *[None] * 6)
        return (to_x, to_weight.to(weight.dtype), to_bias.to(weight.dtype), *[None] * 4)


def _exact(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
