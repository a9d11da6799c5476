"""Progress on stderr: a bar with time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol

from sightline.processes import is_first_process, silence

# Seconds between two lines of a log file: the first ones come soon, to show life and speed, later ones are rare.
LINE_SECONDS = (0.0, 2.0, 5.0, 10.0, 20.0)


class Progress(Protocol):
    """What the loop reports to."""

    def start(self, what: str, total: int, done: int, where: str, unit: str = "step", images: int = 0) -> None:
        """Begin: `total` units, `done` of them made before, each of so many images; results go to `where`."""
        ...

    def advance(self, done: int, note: str) -> None:
        """Say that `done` units are made; `note` holds the latest values. Called after each of them."""
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
        self._what, self._unit, self._images, self._lines = "", "step", 0, 0
        self._total, self._first, self._begin, self._last = 0, 0, 0.0, 0.0

    def start(self, what: str, total: int, done: int, where: str, unit: str = "step", images: int = 0) -> None:
        """Print what begins and where results go."""
        self._what, self._total, self._first, self._unit, self._images = what, total, done, unit, images
        self._lines, self._begin = 0, self._clock()
        self._last = self._begin
        self.say(f"{what}: {extent_text(total, done, unit, images)} → {where}")

    def advance(self, done: int, note: str) -> None:
        """Print a line when the last is old enough, or at the end."""
        now = self._clock()
        if now - self._last < LINE_SECONDS[min(self._lines, len(LINE_SECONDS) - 1)] and done < self._total:
            return
        self._last, self._lines = now, self._lines + 1
        each = (now - self._begin) / max(1, done - self._first)
        speed = f", {rate_text(self._images / each)}" if self._images and each else ""
        left = f", {clock_text(each * (self._total - done))} left" if done < self._total else ""
        self.say(f"{self._what}: {self._unit} {done} of {self._total}{speed}{left}  {note}".rstrip())

    def say(self, text: str) -> None:
        """Print one line; where nobody listens any more, as behind `| head`, the work goes on unheard."""
        try:
            self._write(text + "\n")
        except BrokenPipeError:
            silence(sys.stderr)

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
            TextColumn("{task.fields[speed]}"),
            TextColumn("{task.fields[note]}"),
        )
        self._rich = Rich(*columns, console=Console(stderr=True))
        self._bar, self._images, self._first, self._begin = None, 0, 0, 0.0

    def start(self, what: str, total: int, done: int, where: str, unit: str = "step", images: int = 0) -> None:
        """Open the bar."""
        self._images, self._first, self._begin = images, done, time.monotonic()
        self._rich.start()
        self._bar = self._rich.add_task(f"{what}, {unit}", total=total, completed=done, note="", speed="")
        self.say(f"{what}: {extent_text(total, done, unit, images)} → {where}")

    def advance(self, done: int, note: str) -> None:
        """Move the bar."""
        if self._bar is not None:
            seconds = time.monotonic() - self._begin
            speed = rate_text(self._images * (done - self._first) / seconds) if self._images and seconds else ""
            self._rich.update(self._bar, completed=done, note=note, speed=speed)

    def say(self, text: str) -> None:
        """Print above the bar."""
        self._rich.console.print(text, highlight=False, markup=False)

    def stop(self) -> None:
        """Close the bar, leaving its last state on the screen."""
        self._rich.stop()


class NoProgress:
    """A progress report that prints nothing, for ranks other than the first and for callers that want none."""

    def start(self, what: str, total: int, done: int, where: str, unit: str = "step", images: int = 0) -> None:
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


def extent_text(total: int, done: int, unit: str, images: int) -> str:
    """Return what is to be done, "5000 steps of 128 images, going on at step 40"."""
    of = f" of {images} images" if images > 1 else ""
    return f"{total} {unit}{'' if total == 1 else 's'}{of}" + (f", going on at {unit} {done}" if done else "")


def rate_text(rate: float) -> str:
    """Return "812 images/s" or "3.2 images/s"."""
    return f"{rate:.0f} images/s" if rate >= 10 else f"{rate:.1f} images/s"


def clock_text(seconds: float) -> str:
    """Return 3725 as "1:02:05"."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
