"""Running a study's graph: what is done is skipped, what failed is recorded, what depends on it is not run."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sightline.runs import StudyFolder
from sightline.study.board import Board
from sightline.study.executors import Executor, Ticket
from sightline.study.executors.here import Here
from sightline.study.node import Node
from sightline.study.outcome import Lost, Outcome
from sightline.study.pace import Pace

# Of a run whose process or machine goes away: once is chance; three times at the same place is the run, as where memory
# runs out. A run that wrote another checkpoint meanwhile begins to count anew.
ATTEMPTS = 3


def execute(nodes: list[Node], folder: Path, executor: Executor | None = None) -> dict[str, Outcome]:
    """Run `nodes`, each after those it needs.

    Args:
        nodes: from `expand`, in an order in which needs come first.
        folder: of the study.
        executor: where; in this process, one after the other, by default.

    Returns:
        The outcome of each node by name.
    """
    executor = executor or Here()
    outcomes: dict[str, Outcome] = {}
    waiting, running, lost = list(nodes), dict[str, tuple[Node, Ticket]](), Counter[str]()
    steps = {node.name: StudyFolder(folder).find_run(node.name).checkpoint_step for node in nodes}
    pace = Pace(nodes, max(1, min(executor.slots, len(nodes))))
    with _sigterm_as_ctrl_c(), Board(nodes, folder, executor.aside) as board:
        try:
            while waiting or running:
                for node in list(waiting):
                    blocked = _blocked(node, outcomes)
                    if blocked:
                        outcomes[node.name] = blocked
                        board.ended(node.name, blocked)
                    elif len(running) < executor.slots and all(name in outcomes for name in node.needs):
                        pace.announce(node)
                        running[node.name] = (node, executor.submit(node, folder))
                    else:
                        continue
                    waiting.remove(node)
                board.show(running, outcomes)
                finished = [name for name, (_, ticket) in running.items() if ticket.done()]
                if running and not finished:
                    time.sleep(executor.poll)
                for name in finished:
                    node, ticket = running.pop(name)
                    try:
                        outcomes[name] = ticket.result()
                    except Lost as error:
                        step = StudyFolder(folder).find_run(name).checkpoint_step
                        advanced = step > steps[name]
                        steps[name], lost[name] = max(step, steps[name]), 1 if advanced else lost[name] + 1
                        if lost[name] < ATTEMPTS and (advanced or not error.final):
                            board.say(f"{name}: {error.reason}; it goes on from its checkpoint")
                            waiting.insert(0, node)
                            continue
                        outcomes[name] = Outcome("failed", error.reason)
                    board.ended(name, outcomes[name])
                    pace.finished(node)
            board.show(running, outcomes, now=True)
        except BaseException:
            # Each writes its checkpoint.
            executor.stop()
            raise
    return outcomes


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


def _blocked(node: Node, outcomes: dict[str, Outcome]) -> Outcome | None:
    for name in node.needs:
        if name in outcomes and outcomes[name].status != "done":
            return Outcome("not run", f"{name} is {outcomes[name].status}: {outcomes[name].reason}")
    return None
