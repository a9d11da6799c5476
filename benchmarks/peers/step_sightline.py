"""Sightline's DINO pretraining under the same protocol as its peers: the time at the end of every step.

step_sightline.py PICTURES OUT PRECISION
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from sightline.bench.step import step_config
from sightline.engine import NoProgress
from sightline.tasks.pretrain import pretrain


class Told(NoProgress):
    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(1), "w", buffering=1)

    def advance(self, done: int, note: str) -> None:
        print(f"step {time.perf_counter()}", file=self._answers)


def main() -> None:
    pictures, out, precision = sys.argv[1:]
    # One log line a step, which is what tells the time here; it costs no more than in any other run.
    config = step_config(pictures, precision=precision, epochs=100, log_every=1)
    pretrain(config, Path(out) / "run", progress=Told())


if __name__ == "__main__":
    main()
