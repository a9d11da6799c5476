"""Whether training stopped while it still paid, read from the validation curve alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Each number by docs/benchmarks/convergence.md, which flags what was cut and not what had finished.
TAIL = 1 / 3  # of the curve: what is looked at for a rise
LEAST = 4  # evaluations: fewer have no tail, and are looked at as a whole
SHARE = 0.05  # of the whole rise: a tail that adds less has come to its end
ERRORS = 1.7  # standard errors of the tail's rise: less is noise, one-sided 95 %


def still_rising(curve: Sequence[float]) -> bool:
    """Return whether a validation curve was still rising where it ends.

    A straight line is fitted to the last third. It rises where its whole gain is more than its noise would give, and
    more than a twentieth of all that the curve has risen. Of fewer than four evaluations the first and the last are
    compared, and a single one has risen from nothing.

    Args:
        curve: scores on validation by epoch, of which a higher one is better; () of what has no epochs, which is never
            rising.
    """
    values = np.asarray(curve, np.float64)
    values = values[np.isfinite(values)]
    if len(values) < LEAST:
        return len(values) == 1 or bool(len(values) and values[-1] > values[0])
    tail = values[-max(LEAST - 1, round(TAIL * len(values))) :]
    gain, error = _gain(tail)
    return bool(gain > max(SHARE * (values.max() - values.min()), ERRORS * error))


def _gain(values: np.ndarray) -> tuple[float, float]:
    """Return how much a straight line through `values` gains from the first to the last, and its standard error."""
    steps = np.arange(len(values)) - (len(values) - 1) / 2
    slope = float(steps @ values) / float(steps @ steps)
    rest = values - values.mean() - slope * steps
    variance = float(rest @ rest) / max(1, len(values) - 2) / float(steps @ steps)
    return slope * (len(values) - 1), float(np.sqrt(variance)) * (len(values) - 1)
