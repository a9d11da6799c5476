"""The smallest task there is, for everything that the training loop does with any."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sightline.config import OptimConfig, RunConfig
from sightline.engine import BestWeights, Progress, Task, fit, make_fabric, make_optimizer
from sightline.randomness import generator
from sightline.runs import RunFolder

EPOCHS, STEPS = 3, 4


class Toy(Task):
    """A line through points: y = 2x + 1, Adam, dropout; `calls` names what the loop did, in order."""

    def __init__(self, *, epochs: int = EPOCHS, steps: int = STEPS, accumulate: int = 1) -> None:
        torch.manual_seed(0)
        self.trained = self.model = nn.Sequential(nn.Dropout(0.2), nn.Linear(1, 1))
        self.optimizer = make_optimizer(self.model, OptimConfig(name="adam", lr=0.1))
        self.epochs, self.steps_per_epoch, self.accumulate = epochs, steps, accumulate
        self.best, self.calls, self.poison = BestWeights(self.model), list[str](), dict[int, float]()
        self.closed, self.step_hook = 0, lambda step: None

    def batches(self, epoch: int, start: int) -> Generator[Tensor]:
        try:
            for index in range(start, self.steps_per_epoch * self.accumulate):
                self.calls.append(f"batch {epoch}.{index}")
                yield torch.tensor(generator(0, "toy", epoch, index).normal(size=(8, 1)), dtype=torch.float32)
        finally:
            self.closed += 1

    def schedule(self, step: int):
        yield "lr", 0.1
        self._factor = self.poison.get(step, 1.0)

    def loss(self, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = (self.trained(batch) - 2 * batch - 1).square().mean() * self._factor
        return loss, {"twice": 2 * loss}

    def after_step(self, step: int) -> None:
        self.calls.append(f"step {step}")
        self.step_hook(step)

    def evaluate(self, epoch: int):
        self.calls.append(f"evaluate {epoch}")
        bias = self.model[1].bias.item()
        self.best.offer(1 / (1 + abs(bias - 1)), epoch, self.model)
        yield "val/bias", bias

    def remarks(self, epoch: int, values) -> list[str]:
        return [f"bias {values['val/bias']:.1f}"] if epoch == 0 else []

    def modules(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def tensors(self) -> dict[str, Tensor]:
        return self.best.tensors()

    def state(self):
        return self.best.state()

    def load_state(self, state) -> None:
        self.best.load_state(state)


class ToyConfig(RunConfig):
    kind: str = "toy"


def run_toy(
    out: Path,
    task: Toy | None = None,
    hook: Callable[[int], None] | None = None,
    progress: Progress | None = None,
    mark: Callable[[str], None] | None = None,
    **keys: Any,
) -> Toy:
    """Train a toy in `out`, or go on with the one there.

    Args:
        out: the run folder.
        task: a toy by default.
        hook: called after each optimizer step.
        progress: where to report.
        mark: called with each part of the loop.
        keys: of the configuration; they may differ from those that the run began with.
    """
    task = task or Toy()
    if hook is not None:
        task.step_hook = hook
    config = ToyConfig(device="cpu", precision="32-true", threads=1, **keys)
    run = RunFolder(out)
    if not run.exists:
        run = RunFolder.create(out, config, kind=config.kind, fingerprint="")
    fit(task, run, config, fabric=make_fabric(config), progress=progress, mark=mark)
    return task


def content(out: Path) -> tuple[str, dict[str, bytes]]:
    """Return what a run leaves that must not depend on interruptions: its metrics, and its last checkpoint."""
    folder = RunFolder.open(out).checkpoint
    return (out / "metrics.jsonl").read_text(), {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
