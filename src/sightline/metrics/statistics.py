"""Intervals and tests for scores of several seeds on the same samples: NumPy and SciPy only, deterministic.

Runs differ by training seed and by test sample. Scores (seeds × samples) are a crossed layout of two random effects, so
that the variance of their mean follows from the mean squares of seeds, samples and the rest. docs/statistics.md shows
how often the intervals hold, by simulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize
from scipy import stats as scipy_stats

from sightline.confidence import CONFIDENCE, DECIDING_SEEDS, NUMBERS, POWER, SIGNIFICANCE

LEAST_P = 1e-9  # where the p of two seeds is no longer searched for


@dataclass(frozen=True)
class Variance:
    """Estimates of S·N times the variance of the mean, and their degrees of freedom: of seeds, and of samples."""

    of_seeds: float
    of_samples: float
    seed_df: int
    sample_df: int

    @property
    def total(self) -> float:
        """Of both together."""
        return self.of_seeds + self.of_samples

    @property
    def df(self) -> float:
        """Satterthwaite's degrees of freedom of the total, as Hillis (2007) for readers and cases."""
        parts = ((self.of_seeds, self.seed_df), (self.of_samples, self.sample_df))
        return self.total**2 / sum(part**2 / df for part, df in parts if df)

    def quantile(self, tail: float) -> float:
        """Return what Student's t exceeds with probability `tail`.

        With two seeds Satterthwaite's degrees of freedom are too many (docs/statistics.md); the quantiles of both
        parts are then averaged, weighted by their variance (Cochran and Cox 1950).
        """
        if self.seed_df != 1:
            return float(scipy_stats.t.isf(tail, self.df))
        of_seeds, of_samples = (float(scipy_stats.t.isf(tail, df)) for df in (self.seed_df, self.sample_df))
        return (self.of_seeds * of_seeds + self.of_samples * of_samples) / self.total

    def p_value(self, t: float) -> float:
        """Return the two-sided p of a value `t` standard errors from zero: where an interval's end touches zero."""
        if self.seed_df != 1:
            return float(2 * scipy_stats.t.sf(t, self.df))
        if self.quantile(LEAST_P / 2) <= t:
            return LEAST_P
        return float(optimize.brentq(lambda p: self.quantile(p / 2) - t, LEAST_P, 1.0))  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class CrossedInterval:
    """Mean of scores with its 95 % interval.

    Attributes:
        mean: of all scores.
        low: lower end; −inf where there is one sample.
        high: upper end; inf where there is one sample.
        p: of a true mean of 0, two-sided.
        error: standard error of the mean.
        variance: what the error was estimated from; None where nothing varies, or nothing is known.
    """

    mean: float
    low: float
    high: float
    p: float
    error: float
    variance: Variance | None = None

    def detectable(self, comparisons: int = 1) -> float | None:
        """Return the smallest true mean that would be told from 0 with 80 % power; None where it is not known.

        Args:
            comparisons: of the study. Holm's strictest step takes p < 0.05 / comparisons; a mean that passes it is
                decided whatever the others are.
        """
        if self.variance is None:
            return None
        return (self.variance.quantile(SIGNIFICANCE / comparisons / 2) + self.variance.quantile(1 - POWER)) * self.error


def crossed_interval(values: np.ndarray, confidence: float = CONFIDENCE) -> CrossedInterval:
    """Return mean, interval and p of scores, seeds and samples both being random draws.

    The model is score = mean + seed + sample + rest. With MS the mean squares of a two-way layout, the variance of the
    mean is estimated by (MS_seeds + max(MS_samples − MS_rest, 0)) / (S·N) (Obuchowski and Rockette 1995; Hillis 2007,
    "multi-reader multi-case"). Of one seed nothing is known of others: the interval is then over samples alone.

    Args:
        values: float64 (seeds, samples): scores, or differences of paired scores.
        confidence: of the interval.

    Raises:
        ValueError: no scores.
    """
    values = np.atleast_2d(np.asarray(values, np.float64))
    if not values.size:
        raise ValueError(f"scores of shape {values.shape}: there must be at least one")
    mean, samples = float(values.mean()), values.shape[1]
    if samples == 1:
        return CrossedInterval(mean, -np.inf, np.inf, 1.0, np.inf)
    variance = _variance(values)
    error = float(np.sqrt(variance.total / values.size))
    if error <= 1e-12 * max(1.0, abs(mean)):  # all alike: no variance to estimate, and rounding is no evidence
        return CrossedInterval(mean, mean, mean, _sign_test(samples) if abs(mean) > 1e-12 else 1.0, 0.0)
    half = variance.quantile((1 - confidence) / 2) * error
    # No test of n samples can give less than the sign test of all on one side.
    p = max(variance.p_value(abs(mean) / error), _sign_test(samples))
    return CrossedInterval(mean, mean - half, mean + half, min(1.0, p), error, variance)


def _variance(values: np.ndarray) -> Variance:
    seeds, samples = values.shape
    by_seed, by_sample, mean = values.mean(axis=1), values.mean(axis=0), values.mean()
    of_samples = seeds * float(((by_sample - mean) ** 2).sum()) / (samples - 1)
    if seeds == 1:
        return Variance(0.0, of_samples, 0, samples - 1)
    of_seeds = samples * float(((by_seed - mean) ** 2).sum()) / (seeds - 1)
    rest = values - by_seed[:, None] - by_sample[None, :] + mean
    of_rest = float((rest**2).sum()) / ((seeds - 1) * (samples - 1))
    return Variance(of_seeds, max(of_samples - of_rest, 0.0), seeds - 1, samples - 1)


def _sign_test(samples: int) -> float:
    return float(2.0 ** (1 - samples))


def proportion_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of a mean of scores in 0–1 over seeds and samples, on the logit scale.

    The interval of `crossed_interval` is carried to the logit by the delta method, so that it stays within 0–1. Where
    all scores are 0, or all 1, Wilson's interval over the samples is given.

    Args:
        values: float64 (seeds, samples).
    """
    values = np.atleast_2d(np.asarray(values, np.float64))
    plain = crossed_interval(values)
    mean, samples = plain.mean, values.shape[1]
    if not 0 < mean < 1 or plain.error == 0:
        return wilson(round(samples * min(1.0, max(0.0, mean))), samples)
    if not np.isfinite(plain.low):
        return 0.0, 1.0
    half = (plain.high - mean) / (mean * (1 - mean))
    logit = float(np.log(mean / (1 - mean)))
    low, high = (1 / (1 + np.exp(-(logit + side * half))) for side in (-1, 1))
    return float(low), float(high)


def wilson(successes: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion (Wilson 1927); (0, 1) when n is 0."""
    if n == 0:
        return 0.0, 1.0
    interval = scipy_stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def paired_interval(a: np.ndarray, b: np.ndarray) -> CrossedInterval:
    """Compare two arms on the same samples: `crossed_interval` of a − b.

    Args:
        a: scores, (seeds, samples) or (samples,).
        b: as `a`, same shape, same samples in the same order.

    Raises:
        ValueError: shapes differ.
    """
    a, b = np.atleast_2d(a).astype(np.float64), np.atleast_2d(b).astype(np.float64)
    if a.shape != b.shape:
        raise ValueError(f"paired arms need the same seeds and samples, got shapes {a.shape} and {b.shape}")
    return crossed_interval(a - b)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's step-down adjusted p-values (Holm 1979), in the order given."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    adjusted = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    result = np.empty_like(adjusted)
    result[order] = adjusted
    return result.tolist()


def verdict(difference: float, p: float, seeds: int) -> str:
    """Return "higher" or "lower" where p is below `SIGNIFICANCE`, else "undecided".

    Args:
        difference: of two arms.
        p: corrected for the comparisons of the study.
        seeds: of each arm; below three "one run each" or "two runs each", whatever p is.
    """
    if seeds < DECIDING_SEEDS:
        return f"{NUMBERS[seeds]} run{'s' if seeds > 1 else ''} each"
    if p >= SIGNIFICANCE:
        return "undecided"
    return "higher" if difference > 0 else "lower"
