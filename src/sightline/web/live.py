"""The one thread that asks the prompt engine."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Value = TypeVar("Value")


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
        """Answer every waiting call with `Stopping`; called in the event loop.

        The running call finishes; its result is discarded.
        """
        for future in self._waiting:
            if not future.done():
                future.set_exception(Stopping())

    def _run(self) -> None:
        while True:
            self._queue.get()()
