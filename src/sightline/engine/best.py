"""The weights of the best epoch, kept while training goes on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class BestWeights:
    """A copy of a module's state, as it was in the epoch with the highest score; of equal scores the first counts.

    Args:
        module: whose weights are kept; until a score is offered, the copy is of what it holds now.

    Attributes:
        score: the highest so far; −1 before any, as scores are shares, 0–1.
        epoch: which epoch had it, 0-based; −1 before any.
    """

    def __init__(self, module: nn.Module) -> None:
        self.score, self.epoch = -1.0, -1
        self._tensors = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def offer(self, score: float, epoch: int, module: nn.Module) -> bool:
        """Keep the weights of `module` if `score` is higher than any before; return whether it was. NaN never is."""
        if not score > self.score:
            return False
        self.score, self.epoch = score, epoch
        for name, value in module.state_dict().items():
            self._tensors[name].copy_(value)
        return True

    def restore(self, module: nn.Module) -> None:
        """Load the kept weights into `module`."""
        module.load_state_dict(self._tensors)

    # -- state of a task, as in `engine.task.Task`
    def tensors(self) -> dict[str, Tensor]:
        """Return the kept weights by name, to be filled in place on resume."""
        return {f"best/{name}": value for name, value in self._tensors.items()}

    def state(self) -> dict[str, Any]:
        """Return score and epoch, as JSON."""
        return {"best_score": self.score, "best_epoch": self.epoch}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take back what `state` returned; further entries are left alone."""
        self.score, self.epoch = state["best_score"], state["best_epoch"]
