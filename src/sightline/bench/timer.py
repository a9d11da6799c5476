"""Where the time of a step goes, for any task that the training loop runs."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from sightline.engine import Context, NoProgress, Task, fit
from sightline.engine.example import clock
from sightline.engine.run import C, D
from sightline.runs import RunFolder

# Parts of a step, as the loop marks them → what a reader calls them.
NAMES = {
    "data": "data",
    "forward": "forward",
    "backward": "backward",
    "optimizer": "optimizer and after",
    "loop": "rest of the loop",
}
PARTS = tuple(NAMES.values())
WARM_UP = 3  # steps: first allocations, compiled kernels, queues
EPOCHS = 1000  # never reached: the timer ends the run


class _Enough(Exception):
    """Raised once all steps are timed, to end the training loop."""


class _Timer:
    """Adds up the time of each part of a step; what an evaluation takes belongs to no step."""

    def __init__(self, steps: int, device: torch.device) -> None:
        self._steps, self._device = steps, device
        self._last = clock(device)
        self._spent: dict[str, float] = {}
        self.steps: list[list[float]] = []  # seconds of each of PARTS

    def mark(self, part: str) -> None:
        """Take the time since the last mark as that of `part`; a step ends as the next begins its data."""
        now = clock(self._device)
        self._spent[part] = self._spent.get(part, 0.0) + now - self._last
        self._last = now
        if part != "loop":
            return
        if "optimizer" in self._spent:
            self.steps.append([self._spent[name] for name in NAMES])
        self._spent = {}
        if len(self.steps) == self._steps + WARM_UP:
            raise _Enough


def time_steps(
    build_task: Callable[[Context[C, D]], Task], config: C, inputs: D, fabric: Fabric, steps: int
) -> list[list[float]]:
    """Train for some steps by the one training loop and return seconds of each of PARTS, a row a step.

    Args:
        build_task: what to train, as the kind of run itself builds it.
        config: of the run; its precision settled.
        inputs: of the run.
        fabric: device and precision.
        steps: that count; some more come first.
    """
    with tempfile.TemporaryDirectory() as out:
        run = RunFolder.create(Path(out) / "run", config, kind=config.kind, fingerprint="")
        task = build_task(Context(config, inputs, run, fabric, NoProgress()))
        timer = _Timer(steps, fabric.device)
        with contextlib.suppress(_Enough):
            fit(task, run, config, fabric=fabric, mark=timer.mark)
        return timer.steps[WARM_UP:]


def part_rows(counted: list[list[float]], batch: int) -> list[dict[str, Any]]:
    """Return a table: the whole step and each part, medians over steps, with images a second."""
    seconds = statistics.median(sum(parts) for parts in counted)
    seconds_by_part = [statistics.median(step[i] for step in counted) for i in range(len(PARTS))]
    rows = [{"part": "whole step", "ms": 1e3 * seconds, "share": 1.0, "images/s": batch / seconds}]
    return rows + [
        {"part": part, "ms": 1e3 * spent, "share": spent / sum(seconds_by_part), "images/s": ""}
        for part, spent in zip(PARTS, seconds_by_part, strict=True)
    ]
