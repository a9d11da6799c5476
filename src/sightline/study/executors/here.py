"""Runs in this process, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sightline.study.node import Node
from sightline.study.outcome import Outcome, run_node


@dataclass(frozen=True)
class Ended:
    """A run that is over."""

    outcome: Outcome

    def done(self) -> bool:
        """Return True."""
        return True

    def result(self) -> Outcome:
        """Return what became of it."""
        return self.outcome


class Here:
    """This process."""

    poll, aside, slots = 0.0, False, 1

    def submit(self, node: Node, folder: Path) -> Ended:
        """Do a run."""
        return Ended(run_node(node, folder))

    def stop(self) -> None:
        """Do nothing: what ran here was ended by the signal itself."""

    def close(self) -> None:
        """Do nothing."""
