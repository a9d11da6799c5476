"""Whether training stopped while it still paid, read from the validation curve alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Each number by docs/benchmarks/convergence.md, which flags what was cut and not what had finished.
TAIL = 1 / 2  # of the curve: what is looked at for a rise
LEAST = 12  # evaluations: fewer cannot show that a rise has ended
SHARE = 0.2  # of all that the curve has risen: a tail that adds less has come to its end
FALLING_SHARE = 0.3  # the same where the rate falls to zero: that it falls is by itself worth some of the rise
ERRORS = 1.0  # standard errors of the tail's gain: less is noise


def still_rising(curve: Sequence[float], rates: Sequence[float] = ()) -> bool:
    """Return whether a validation curve was still rising where it ends.

    A straight line is fitted to the last half. It rises where its whole gain is more than a fifth of all that the
    curve, smoothed, has risen, and more than one standard error. Fewer than twelve evaluations that are higher in their
    second half than in their first are rising, for so few cannot show an end of it; a single one has risen from
    nothing. What has not begun to rise is not rising: that it is at chance is another thing to say.

    A curve flattens where its learning rate falls to zero by design, whatever is left to learn. With `rates` the half
    and the line are therefore taken over the sum of the learning rates and not over epochs, over how far the weights
    could move; and as the fall of the rate raises the score by itself, three tenths of the rise are asked for.

    Args:
        curve: scores on validation by epoch, of which a higher one is better; () of what has no epochs, which is never
            rising.
        rates: learning rate by epoch, of a schedule that falls whatever the curve does; () of any other.
    """
    values = np.asarray(curve, np.float64)
    known = np.isfinite(values)
    steps = np.asarray(rates, np.float64)[known] if len(rates) else np.ones(known.sum())
    values = values[known]
    if len(values) < 2:
        return len(values) == 1
    half = round(TAIL * len(values))
    if len(values) < LEAST:
        return bool(values[-half:].mean() > values[:-half].mean())
    smooth = np.convolve(values, np.full(3, 1 / 3), "valid")
    way = np.cumsum(steps)
    tail = way > TAIL * way[-1] if len(rates) else np.arange(len(values)) >= len(values) - half
    gain, error = _gain(values[tail], way[tail])
    share = FALLING_SHARE if len(rates) else SHARE
    return bool(gain > max(share * np.ptp(smooth), ERRORS * error))


def _gain(values: np.ndarray, way: np.ndarray) -> tuple[float, float]:
    """Return how much a straight line over `way` gains from the first value to the last, and its standard error."""
    steps = way - way.mean()
    slope = float(steps @ values) / float(steps @ steps)
    rest = values - values.mean() - slope * steps
    variance = float(rest @ rest) / max(1, len(values) - 2) / float(steps @ steps)
    length = float(way[-1] - way[0])
    return slope * length, float(np.sqrt(variance)) * length
