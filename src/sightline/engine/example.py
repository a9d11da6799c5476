"""An example of a run's step on random numbers: its time settles the precision, and estimates the length of a study."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

PRECISIONS = ("32-true", "bf16-mixed")
ROUNDS = 3  # of each precision, by turns; the fastest counts, as anything else on the machine only slows
PIXELS = 1 << 20  # of a timed batch: seconds on a CPU even for a ResNet-50, and enough to fill matrix products
FORWARD = 1 / 3  # of a step that trains: a backward pass is two forward ones, in multiplications

# One forward pass → a scalar loss, or features where nothing is trained; None where no gradient could come of it.
Step = Callable[[], Tensor | None]


@dataclass(frozen=True)
class ExampleStep:
    """One step of a task, to be timed.

    Attributes:
        facts: all that its time depends on, beside the machine: backbone, sizes, batch.
        build: device → step, on random pictures and weights of its own.
        batch: images of one step.
        precisions: in which it can run.
        rounds: how often it is timed after one round that warms up; 0 times that first one, where a step takes so long
            that warming up is nothing beside it.
        steps: how many times the whole run does as much; infinite where that is not known.
    """

    facts: Mapping[str, Any]
    build: Callable[[torch.device], Step]
    batch: int = 1
    precisions: Sequence[str] = PRECISIONS
    rounds: int = ROUNDS
    steps: float = math.inf

    @property
    def worth_timing(self) -> bool:
        """Whether the run is longer than timing the step in all precisions would be."""
        return self.steps > len(self.precisions) * (self.rounds + 1)


@dataclass(frozen=True)
class Workload:
    """What a run comes to, for an estimate of its time.

    Attributes:
        images: that its data has.
        steps: how many times `example` does as much as the whole run.
        example: a step of it.
    """

    images: int
    steps: float
    example: ExampleStep


def bands_fact(channels: int) -> dict[str, int]:
    """Return what an example's facts say of images that are not RGB."""
    return {} if channels == 3 else {"in_chans": channels}


def example_batch(pixels: int, largest: int) -> int:
    """Return how many images of `pixels` each are timed: the run's own batch where that takes seconds only."""
    return max(2, min(largest, PIXELS // pixels))


def clock(device: torch.device) -> float:
    """Return the time in seconds, once the device has done all that it was asked to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


def time_step(step: Step, device: torch.device, precision: str) -> float:
    """Return seconds of one step in that precision: forward, and where it trains backward."""
    begin = clock(device)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16-mixed"):
        outcome = step()
    if outcome is not None and outcome.requires_grad:
        outcome.backward()
    return clock(device) - begin


def measure(example: ExampleStep, device: torch.device, precisions: Sequence[str]) -> dict[str, float]:
    """Return seconds of one step in each of `precisions`, the fastest of its rounds; torch's generator stays."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        step = example.build(device)
        times: dict[str, list[float]] = {precision: [] for precision in precisions}
        for number in range(example.rounds + 1):
            for precision in precisions:
                seconds = time_step(step, device, precision)
                if number or not example.rounds:
                    times[precision].append(seconds)
    return {precision: min(values) for precision, values in times.items()}
