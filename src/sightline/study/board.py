"""How the runs of a study stand, told while others do them: a live table on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from sightline.files.lock import holder_of
from sightline.runs import RunFolder, StudyFolder, artifacts
from sightline.study.node import Node
from sightline.study.outcome import Outcome

LOOK = 2.0  # seconds between two looks; each reads small files only


def states(
    nodes: Sequence[Node], folder: Path, running: Collection[str], outcomes: Mapping[str, Outcome]
) -> list[dict[str, str]]:
    """Return a row for each run: its state, and who does it, as the lock of its folder says.

    Args:
        nodes: the runs.
        folder: of the study.
        running: names of those that were handed over.
        outcomes: of those that have ended.
    """
    rows = []
    for node in nodes:
        path, where = StudyFolder(folder).run_path(node.name), ""
        if node.name in outcomes:
            outcome = outcomes[node.name]
            state, where = outcome.status, outcome.reason
        elif node.name not in running:
            state = "waiting"
        elif (holder := holder_of(path / artifacts.LOCK)) is not None and holder.state != "dead":
            state, where = "running", str(holder)
        else:
            run = RunFolder(path)
            state = run.status if run.exists and run.status != "running" else "submitted"
        rows.append({"run": node.name, "state": state, "where, or why": where})
    return rows


class Board:
    """Shows the runs from `with` to its end, where they are done aside; says nothing where this terminal is theirs.

    Args:
        nodes: all runs.
        folder: of the study.
        aside: whether the runs write elsewhere.
        say: where lines go; by default stderr.
    """

    def __init__(
        self, nodes: Sequence[Node], folder: Path, aside: bool, say: Callable[[str], object] | None = None
    ) -> None:
        self._nodes, self._folder, self._aside = nodes, folder, aside
        self._say, self._seen, self._looked = say, dict[str, str](), 0.0
        self._live = _live() if aside and say is None and sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """Tell a line."""
        if self._live is not None:
            self._live.console.print(line, highlight=False, markup=False)
        elif self._say is not None:
            self._say(line)
        else:
            print(line, file=sys.stderr, flush=True)

    def ended(self, name: str, outcome: Outcome) -> None:
        """Tell at once of a run that did not end well; where runs are done aside, `show` does."""
        if not self._aside and outcome.status != "done":
            self.say(f"{name}: {outcome.status}: {outcome.reason}")

    def show(self, running: Collection[str], outcomes: Mapping[str, Outcome], *, now: bool = False) -> None:
        """Show how all runs stand, at most once in `LOOK` seconds unless `now`."""
        if not self._aside or (time.monotonic() - self._looked < LOOK and not now):
            return
        self._looked = time.monotonic()
        rows = states(self._nodes, self._folder, running, outcomes)
        if self._live is not None:
            self._live.update(_table(rows), refresh=True)
            return
        for row in rows:
            text = f"{row['run']}: {row['state']}" + (f" ({row['where, or why']})" if row["where, or why"] else "")
            if row["state"] != "waiting" and self._seen.get(row["run"]) != text:
                self._seen[row["run"]] = text
                self.say(text)


def _live() -> Any:
    from rich.console import Console
    from rich.live import Live

    return Live(console=Console(stderr=True), auto_refresh=False, transient=True)


def _table(rows: Sequence[Mapping[str, str]]) -> Any:
    """Return the table of a terminal, what has not begun in one line: it must fit on the screen."""
    from rich.table import Table

    table = Table(*rows[0], box=None, pad_edge=False)
    counts = Counter(row["state"] for row in rows)
    for row in rows:
        if row["state"] not in ("waiting", "done"):
            table.add_row(*row.values())
    table.add_row("all", ", ".join(f"{count} {state}" for state, count in counts.items()), "")
    return table
