"""What the training loop asks of a task. The loop knows no loss and no metric; the task knows no loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

Values = Iterable[tuple[str, float]]


class Task(ABC):
    """A thing to train: its batches, its loss, its evaluation, and all of its state.

    Attributes:
        trained: the module the optimiser works on; under DDP the loop replaces it with the wrapped one.
        optimizer: over the parameters of `trained`.
        epochs: how long it is trained; its schedules end there.
        steps_per_epoch: optimiser steps in an epoch.
        accumulate: batches in one optimiser step.
        clip: largest global gradient norm; 0 turns clipping off.
        clip_per_tensor: clip each gradient tensor by its own norm instead.
    """

    trained: nn.Module
    optimizer: Optimizer
    epochs: int
    steps_per_epoch: int
    accumulate: int = 1
    clip: float = 0.0
    clip_per_tensor: bool = False

    @abstractmethod
    def batches(self, epoch: int, start: int) -> Generator[Any]:
        """Yield the batches of `epoch` from batch `start` on; a function of (seed, epoch, start) only.

        The loop closes the generator once it has taken the batches of an epoch's steps.
        """

    @abstractmethod
    def schedule(self, step: int) -> Values:
        """Set everything that depends on the step (learning rate, temperatures) and yield what was set."""

    @abstractmethod
    def loss(self, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the scalar loss of a batch and further scalars to log, all on the device, no host sync."""

    def shares(self, step: int) -> bool:
        """Return whether the processes share out the batches of `step`; else each has them whole, as a small rest."""
        return True

    def after_backward(self, step: int) -> None:  # noqa: B027  (most tasks have nothing to do here)
        """Change gradients before clipping, for example to hold a layer still."""

    def after_step(self, step: int) -> None:  # noqa: B027
        """Do what happens once per optimiser step, for example move the teacher."""

    @abstractmethod
    def evaluate(self, epoch: int) -> Values:
        """Yield (name, value) at the end of epoch `epoch` (0-based).

        State changes before the first is yielded: whoever stops early must not lose any.
        """

    def remarks(self, epoch: int, values: Mapping[str, float]) -> list[str]:
        """Return what a person must be told at once about the values that `evaluate` gave, for example a collapse."""
        return []

    @abstractmethod
    def modules(self) -> dict[str, nn.Module]:
        """Return every module whose tensors belong to the state, by name."""

    def tensors(self) -> dict[str, Tensor]:
        """Return further state tensors, the same in every process, to be filled in place on resume."""
        return {}

    def sums(self) -> dict[str, Tensor]:
        """Return further state tensors, of which each process has its part and the state is their sum."""
        return {}

    def state(self) -> dict[str, Any]:
        """Return the state that is not tensors, as JSON."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Take back what `state` returned."""
