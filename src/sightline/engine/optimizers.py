"""One optimizer for every kind of run: parameter groups, kernels, and the schedule of learning rate and decay."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pkgutil import resolve_name
from typing import Any, overload

import torch
from timm.optim import param_groups_weight_decay  # pyright: ignore[reportPrivateImportUsage]
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from sightline import schedules
from sightline.config import OptimConfig
from sightline.config.optimizers import OPTIMIZERS

Groups = list[dict[str, Any]]


def parameter_groups(
    module: nn.Module, config: OptimConfig, lr_scales: Iterable[tuple[nn.Module, float]] = ()
) -> Groups:
    """Split the parameters of `module` that learn into groups of one weight decay and one learning rate.

    Weights of two or more dimensions decay; biases and norms do not (timm's rule).

    Args:
        module: what is trained.
        config: learning rate and weight decay.
        lr_scales: parts of `module`, each with the factor of its learning rate; the rest has 1.

    Returns:
        Groups with, beside what torch's optimizers take, `lr_scale` and `decay_scale`: factors of learning rate and
        weight decay, by which `OptimSchedule` sets them.
    """
    factors = {parameter: factor for part, factor in lr_scales for parameter in part.parameters()}
    groups: Groups = []
    # A decay of 1 marks the group that decays, also where a schedule begins at a decay of 0.
    for group in reversed(param_groups_weight_decay(module, 1.0)):
        for factor in dict.fromkeys(factors.get(parameter, 1.0) for parameter in group["params"]):
            groups.append(
                {
                    "params": [p for p in group["params"] if factors.get(p, 1.0) == factor],
                    "lr": config.lr * factor,
                    "lr_scale": factor,
                    "weight_decay": config.weight_decay * group["weight_decay"],
                    "decay_scale": group["weight_decay"],
                }
            )
    return groups


def make_optimizer(
    module: nn.Module, config: OptimConfig, *, lr_scales: Iterable[tuple[nn.Module, float]] = ()
) -> Optimizer:
    """Return the optimizer over `module`, with torch's fused kernels; see `parameter_groups` for the arguments."""
    return resolve_name(OPTIMIZERS[config.name].build)(parameter_groups(module, config, lr_scales), config)


def scaled_lr(config: OptimConfig, batch: int) -> float:
    """Return lr × batch / lr_batch: linear scaling (Goyal et al. 2017), `batch` being images an optimizer step."""
    return config.lr * batch / config.lr_batch if config.lr_batch else config.lr


class OptimSchedule:
    """Sets learning rate and weight decay of an optimizer before each step.

    All but `plateau` are functions of the step alone. `plateau` rises by the warm-up too, and then keeps its rate until
    `end_epoch` is told of a validation loss that no longer falls.

    Args:
        optimizer: from `make_optimizer`.
        config: what it was made from.
        epochs: of the run.
        steps_per_epoch: optimizer steps.
        batch: images a step, all processes together.
    """

    def __init__(
        self, optimizer: Optimizer, config: OptimConfig, *, epochs: int, steps_per_epoch: int, batch: int
    ) -> None:
        self._optimizer, self._config = optimizer, config
        self._total = epochs * steps_per_epoch
        self._warmup = round(config.warmup_epochs * steps_per_epoch)
        self._peak = scaled_lr(config, batch)
        self._set_lr(self._peak)
        self._plateau = None
        if config.schedule == "plateau":
            self._plateau = ReduceLROnPlateau(
                optimizer, mode="min", factor=config.plateau_factor, patience=config.plateau_patience
            )

    def set(self, step: int) -> float:
        """Set the values of `step` (0-based) and return the learning rate, before any group's `lr_scale`."""
        config, total = self._config, self._total
        end = config.weight_decay if config.weight_decay_end is None else config.weight_decay_end
        decay = schedules.cosine(step, total, config.weight_decay, end)
        for group in self._optimizer.param_groups:
            group["weight_decay"] = decay * group["decay_scale"]
        if self._plateau is not None and step >= self._warmup:
            return max(group["lr"] for group in self._optimizer.param_groups)
        lr = learning_rate(config, self._peak, step, total, self._warmup)
        self._set_lr(lr)
        return lr

    def _set_lr(self, lr: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = lr * group["lr_scale"]

    def end_epoch(self, validation_loss: float) -> None:
        """Lower the learning rate where the schedule is `plateau` and the loss has not fallen for long enough."""
        if self._plateau is not None:
            self._plateau.step(validation_loss)

    def state(self) -> dict[str, Any]:
        """Return what `plateau` remembers, as JSON; other schedules remember nothing."""
        if self._plateau is None:
            return {}
        best = self._plateau.best
        plateau = {"best": None if best == float("inf") else best, "num_bad_epochs": self._plateau.num_bad_epochs}
        plateau["last_epoch"] = self._plateau.last_epoch
        return {"plateau": plateau, "lr": [group["lr"] for group in self._optimizer.param_groups]}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take back what `state` returned."""
        if self._plateau is None:
            return
        plateau = state["plateau"]
        best = float("inf") if plateau["best"] is None else plateau["best"]
        self._plateau.load_state_dict(plateau | {"best": best})
        for group, rate in zip(self._optimizer.param_groups, state["lr"], strict=True):
            group["lr"] = rate


def learning_rate(config: OptimConfig, peak: float, step: int, total: int, warmup: int) -> float:
    """Return the learning rate of `step` (0-based) of `total`, after `warmup` steps of linear rise to `peak`."""
    if config.schedule == "cosine":
        return schedules.cosine_with_warmup(step, total, peak, config.final_lr, warmup)
    if config.schedule == "poly":
        return peak * schedules.poly_with_warmup(step, total, config.poly_power, warmup)
    return schedules.constant_with_warmup(step, peak, warmup)


# -- one function an optimizer, named by `config.optimizers.OPTIMIZERS`
def adam(groups: Groups, config: OptimConfig) -> Optimizer:
    """Return torch's fused Adam."""
    return Adam(groups, lr=config.lr, betas=config.betas, fused=True)


def adamw(groups: Groups, config: OptimConfig) -> Optimizer:
    """Return torch's fused AdamW."""
    return AdamW(groups, lr=config.lr, betas=config.betas, fused=True)


def lars(groups: Groups, config: OptimConfig) -> Optimizer:
    """Return LARS; not timm's, which scales by ‖w‖/(‖g‖ + λ‖w‖): docs/decisions/0014."""
    return LARS(groups, lr=config.lr, momentum=config.momentum)


def sgd(groups: Groups, config: OptimConfig) -> Optimizer:
    """Return torch's fused SGD."""
    optimizer = SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov, fused=True)
    # The fused kernel fails once some tensors have a momentum buffer and others, held still so far, have none. Zeros
    # from the start are the same: the first buffer is m·0 + gradient.
    for parameter in (p for group in optimizer.param_groups for p in group["params"]):
        optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


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
