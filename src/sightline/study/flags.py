"""The rules by which an arm is flagged; `runs.flags.FLAGS` names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np

from sightline.errors import RunError
from sightline.metrics.convergence import still_rising
from sightline.runs import RunFolder
from sightline.runs.flags import FLAGS
from sightline.runs.kinds import KINDS, Kind, import_dotted
from sightline.runs.metrics import Metric, metric_named
from sightline.runs.results import PretrainResult, ScoredResult
from sightline.runs.study_result import Summary

FALLING = ("cosine", "poly")  # schedules of OptimConfig that end at a low rate whatever the curve does


@dataclass(frozen=True, kw_only=True)
class Judged:
    """An arm as a rule sees it.

    Attributes:
        kind: of its runs.
        metric: that it is compared by.
        score: by that metric.
        runs: one a seed, finished.
        pretrained: the finished pretrainings whose weights its runs start from.
    """

    kind: Kind
    metric: Metric
    score: Summary
    runs: Sequence[RunFolder]
    pretrained: Sequence[RunFolder] = ()


def flags_of(judged: Judged) -> tuple[str, ...]:
    """Return the names of the flags that an arm bears, in the order of the table."""
    return tuple(name for name, flag in FLAGS.items() if import_dotted(flag.rule)(judged))


def judge_run(run: RunFolder) -> tuple[tuple[str, ...], Metric, Summary] | None:
    """Return the flags of one finished run, as those of an arm of one seed, with what it scored by its kind's metric.

    None of a kind that no metric judges, and where the run kept no outputs to judge.
    """
    kind = KINDS[run.info().kind]
    if not kind.metric or run.result_as(kind.result).to_dict().get(kind.metric) is None:
        return None
    metric = metric_named(kind.metric)
    try:
        score = import_dotted(metric.evidence)([run]).summary()
    except (RunError, OSError):
        return None
    begun = RunFolder(Path(str(run.config().get("init", ""))))
    pretrained = [begun] if begun.exists and begun.is_done and begun.info().kind == "pretrain" else []
    judged = Judged(kind=kind, metric=metric, score=score, runs=[run], pretrained=pretrained)
    return flags_of(judged), metric, score


def not_converged(judged: Judged) -> bool:
    """Whether at least half of the runs ended while their validation score was rising."""
    rising = [still_rising(validation_curve(run), falling_rates(run)) for run in judged.runs]
    return bool(rising) and 2 * sum(rising) >= len(rising)


def validation_curve(run: RunFolder) -> list[float]:
    """Return the validation score of a finished run by epoch; [] of one that was not trained by epochs."""
    kind = KINDS[run.info().kind]
    result = run.result_as(kind.result)
    if not kind.watched or not isinstance(result, ScoredResult) or not result.by_epochs:
        return []
    return [line[kind.watched] for line in run.metrics() if kind.watched in line]


def falling_rates(run: RunFolder) -> list[float]:
    """Return the learning rate at each point of `validation_curve`, of a schedule that falls by design; [] of others.

    Where nothing was logged in an epoch the rate lies between those of its neighbors.
    """
    if run.config().get("optim", {}).get("schedule") not in FALLING:
        return []
    lines, watched = run.metrics(), KINDS[run.info().kind].watched
    logged: dict[int, list[float]] = {}
    for line in lines:
        if "lr" in line:
            logged.setdefault(line["epoch"], []).append(line["lr"])
    if not logged:
        return []
    epochs = sorted(logged)
    judged = [line["epoch"] for line in lines if watched in line]
    return np.interp(judged, epochs, [mean(logged[epoch]) for epoch in epochs]).tolist()


def at_chance(judged: Judged) -> bool:
    """Whether the interval of the score does not leave out what the best constant answer scores."""
    score = judged.score
    if score.chance is None:
        return False
    return score.low <= score.chance if judged.metric.better == "higher" else score.high >= score.chance


def not_learnt(judged: Judged) -> bool:
    """Whether a class stayed below what its metric takes for learnt."""
    return judged.kind.trained and bool(judged.metric.unlearnt(judged.score.per_class))


def pretraining_not_learnt(judged: Judged) -> bool:
    """Whether a pretraining ended where its method says that nothing was learnt."""
    return any(run.result_as(PretrainResult).unlearnt for run in judged.pretrained)
