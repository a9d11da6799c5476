"""How long a study will take, and how much room: of each run the time of a step like its own here, times its steps."""

from __future__ import annotations

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


def estimate(nodes: list[Node], folder: Path) -> list[dict[str, Any]]:
    """Return a row a run: what it is, whether it is done, about how long it takes and what it keeps; none is run.

    The last row is of all: the time that is left, and the room at its fullest, with what is done and decoded images.
    """
    times: dict[str, float] = {}
    images: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    # Of each run, done or not, without trials of learning rates.
    lasting: dict[str, float] = {}
    total = 0.0
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
            seconds = workload.steps * _step_seconds(node, workload, times)
            lasting[node.name] = seconds / (1 + len(getattr(node.config, "tune", ())))
        total += seconds
        images[node.name] = workload.images
        rows.append(
            {"run": node.name, "needs": ", ".join(node.needs), "images": workload.images}
            | {"epochs": "as measured" if budget else getattr(node.config, "epochs", "")}
            | {"state": "done" if done else "to do"}
            | {"about": clock_text(seconds), "disk": size_text(room_of(node.config).weights)}
        )
    return [*rows, {"run": "all", "about": clock_text(total), "disk": size_text(study_bytes(nodes, images))}]


def _step_seconds(node: Node, workload: Workload, times: dict[str, float]) -> float:
    """Return seconds of a step; the same step is timed once, and what cannot run here takes no time."""
    config = node.config
    key = f"{sorted(workload.example.facts.items())} {config.device} {config.precision} {config.threads}"
    if key not in times:
        try:
            times[key] = step_seconds(config, workload.example)
        except NotAvailable:
            times[key] = 0.0
    return times[key]
