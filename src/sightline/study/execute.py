"""Running a study's graph: what is done is skipped, what failed is recorded, what depends on it is not run."""

from __future__ import annotations

import contextlib
import os
import signal
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Literal

from sightline.errors import NotAvailable, SightlineError
from sightline.runs import RunFolder, StudyFolder
from sightline.runs.kinds import import_dotted
from sightline.study.plan import Node


@dataclass(frozen=True)
class Outcome:
    """What became of a node: done, failed or not run, and why."""

    status: Literal["done", "failed", "not run"]
    reason: str = ""


def run_node(node: Node, folder: Path) -> Outcome:
    """Run one node in this process, going on from its checkpoint; errors of its own become its outcome."""
    try:
        # Imported here, where torch is needed: planning and reporting do without.
        import_dotted(node.what.run)(node.config, StudyFolder(folder).run_path(node.name), resume=True)
    except NotAvailable as error:
        return Outcome("not run", str(error))
    except SightlineError as error:
        return Outcome("failed", str(error))
    return Outcome("done")


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
        for node in nodes:
            outcomes[node.name] = _blocked(node, outcomes) or run_node(node, folder)
        return outcomes
    return _execute_in_processes(nodes, folder, jobs)


def _execute_in_processes(nodes: list[Node], folder: Path, jobs: int) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    waiting, running = list(nodes), dict[Future[Outcome], Node]()
    threads = max(1, (os.cpu_count() or 1) // jobs)
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin_worker, initargs=(threads,))
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # what a scheduler sends ends a study as Ctrl-C does
        while waiting or running:
            for node in list(waiting):
                blocked = _blocked(node, outcomes)
                if blocked:
                    outcomes[node.name] = blocked
                elif len(running) < jobs and all(name in outcomes for name in node.needs):
                    running[pool.submit(run_node, node, folder)] = node
                else:
                    continue
                waiting.remove(node)
            if running:
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    outcomes[running.pop(future).name] = future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in active_children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid or 0, signal.SIGINT)  # it writes its checkpoint
        raise
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        pool.shutdown(wait=True, cancel_futures=True)
    return outcomes


def _begin_worker(threads: int) -> None:
    import torch

    # A group of its own: the terminal signals the parent, which tells each worker once; twice would cut it short.
    os.setpgrp()
    torch.set_num_threads(threads)


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
