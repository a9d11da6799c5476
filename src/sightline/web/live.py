"""The engine that is asked live: its interface, and the one thread that asks it."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

Value = TypeVar("Value")


@dataclass(frozen=True)
class Question:
    """What is asked of one image, in pixels of the original image, pixel centres at integers.

    Attributes:
        points: (x, y, 1 for inside or 0 for outside).
        box: x0, y0, x1, y1.
        text: words.
        mask_input: low-resolution mask of the last answer to refine, as the engine gave it.
    """

    points: tuple[tuple[float, float, int], ...] = ()
    box: tuple[float, float, float, float] | None = None
    text: str = ""
    mask_input: np.ndarray | None = None


@dataclass(frozen=True)
class Found:
    """An engine's answer.

    Attributes:
        masks: bool (M, H, W), best first.
        scores: float32 (M,).
        low_res: low-resolution masks (M, h, w) to refine from, or None.
    """

    masks: np.ndarray
    scores: np.ndarray
    low_res: np.ndarray | None = None


class Predictor(Protocol):
    """What the page needs of an engine; the command line hands one in.

    Attributes:
        name: of the engine, for people.
        model: its weights, for people; "" where it has none.
        device: where it runs.
        accepts: of "points", "box", "text", "mask_input".
        everything: yields mask, bool (H, W), and score of all that is found in an encoded image; None where it cannot.
    """

    name: str
    model: str
    device: str
    accepts: frozenset[str]
    everything: Callable[[Any], Iterable[tuple[np.ndarray, float]]] | None

    def encode(self, pixels: np.ndarray) -> Any:
        """Return what is computed once for an image, uint8 (H, W, 3) RGB."""
        ...

    def predict(self, state: Any, question: Question, *, multimask: bool) -> Found:
        """Answer a question about an encoded image."""
        ...


class Superseded(Exception):
    """A newer question of the same session came while this one waited."""


class Busy(Exception):
    """Too many calls wait for the engine."""


class Stopping(Exception):
    """The server stops before the engine has answered."""


class Worker:
    """One daemon thread that calls the engine, first come first served.

    One thread, for the engine's libraries keep a pool of their own for each thread that calls them; a daemon, so that
    a call of minutes does not hold up Ctrl-C.

    Args:
        max_waiting: calls that may wait.
    """

    def __init__(self, max_waiting: int) -> None:
        self._queue: queue.Queue[Callable[[], None]] = queue.Queue(max_waiting)
        self._waiting: set[asyncio.Future[Any]] = set()
        self._thread = threading.Thread(target=self._run, name="sightline-engine", daemon=True)
        self._thread.start()

    async def call(self, work: Callable[[], Value], stale: Callable[[], bool] = lambda: False) -> Value:
        """Return what `work` returns, called in the thread; `stale` is asked just before.

        Raises:
            Superseded: `stale` said so.
            Busy: too many wait already.
            Stopping: `stop` was called meanwhile.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Value] = loop.create_future()

        def deliver(outcome: Callable[[], None]) -> None:
            try:
                loop.call_soon_threadsafe(lambda: None if future.done() else outcome())
            except RuntimeError:  # the loop has ended: nobody waits for this any more
                return

        def job() -> None:
            if stale() or future.cancelled():
                deliver(lambda: future.set_exception(Superseded()))
                return
            try:
                value = work()
            except Exception as error:  # handed on to whoever asked
                failure = error
                deliver(lambda: future.set_exception(failure))
            else:
                deliver(lambda: future.set_result(value))

        try:
            self._queue.put_nowait(job)
        except queue.Full:
            raise Busy from None
        self._waiting.add(future)
        try:
            return await future
        finally:
            self._waiting.discard(future)

    def stop(self) -> None:
        """Let nobody wait any longer; called in the event loop. The call at work goes on, and is heard by none."""
        for future in self._waiting:
            if not future.done():
                future.set_exception(Stopping())

    def _run(self) -> None:
        while True:
            self._queue.get()()
