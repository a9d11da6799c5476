"""Choosing a learning rate: a trial of each, judged on validation alone; the run itself then trains with the best one.

The trials are runs in RUN/tuning/, made while the run is open: a resumed run goes on in the midst of them, and repeats
none. None of them touches the test part. A rate at which the loss is no longer finite has lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from sightline.errors import NonFinite
from sightline.runs import RunFolder
from sightline.runs.artifacts import TUNING
from sightline.runs.results import Tuning


def choose_rate(
    run: RunFolder,
    rates: Sequence[float],
    trial: Callable[[float, Path], RunFolder],
    metric: str,
    say: Callable[[str], object],
) -> float:
    """Return the learning rate that is best on validation.

    Args:
        run: the open run.
        rates: to try; of equally good ones the first is taken.
        trial: (rate, folder) → the finished run of a trial, which goes on with one that is there.
        metric: its score on validation, by its key in result.json.
        say: where to report.

    Raises:
        NonFinite: at every rate the loss became NaN or infinite.
    """
    lost: list[float] = []
    for rate in rates:
        try:
            trial(rate, _folder(run, rate).path)
        except NonFinite:
            lost.append(rate)
            if len(lost) == len(rates):
                raise
    tuning = tuning_of(run, rates, metric)
    assert tuning is not None, "there is a rate to try"
    tried = ", ".join(f"{rate:g}: {score:.3f}" for rate, score in tuning.scores.items())
    say(f"{run.path.name}: learning rate {tuning.best:g} is best on validation of {tried}")
    return tuning.best


def tuning_of(run: RunFolder, rates: Sequence[float], metric: str) -> Tuning | None:
    """Return what the finished trials of a run say; None where none are asked for. Arguments as of `choose_rate`."""
    if not rates:
        return None
    trials = {rate: _folder(run, rate) for rate in rates}
    return Tuning(
        scores={rate: float(trial.result()[metric]) if trial.is_done else math.nan for rate, trial in trials.items()}
    )


def _folder(run: RunFolder, rate: float) -> RunFolder:
    return RunFolder(run.path / TUNING / f"lr-{rate:g}")
