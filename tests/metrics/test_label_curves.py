"""Labels that a curve needs to reach a score, where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sightline.metrics.labels import labels_needed, labels_to_reach

LABELS = [10.0, 100.0, 1000.0]


@pytest.mark.parametrize(
    ("target", "expected"),
    [(0.45, 10**1.5), (0.5, 100.0), (0.6, 10**2.5), (0.7, 1000.0), (0.4, 0.0), (0.1, 0.0), (0.71, math.inf)],
)
def test_it_is_read_off_the_curve_over_the_logarithm(target: float, expected: float):
    assert labels_to_reach(LABELS, [0.4, 0.5, 0.7], target) == pytest.approx(expected)


def test_a_curve_that_falls_counts_where_it_first_gets_there():
    assert labels_to_reach(LABELS, [0.4, 0.6, 0.5], 0.5) == pytest.approx(10**1.5)


def test_the_interval_is_student_s_t_over_the_logarithms_of_the_draws():
    scores = np.array([[0.4, 0.5, 0.7]] * 3)
    needed = labels_needed(np.array(LABELS), scores, np.array([0.44, 0.45, 0.46]))
    logs = np.array([1.4, 1.5, 1.6])
    half = 4.302653 * logs.std(ddof=1) / np.sqrt(3)  # t of 2 degrees of freedom, from a table
    assert needed.labels == pytest.approx(10**1.5)
    assert (needed.low, needed.high) == pytest.approx((10 ** (1.5 - half), 10 ** (1.5 + half)), rel=1e-5)


@pytest.mark.parametrize("targets", [[0.45, 0.45], [0.45, 0.45, 0.9], [0.45, 0.45, 0.3]])
def test_there_is_no_interval_of_few_draws_or_of_one_outside(targets: list[float]):
    needed = labels_needed(np.array(LABELS), np.array([[0.4, 0.5, 0.7]] * len(targets)), np.array(targets))
    assert (needed.low, needed.high) == (None, None)
    assert needed.labels == pytest.approx(labels_to_reach(LABELS, [0.4, 0.5, 0.7], float(np.mean(targets))))
