"""Where the time of a step goes, for any task that the training loop runs."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from sightline.engine import Context, NoProgress, Task, fit
from sightline.engine.run import C, D
from sightline.runs import RunFolder

PARTS = ("data", "forward", "backward", "optimizer and after", "rest of the loop")
WARM_UP = 3  # steps: first allocations, compiled kernels, queues
EPOCHS = 1000  # never reached: the timer ends the run


class _Enough(Exception):
    """Ends a timed run."""


class _Timer:
    """Marks the time between the parts of each step, by standing around a task's own methods."""

    def __init__(self, task: Task, steps: int, device: torch.device) -> None:
        self._steps, self._device = steps, device
        self._marks: list[float] = []
        self.steps: list[list[float]] = []  # seconds of each of PARTS
        schedule, batches, loss = task.schedule, task.batches, task.loss
        after_backward, after_step = task.after_backward, task.after_step

        def timed_batches(epoch: int, start: int) -> Generator[Any]:
            inner = batches(epoch, start)
            while True:
                begin = self._now()
                batch = next(inner, None)
                if batch is None:
                    return
                self._marks = [begin, self._now()]
                yield batch

        def timed_schedule(step: int):
            self._end_step()
            return schedule(step)

        task.batches, task.schedule = timed_batches, timed_schedule
        task.loss = self._marking(loss, after=True)
        task.after_backward = self._marking(after_backward, after=False)
        task.after_step = self._marking(after_step, after=True)

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    def _marking(self, method: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
        def marked(*arguments: Any) -> Any:
            if not after:
                self._marks.append(self._now())
            outcome = method(*arguments)
            if after:
                self._marks.append(self._now())
            return outcome

        return marked

    def _end_step(self) -> None:
        if len(self._marks) == len(PARTS):  # begin, data, forward, backward, optimiser; an evaluation leaves fewer
            marks = [*self._marks, self._now()]
            self.steps.append([b - a for a, b in itertools.pairwise(marks)])
        self._marks = []
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
        timer = _Timer(task, steps, fabric.device)
        with contextlib.suppress(_Enough):
            fit(task, run, config, fabric=fabric)
        return timer.steps[WARM_UP:]


def part_rows(counted: list[list[float]], batch: int) -> list[dict[str, Any]]:
    """Return a table: the whole step and each part, medians over steps, with images a second."""
    seconds = statistics.median(sum(parts) for parts in counted)
    shares = [statistics.median(step[i] for step in counted) for i in range(len(PARTS))]
    rows = [{"part": "whole step", "ms": 1e3 * seconds, "share": 1.0, "images/s": batch / seconds}]
    return rows + [
        {"part": part, "ms": 1e3 * spent, "share": spent / sum(shares), "images/s": ""}
        for part, spent in zip(PARTS, shares, strict=True)
    ]
