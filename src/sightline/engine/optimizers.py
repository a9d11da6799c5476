"""Optimisers by name, with the parameter groups every self-supervised recipe uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from sightline.config import OptimConfig


def decay_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Split parameters into those with weight decay and those without: biases and norms (all of one dimension)."""
    named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    decayed = [p for name, p in named if p.ndim > 1 and not name.endswith("bias")]
    plain = [p for name, p in named if p.ndim <= 1 or name.endswith("bias")]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]


def make_optimizer(module: nn.Module, config: OptimConfig) -> Optimizer:
    """Return the optimiser over `module`; learning rate and decay are set again each step by the schedule."""
    groups = decay_groups(module, config.weight_decay)
    if config.name == "adamw":
        return AdamW(groups, lr=config.lr, betas=config.betas, fused=True)
    if config.name == "lars":
        return LARS(groups, lr=config.lr, momentum=config.momentum)
    optimizer = SGD(groups, lr=config.lr, momentum=config.momentum, fused=True)
    # The fused kernel fails once some tensors have a momentum buffer and others, held still so far, have none. Zeros
    # from the start are the same: the first buffer is m·0 + gradient.
    for parameter in (p for group in optimizer.param_groups for p in group["params"]):
        optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


def scaled_lr(config: OptimConfig, batch: int) -> float:
    """Return lr × batch / lr_batch: linear scaling (Goyal et al. 2017), `batch` being images an optimiser step."""
    return config.lr * batch / config.lr_batch if config.lr_batch else config.lr


class LARS(Optimizer):
    """Layer-wise adaptive rate scaling (You et al. 2017), as in the official DINO and Barlow Twins code.

    Each tensor of two or more dimensions steps by η·‖w‖/‖g + λw‖ of its decayed gradient; vectors step plainly.
    """

    def __init__(self, params: Iterable[Any], lr: float, momentum: float = 0.9, eta: float = 0.001) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "eta": eta, "weight_decay": 0.0})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Make one step."""
        loss = closure() if closure else None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                update = parameter.grad
                if parameter.ndim > 1:
                    update = update.add(parameter, alpha=group["weight_decay"])
                    weight_norm, update_norm = parameter.norm(), update.norm()
                    ratio = group["eta"] * weight_norm / update_norm
                    update = update * torch.where((weight_norm > 0) & (update_norm > 0), ratio, 1.0)
                state = self.state[parameter]
                buffer = state.setdefault("momentum_buffer", torch.zeros_like(parameter))
                buffer.mul_(group["momentum"]).add_(update)
                parameter.add_(buffer, alpha=-group["lr"])
        return loss
