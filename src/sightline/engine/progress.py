"""Progress on stderr: a bar with time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol

from sightline.processes import is_first_process

LINE_SECONDS = 20.0  # between two lines of a log file: often enough to see life, rare enough to read


class Progress(Protocol):
    """What the loop reports to."""

    def start(self, what: str, total: int, done: int, where: str) -> None:
        """Begin: `total` steps, `done` of them made before; results go to `where`."""
        ...

    def advance(self, done: int, note: str) -> None:
        """Say that `done` steps are made; `note` holds the latest values."""
        ...

    def say(self, text: str) -> None:
        """Print one line beside the bar."""
        ...

    def stop(self) -> None:
        """End."""
        ...


class LineProgress:
    """One line every few seconds, with speed and time left."""

    def __init__(self, write: Callable[[str], object] | None = None, clock: Callable[[], float] = time.monotonic):
        self._write = write or sys.stderr.write
        self._clock = clock
        self._what, self._total, self._first, self._begin, self._last = "", 0, 0, 0.0, 0.0

    def start(self, what: str, total: int, done: int, where: str) -> None:
        """Print what begins and where results go."""
        self._what, self._total, self._first = what, total, done
        self._begin = self._last = self._clock()
        resumed = f", going on at step {done}" if done else ""
        self.say(f"{what}: {total} steps{resumed} → {where}")

    def advance(self, done: int, note: str) -> None:
        """Print a line when the last is old enough, or at the end."""
        now = self._clock()
        if now - self._last < LINE_SECONDS and done < self._total:
            return
        self._last = now
        left = (now - self._begin) / max(1, done - self._first) * (self._total - done)
        self.say(f"{self._what}: {done}/{self._total}, {clock_text(left)} left  {note}")

    def say(self, text: str) -> None:
        """Print one line."""
        self._write(text + "\n")

    def stop(self) -> None:
        """Do nothing: lines leave nothing to close."""


class BarProgress:
    """A rich progress bar on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Rich

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("<"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._rich = Rich(*columns, console=Console(stderr=True))
        self._bar = None

    def start(self, what: str, total: int, done: int, where: str) -> None:
        """Open the bar."""
        self._rich.start()
        self._bar = self._rich.add_task(what, total=total, completed=done, note="")
        self.say(f"{what} → {where}")

    def advance(self, done: int, note: str) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._rich.update(self._bar, completed=done, note=note)

    def say(self, text: str) -> None:
        """Print above the bar."""
        self._rich.console.print(text, highlight=False, markup=False)

    def stop(self) -> None:
        """Close the bar, leaving its last state on the screen."""
        self._rich.stop()


class NoProgress:
    """A progress report that prints nothing, for ranks other than the first and for callers that want none."""

    def start(self, what: str, total: int, done: int, where: str) -> None:
        """Ignore."""

    def advance(self, done: int, note: str) -> None:
        """Ignore."""

    def say(self, text: str) -> None:
        """Ignore."""

    def stop(self) -> None:
        """Ignore."""


def make_progress() -> Progress:
    """Return the bar for a terminal, lines for anything else, and silence for all processes but the first."""
    if not is_first_process():
        return NoProgress()
    return BarProgress() if sys.stderr.isatty() else LineProgress()


def clock_text(seconds: float) -> str:
    """Return 3725 as "1:02:05"."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
