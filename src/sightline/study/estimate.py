"""How long a study will take, and how much room: of each run the time of a step like its own here, times its steps."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.engine.example import Workload
from sightline.engine.precision import step_seconds
from sightline.engine.progress import clock_text
from sightline.errors import NotAvailable
from sightline.runs import StudyFolder
from sightline.runs.kinds import import_dotted
from sightline.runs.numbers import size_text
from sightline.study.disk import room_of, study_bytes
from sightline.study.node import MOST_TIMES, EpochsFor, Node

Say = Callable[[str], object]


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study, before it is run.

    Attributes:
        name: of the run.
        arm: that it belongs to; of pretraining and reference their names without the number of the seed.
        needs: names of the runs that come before it.
        images: number that it is trained or judged on.
        epochs: of its training; "as measured" where a rule settles them, "" where there are none.
        is_done: whether it is finished.
        seconds: that it will take here, 0 if it is done.
        room: bytes that it keeps.
    """

    name: str
    arm: str
    needs: tuple[str, ...]
    images: int
    epochs: int | str
    is_done: bool
    seconds: float
    room: int


@dataclass(frozen=True)
class Plan:
    """All runs of a study.

    Attributes:
        runs: in the order in which they are run.
        room: bytes at the fullest, with what is done and decoded images.
    """

    runs: tuple[PlannedRun, ...]
    room: int

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a run, and one of all: the time that is left, and the room at its fullest."""
        rows = [
            {"run": run.name, "needs": ", ".join(run.needs), "images": run.images, "epochs": run.epochs}
            | {"state": "done" if run.is_done else "to do"}
            | {"about": clock_text(run.seconds), "disk": size_text(run.room)}
            for run in self.runs
        ]
        return [*rows, {"run": "all", **self._total()}]

    def rows_by_arm(self) -> list[dict[str, Any]]:
        """Return a row for all seeds of an arm, with the time and room of all of them, and one of all."""
        rows, arms = [], {run.name: run.arm for run in self.runs}
        for arm in dict.fromkeys(arms.values()):
            runs = [run for run in self.runs if run.arm == arm]
            needs = dict.fromkeys(arms.get(name, name) for run in runs for name in run.needs)
            rows.append(
                {"run": arm, "done": f"{sum(run.is_done for run in runs)} of {len(runs)}", "needs": ", ".join(needs)}
                | {"images": _range([run.images for run in runs]), "epochs": _range([run.epochs for run in runs])}
                | {"about": clock_text(sum(run.seconds for run in runs))}
                | {"disk": size_text(sum(run.room for run in runs))}
            )
        done = f"{sum(run.is_done for run in self.runs)} of {len(self.runs)}"
        return [*rows, {"run": "all", "done": done, **self._total()}]

    def _total(self) -> dict[str, str]:
        return {"about": clock_text(sum(run.seconds for run in self.runs)), "disk": size_text(self.room)}


def estimate(nodes: list[Node], folder: Path, say: Say = lambda _: None) -> Plan:
    """Return how long each run will take and what it keeps; none is run.

    Args:
        nodes: of the study.
        folder: of the study, where what is done is found.
        say: called with what is timed, before it is.
    """
    times: dict[str, float] = {}
    images: dict[str, int] = {}
    runs: list[PlannedRun] = []
    # Of each run, done or not, without trials of learning rates.
    lasting: dict[str, float] = {}
    for node in nodes:
        run = StudyFolder(folder).find_run(node.name)
        done = run.exists and run.is_done
        workload: Workload = import_dotted(node.what.workload)(node.config)
        budget = next((rule for rule in node.rules if isinstance(rule, EpochsFor)), None)
        if done:
            seconds, lasting[node.name] = 0.0, run.info().fit_seconds
        elif budget is not None:
            longest = MOST_TIMES * lasting[budget.base]
            seconds = lasting[node.name] = min(longest, sum(lasting[name] for name in budget.others))
        else:
            seconds = workload.steps * _step_seconds(node, workload, times, say)
            lasting[node.name] = seconds / (1 + len(getattr(node.config, "tune", ())))
        images[node.name] = workload.images
        epochs = "as measured" if budget else getattr(node.config, "epochs", "")
        room = room_of(node.config).weights
        runs.append(PlannedRun(node.name, _arm(node), node.needs, workload.images, epochs, done, seconds, room))
    return Plan(tuple(runs), study_bytes(nodes, images))


def _step_seconds(node: Node, workload: Workload, times: dict[str, float], say: Say) -> float:
    """Return seconds of a step; the same step is timed once, and what cannot run here takes no time."""
    config = node.config
    key = f"{sorted(workload.example.facts.items())} {config.device} {config.precision} {config.threads}"
    if key not in times:
        say(f"timing a step of {_arm(node)}")
        try:
            times[key] = step_seconds(config, workload.example)
        except NotAvailable:
            times[key] = 0.0
    return times[key]


def _arm(node: Node) -> str:
    return node.arm or re.sub(r"-\d+$", "", node.name)


def _range(values: list[int] | list[int | str]) -> str:
    """Return a value that all have, or the first and the last of several."""
    different = list(dict.fromkeys(map(str, values)))
    return different[0] if len(different) == 1 else f"{different[0]}–{different[-1]}"
