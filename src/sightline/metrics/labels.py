"""How many labels one arm needs to be as good as another: where its curve of scores over labels reaches a value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats as scipy_stats

from sightline.confidence import CONFIDENCE, DECIDING_SEEDS


def labels_to_reach(labels: Sequence[float], scores: Sequence[float], target: float) -> float:
    """Return how many labels a curve needs to reach `target`, by linear interpolation over the logarithm of labels.

    A curve that falls again is taken where it first reaches the target.

    Args:
        labels: of the points, ascending, above 0.
        scores: of the points, more is better.
        target: to reach.

    Returns:
        Labels; 0 where the first point has reached it already, infinity where none does.
    """
    reached = np.flatnonzero(np.asarray(scores) >= target)
    if not len(reached):
        return math.inf
    index = int(reached[0])
    if index == 0:
        return 0.0
    share = (target - scores[index - 1]) / (scores[index] - scores[index - 1])
    low, high = math.log(labels[index - 1]), math.log(labels[index])
    return math.exp(low + share * (high - low))


@dataclass(frozen=True)
class Needed:
    """Labels that one arm needs to equal another.

    Attributes:
        labels: geometric mean over the draws where each reaches it, else of the mean curve; 0 where fewer than its
            fewest, infinity where more than its most.
        low: lower end of the 95 % interval over draws; None where it cannot be said.
        high: its upper end.
    """

    labels: float
    low: float | None = None
    high: float | None = None


def labels_needed(labels: np.ndarray, scores: np.ndarray, targets: np.ndarray) -> Needed:
    """Return how many labels an arm needs to reach the scores of another, draw by draw.

    The interval is Student's t over the logarithms of the draws: it holds over draws of the labels and seeds, on these
    test images. There is none with fewer than three draws, or where a draw is outside of its curve.

    Args:
        labels: of each point, ascending, float64 (P,).
        scores: of the arm, float64 (draws, P), more is better.
        targets: scores of the other arm, float64 (draws,).
    """
    whole = labels_to_reach(labels.tolist(), scores.mean(axis=0).tolist(), float(targets.mean()))
    draws = zip(scores.tolist(), targets.tolist(), strict=True)
    by_draw = np.array([labels_to_reach(labels.tolist(), curve, target) for curve, target in draws])
    if len(by_draw) < DECIDING_SEEDS or not np.isfinite(by_draw).all() or not by_draw.all():
        return Needed(whole)
    logs = np.log(by_draw)
    error = float(logs.std(ddof=1)) / math.sqrt(len(logs))
    half = float(scipy_stats.t.isf((1 - CONFIDENCE) / 2, len(logs) - 1)) * error
    mean = float(logs.mean())
    return Needed(math.exp(mean), math.exp(mean - half), math.exp(mean + half))
