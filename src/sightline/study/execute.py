"""Running a study's graph: what is done is skipped, what failed is recorded, what depends on it is not run."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Literal

from sightline.errors import NotAvailable, SightlineError
from sightline.files import explained, keep_traceback
from sightline.runs import RunFolder, StudyFolder
from sightline.runs.kinds import import_dotted
from sightline.study.node import Node
from sightline.study.pace import Pace

PR_SET_PDEATHSIG = 1  # linux/prctl.h
WATCH = 1.0  # seconds


@dataclass(frozen=True)
class Outcome:
    """What became of a node: done, failed or not run, and why."""

    status: Literal["done", "failed", "not run"]
    reason: str = ""


def run_node(node: Node, folder: Path) -> Outcome:
    """Run one node in this process, going on from its checkpoint; errors of its own become its outcome.

    The traceback of one that nobody foresaw is kept in the run's folder, and the other nodes are run.
    """
    path = StudyFolder(folder).run_path(node.name)
    try:
        # Imported here, where torch is needed: planning and reporting do without.
        import_dotted(node.what.run)(node.settled(StudyFolder(folder)).config, path, resume=True)
    except NotAvailable as error:
        return Outcome("not run", str(error))
    except SightlineError as error:
        return Outcome("failed", str(error))
    except Exception as error:
        if known := explained(error):
            return Outcome("failed", known[0])
        with contextlib.suppress(OSError):
            return Outcome("failed", f"{_named(error)}; the traceback is in {keep_traceback(error, path)}")
        return Outcome("failed", _named(error))
    return Outcome("done")


def _named(error: Exception) -> str:
    return f"a fault of Sightline: {type(error).__name__}: {str(error).strip().partition(chr(10))[0][:300]}"


def execute(nodes: list[Node], folder: Path, jobs: int = 1) -> dict[str, Outcome]:
    """Run `nodes`, each after those it needs, `jobs` at a time.

    Args:
        nodes: from `expand`, in an order in which needs come first.
        folder: of the study.
        jobs: processes; they share the machine's cores evenly.

    Returns:
        The outcome of each node by name.
    """
    if jobs <= 1:
        outcomes: dict[str, Outcome] = {}
        pace = Pace(nodes)
        for node in nodes:
            pace.announce(node)
            outcomes[node.name] = _blocked(node, outcomes) or run_node(node, folder)
            pace.finished(node)
        return outcomes
    return _execute_in_processes(nodes, folder, jobs)


def _execute_in_processes(nodes: list[Node], folder: Path, jobs: int) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    waiting, running, pace = list(nodes), dict[Future[Outcome], Node](), Pace(nodes, jobs)
    pool = _make_pool(jobs)
    try:
        with _sigterm_as_ctrl_c():
            while waiting or running:
                for node in list(waiting):
                    blocked = _blocked(node, outcomes)
                    if blocked:
                        outcomes[node.name] = blocked
                    elif len(running) < jobs and all(name in outcomes for name in node.needs):
                        pace.announce(node)
                        running[pool.submit(run_node, node, folder)] = node
                    else:
                        continue
                    waiting.remove(node)
                if not running:
                    continue
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                broken = False
                for future in finished:
                    node = running.pop(future)
                    pace.finished(node)
                    outcomes[node.name], lost = _outcome(future)
                    broken = broken or lost
                if broken:
                    # A pool that lost a process takes no more work, and drops what was in hand.
                    outcomes |= {node.name: _outcome(future)[0] for future, node in running.items()}
                    running.clear()
                    pool.shutdown(wait=True, cancel_futures=True)
                    pool = _make_pool(jobs)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in active_children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid or 0, signal.SIGINT)  # it writes its checkpoint
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return outcomes


def _outcome(future: Future[Outcome]) -> tuple[Outcome, bool]:
    """Return the outcome of a node, and whether its pool lost a process."""
    try:
        return future.result(), False
    except BrokenProcessPool:
        reason = (
            "a process of this study was ended from outside, as where memory runs out; the same command goes on from "
            "the checkpoint, and a smaller --jobs needs less memory"
        )
        return Outcome("failed", reason), True


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Let what a scheduler sends end a study as Ctrl-C does; outside the main thread, which alone may, nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _make_pool(jobs: int) -> ProcessPoolExecutor:
    threads = max(1, (os.cpu_count() or 1) // jobs)
    return ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_begin_worker, initargs=(threads, os.getpid())
    )


def _begin_worker(threads: int, parent: int) -> None:
    import torch

    end_with(parent)
    # A group of its own: the terminal signals the parent, which tells each worker once; twice would cut it short.
    os.setpgrp()
    torch.set_num_threads(threads)


def end_with(parent: int) -> None:
    """Let this process be killed when its parent is gone, however that ended; checkpoints keep what it did.

    The kernel does so on Linux; a thread that looks at getppid does everywhere, within `WATCH` seconds.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="watch of the parent").start()


def _blocked(node: Node, outcomes: dict[str, Outcome]) -> Outcome | None:
    for name in node.needs:
        if name in outcomes and outcomes[name].status != "done":
            return Outcome("not run", f"{name} is {outcomes[name].status}: {outcomes[name].reason}")
    return None


def recorded_outcome(node: Node, folder: Path) -> Outcome:
    """Return what the run folder itself says, for a node that was not asked to run now."""
    run = RunFolder(StudyFolder(folder).run_path(node.name))
    if not run.exists:
        return Outcome("not run", "left out by --only; the same command without it runs it")
    return Outcome("done") if run.is_done else Outcome("not run", f"its run is {run.status}")
