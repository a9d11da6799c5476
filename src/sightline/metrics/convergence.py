"""Whether training stopped while it still paid, read from the validation curve alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Each number by docs/benchmarks/convergence.md, which flags what was cut and not what had finished.
TAIL = 1 / 2  # of the curve: what is looked at for a rise
LEAST = 12  # evaluations: fewer cannot show that a rise has ended
SHARE = 0.2  # of all that the curve has risen: a tail that adds less has come to its end
ERRORS = 1.0  # standard errors of the tail's gain: less is noise


def still_rising(curve: Sequence[float]) -> bool:
    """Return whether a validation curve was still rising where it ends.

    A straight line is fitted to the last half. It rises where its whole gain is more than a fifth of all that the
    curve, smoothed, has risen, and more than one standard error. Fewer than twelve evaluations that are higher in their
    second half than in their first are rising, for so few cannot show an end of it; a single one has risen from
    nothing. What has not begun to rise is not rising: that it is at chance is another thing to say.

    Args:
        curve: scores on validation by epoch, of which a higher one is better; () of what has no epochs, which is never
            rising.
    """
    values = np.asarray(curve, np.float64)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return len(values) == 1
    half = round(TAIL * len(values))
    if len(values) < LEAST:
        return bool(values[-half:].mean() > values[:-half].mean())
    smooth = np.convolve(values, np.full(3, 1 / 3), "valid")
    gain, error = _gain(values[-half:])
    return bool(gain > max(SHARE * np.ptp(smooth), ERRORS * error))


def _gain(values: np.ndarray) -> tuple[float, float]:
    """Return how much a straight line through `values` gains from the first to the last, and its standard error."""
    steps = np.arange(len(values)) - (len(values) - 1) / 2
    slope = float(steps @ values) / float(steps @ steps)
    rest = values - values.mean() - slope * steps
    variance = float(rest @ rest) / max(1, len(values) - 2) / float(steps @ steps)
    return slope * (len(values) - 1), float(np.sqrt(variance)) * (len(values) - 1)
