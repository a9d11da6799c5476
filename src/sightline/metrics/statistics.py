"""Intervals and tests for accuracies: NumPy and SciPy only, deterministic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats as scipy_stats

from sightline.randomness import generator

CONFIDENCE = 0.95
SIGNIFICANCE = 0.05
RESAMPLES = 10_000  # the 2.5 % quantile of a bootstrap then has a standard error of about 0.16 percentage points
BLOCK = 500  # resamples at a time: bounds memory at block × samples


def wilson(successes: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion (Wilson 1927); (0, 1) when n is 0."""
    if n == 0:
        return 0.0, 1.0
    interval = scipy_stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def bootstrap_interval(values: np.ndarray, seed: int = 0, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the percentile interval of the mean of `values` (seeds, samples), resampling samples, and seeds with them.

    A seed's samples are the same as another's, so samples are drawn once for all seeds (clusters), and seeds are
    drawn beside them: the interval speaks of new images and, as far as so few can tell, of new seeds.
    """
    means = _resampled_means(np.atleast_2d(values), seed)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def paired_bootstrap(
    a: np.ndarray, b: np.ndarray, seed: int = 0, confidence: float = CONFIDENCE
) -> tuple[float, float, float, float]:
    """Compare two arms on the same samples and seeds.

    Args:
        a: 0/1 or any score, (seeds, samples) or (samples,).
        b: as `a`, same shape, same samples in the same order.
        seed: of the resampling.
        confidence: of the interval.

    Returns:
        mean(a) − mean(b), low, high, and the two-sided p: twice the share of resamples on the other side of zero
        (Efron and Tibshirani 1993, chapter 15), at least 2 / (resamples + 1).

    Raises:
        ValueError: shapes differ.
    """
    a, b = np.atleast_2d(a).astype(np.float64), np.atleast_2d(b).astype(np.float64)
    if a.shape != b.shape:
        raise ValueError(f"paired arms need the same seeds and samples, got shapes {a.shape} and {b.shape}")
    means = _resampled_means(a - b, seed)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    beyond = min((means <= 0).sum(), (means >= 0).sum())
    p = min(1.0, 2 * (beyond + 1) / (len(means) + 1))
    return float((a - b).mean()), float(low), float(high), float(p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's step-down adjusted p-values (Holm 1979), in the order given."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    adjusted = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    result = np.empty_like(adjusted)
    result[order] = adjusted
    return result.tolist()


def verdict(difference: float, p: float) -> str:
    """Return "higher" or "lower" where p is below `SIGNIFICANCE`, else "undecided"."""
    if p >= SIGNIFICANCE:
        return "undecided"
    return "higher" if difference > 0 else "lower"


def compare(a: np.ndarray, b: np.ndarray, seed: int = 0) -> dict[str, float | str]:
    """Return difference, low, high, p and verdict of one pair of arms; arguments as of `paired_bootstrap`.

    For several pairs correct the p-values with `holm` first, and take `verdict` of the corrected ones.
    """
    difference, low, high, p = paired_bootstrap(a, b, seed)
    return {"difference": difference, "low": low, "high": high, "p": p, "verdict": verdict(difference, p)}


def _resampled_means(values: np.ndarray, seed: int) -> np.ndarray:
    """Return `RESAMPLES` means of (seeds, samples) under resampling of both, float64."""
    seeds, samples = values.shape
    rng = generator(seed, "stats/bootstrap")
    means = np.empty(RESAMPLES)
    for begin in range(0, RESAMPLES, BLOCK):
        # Multinomial counts in place of index lists: the mean is then a product of matrices.
        of_samples = rng.multinomial(samples, np.full(samples, 1 / samples), size=BLOCK) / samples
        of_seeds = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=BLOCK) / seeds
        means[begin : begin + BLOCK] = np.einsum("ks,sk->k", of_seeds, values @ of_samples.T)
    return means
