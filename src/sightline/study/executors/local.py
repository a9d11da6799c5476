"""Runs in processes of this machine, which share its cores evenly."""

from __future__ import annotations

import contextlib
import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path

from sightline.processes import core_count
from sightline.study.apart import end_with, run_logged
from sightline.study.node import Node
from sightline.study.outcome import Lost, Outcome


@dataclass(frozen=True)
class Submitted:
    """A run in one of the processes."""

    future: Future[Outcome]

    def done(self) -> bool:
        """Whether it has ended."""
        return self.future.done()

    def result(self) -> Outcome:
        """Return what became of it.

        Raises:
            Lost: its process is gone.
        """
        try:
            return self.future.result()
        except BrokenProcessPool:
            raise Lost(
                "a process of this study was ended from outside, as where memory runs out (a smaller --jobs needs less)"
            ) from None


class Processes:
    """Processes that live as long as the study: torch is imported once in each.

    Args:
        jobs: how many.
    """

    poll, aside = 0.05, True

    def __init__(self, jobs: int) -> None:
        self.slots = jobs
        # A pool of several that lost one drops what the others had in hand, so each process is a pool of its own.
        self._pools: list[ProcessPoolExecutor | None] = [None] * jobs
        self._tickets: list[Submitted | None] = [None] * jobs

    def submit(self, node: Node, folder: Path) -> Submitted:
        """Begin a run in a process that is free."""
        index = next(i for i, ticket in enumerate(self._tickets) if ticket is None or ticket.done())
        pool = self._pools[index]
        if pool is None or _is_broken(self._tickets[index]):
            if pool is not None:
                pool.shutdown(wait=True)
            pool = self._pools[index] = _make_pool(self.slots)
        ticket = self._tickets[index] = Submitted(pool.submit(run_logged, node, folder))
        return ticket

    def stop(self) -> None:
        """Let each process write its checkpoint and end."""
        for pool in filter(None, self._pools):
            pool.shutdown(wait=False, cancel_futures=True)
        for child in active_children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid or 0, signal.SIGINT)
        self.close()

    def close(self) -> None:
        """End the processes."""
        for pool in filter(None, self._pools):
            pool.shutdown(wait=True, cancel_futures=True)


def _is_broken(ticket: Submitted | None) -> bool:
    return ticket is not None and isinstance(ticket.future.exception(), BrokenProcessPool)


def _make_pool(jobs: int) -> ProcessPoolExecutor:
    threads = max(1, core_count() // jobs)
    return ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=_begin_worker, initargs=(threads, os.getpid())
    )


def _begin_worker(threads: int, parent: int) -> None:
    end_with(parent)
    # A group of its own: the terminal signals the parent, which tells each worker once; twice would cut it short.
    os.setpgrp()
    # Read by torch when a run imports it, which may be never.
    os.environ["OMP_NUM_THREADS"] = str(threads)
