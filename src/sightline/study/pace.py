"""Where a study stands, told as each run begins: "run 9 of 18 · about 4 min left"."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from sightline.runs.numbers import duration
from sightline.study.plan import Node

SHORT = 1.0  # seconds; a run that took less was done before, or could not begin, and says nothing of others


class Pace:
    """The runs of a study in their order, and how long those that have finished took.

    Args:
        nodes: all of them.
        jobs: runs at a time.
        say: where to tell it.
        clock: seconds.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        jobs: int = 1,
        say: Callable[[str], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nodes, self._jobs, self._clock = nodes, jobs, clock
        self._say = say or (lambda line: print(line, file=sys.stderr, flush=True))
        self._begun: dict[str, float] = {}
        self._done: set[str] = set()
        self._seconds: dict[str, list[float]] = {}

    def announce(self, node: Node) -> None:
        """Say that a run begins."""
        self._begun[node.name] = self._clock()
        left = self._left()
        text = f" · about {duration(left)} left" if left is not None else ""
        self._say(f"run {len(self._begun)} of {len(self._nodes)} · {node.name}{text}")

    def finished(self, node: Node) -> None:
        """Take the time of a run that has ended, well or not."""
        self._done.add(node.name)
        seconds = self._clock() - self._begun.get(node.name, self._clock())
        if seconds >= SHORT:
            self._seconds.setdefault(node.kind, []).append(seconds)

    def _left(self) -> float | None:
        """Return seconds: what is not done takes as long as the mean of its kind; None while a kind is unknown."""
        open_nodes = [node for node in self._nodes if node.name not in self._done]
        if not self._seconds or any(node.kind not in self._seconds for node in open_nodes):
            return None
        means = {kind: sum(times) / len(times) for kind, times in self._seconds.items()}
        return sum(means[node.kind] for node in open_nodes) / self._jobs
