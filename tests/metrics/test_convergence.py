"""`still_rising` on curves made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.metrics.convergence import still_rising

EPOCHS = np.arange(1, 31)


@pytest.mark.parametrize(
    ("curve", "rising"),
    [
        ((), False),  # a head fitted by L-BFGS has no epochs
        ((0.3,), True),
        ((0.3, 0.4), True),
        ((0.4, 0.4, 0.3), False),
        (0.2 + 0.01 * EPOCHS, True),
        (0.8 - 0.6 * np.exp(-EPOCHS / 4), False),
        (0.8 - 0.6 * np.exp(-EPOCHS / 20), True),
        (np.full(30, 0.5), False),
        (np.where(EPOCHS < 15, 0.02 * EPOCHS, 0.6 - 0.02 * EPOCHS), False),  # it fell at the end
        ((0.2, float("nan"), 0.3, 0.5, 0.6, 0.7), True),
    ],
)
def test_curves_made_by_hand(curve, rising):
    assert still_rising(curve) is rising


def test_noise_around_a_level_rises_seldom():
    rng = np.random.default_rng(0)
    curves = 0.7 - 0.5 * np.exp(-EPOCHS / 3) + rng.normal(0, 0.02, (400, len(EPOCHS)))
    assert np.mean([still_rising(curve) for curve in curves]) < 0.05
