"""One precision for all runs of a study, so that arms differ in what they are about and in nothing else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sightline.config import RunConfig
from sightline.errors import SightlineError
from sightline.runs import StudyFolder
from sightline.runs.artifacts import PRECISION
from sightline.runs.info import Precision
from sightline.runs.kinds import import_dotted
from sightline.study.plan import Node

if TYPE_CHECKING:
    from sightline.engine.example import ExampleStep

AUTO = "auto"
# What two configurations may differ in and still have the same step, as often.
APART = ("seed", "init", "keep_features")


def with_shared_precision(
    asked: Sequence[Node], nodes: Sequence[Node], folder: StudyFolder, say: Callable[[str], object]
) -> list[Node]:
    """Return the runs that were asked for, those still to begin in the study's precision; it is settled at most once.

    What a study file names stays, and a run that has begun keeps what it began with.

    Args:
        asked: to run.
        nodes: of the whole study.
        folder: of the study, which keeps the precision.
        say: told what was settled.
    """
    precisions = {node.name: _begun(folder, node) for node in asked if _is_open(node)}
    waiting = [name for name in precisions if not folder.find_run(name).exists]
    if waiting:
        settled = recorded(folder) or _settle([node for node in nodes if _is_open(node)], folder, say)
        precisions |= dict.fromkeys(waiting, settled.chosen)
    return [_in(node, precisions.get(node.name, "")) for node in asked]


def recorded(folder: StudyFolder) -> Precision | None:
    """Return the precision that was settled for a study; None where none was."""
    path = folder.path / PRECISION
    return Precision.read(path) if path.is_file() else None


def _is_open(node: Node) -> bool:
    return node.what.trained and node.config.precision == AUTO


def _in(node: Node, precision: str) -> Node:
    return replace(node, config=node.config.model_copy(update={"precision": precision})) if precision else node


def _settle(nodes: Sequence[Node], folder: StudyFolder, say: Callable[[str], object]) -> Precision:
    begun = Counter(precision for node in nodes if (precision := _begun(folder, node)))
    if begun:
        most = begun.most_common(1)[0][0]
        settled = Precision(chosen=most, reason="most runs of the study began with it", seconds={})
    else:
        # Imported here, where torch is needed: planning does without.
        from sightline.engine.precision import shared_precision

        verdict = shared_precision(_examples(nodes))
        settled = Precision(chosen=verdict.chosen, reason=verdict.reason, seconds=verdict.seconds)
    settled.write(folder.path / PRECISION)
    say(f"study: precision of all runs: {settled.chosen} ({settled.reason})")
    return settled


def _begun(folder: StudyFolder, node: Node) -> str:
    """Return the precision that a run began with; "" of one that has not begun, or that named none."""
    run = folder.find_run(node.name)
    precision = run.config().get("precision", "") if run.exists else ""
    return "" if precision == AUTO else precision


def _examples(nodes: Sequence[Node]) -> list[tuple[RunConfig, ExampleStep]]:
    """Return the step of each run; of runs that do the same, all together in one."""
    alike: dict[str, list[Node]] = {}
    for node in nodes:
        if node.what.workload:
            facts = {key: value for key, value in node.config.to_dict().items() if key not in APART}
            alike.setdefault(json.dumps(facts, sort_keys=True, default=str), []).append(node)
    examples = []
    for of in alike.values():
        try:
            workload = import_dotted(of[0].what.workload)(of[0].config)
        except SightlineError:
            # Its data cannot be read: the run itself will say so, and takes no time.
            continue
        examples.append((of[0].config, replace(workload.example, steps=len(of) * workload.steps)))
    return examples
