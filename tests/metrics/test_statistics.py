from __future__ import annotations

import numpy as np
import pytest

from sightline.metrics import statistics


def test_wilson_agrees_with_the_closed_form():
    k, n, z = 37, 120, 1.959963984540054
    p = k / n
    center = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    assert statistics.wilson(k, n) == pytest.approx((center - half, center + half))


def test_wilson_stays_in_the_unit_interval():
    assert statistics.wilson(0, 0) == (0.0, 1.0)
    assert statistics.wilson(0, 10)[0] == pytest.approx(0, abs=1e-12)
    assert statistics.wilson(10, 10)[1] == pytest.approx(1)


def test_bootstrap_interval_has_the_width_of_a_binomial():
    rng = np.random.default_rng(0)
    values = (rng.random(2000) < 0.3).astype(float)
    low, high = statistics.bootstrap_interval(values)
    expected = 2 * 1.96 * np.sqrt(values.mean() * (1 - values.mean()) / 2000)
    assert high - low == pytest.approx(expected, rel=0.05)


def test_paired_bootstrap_is_antisymmetric_and_repeats():
    rng = np.random.default_rng(1)
    a, b = rng.random((3, 300)) < 0.6, rng.random((3, 300)) < 0.4
    forward, backward = statistics.paired_bootstrap(a, b), statistics.paired_bootstrap(b, a)
    assert forward == statistics.paired_bootstrap(a, b)
    assert forward[0] == pytest.approx(-backward[0])
    assert forward[1:3] == pytest.approx((-backward[2], -backward[1]))
    assert forward[3] == backward[3]


def test_paired_bootstrap_refuses_other_samples():
    with pytest.raises(ValueError, match="same seeds and samples"):
        statistics.paired_bootstrap(np.ones((2, 5)), np.ones((2, 6)))


def test_interval_covers_the_true_difference_about_as_often_as_it_says():
    hits = 0
    for trial in range(60):
        rng = np.random.default_rng(trial)
        a, b = rng.random((1, 200)) < 0.6, rng.random((1, 200)) < 0.5
        _, low, high, _ = statistics.paired_bootstrap(a, b, seed=trial)
        hits += low <= 0.1 <= high
    assert hits >= 51  # fewer has a chance under 1 % at 95 % coverage


def test_equal_arms_are_undecided_and_clear_ones_are_not():
    rng = np.random.default_rng(2)
    same = rng.random((2, 400)) < 0.5
    assert statistics.compare(same, same) == {"difference": 0, "low": 0, "high": 0, "p": 1.0, "verdict": "undecided"}
    better = rng.random((2, 400)) < 0.9
    assert statistics.compare(better, same)["verdict"] == "higher"
    assert statistics.compare(same, better)["verdict"] == "lower"


def test_holm_by_hand():
    assert statistics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert statistics.holm([0.6, 0.9]) == [1.0, 1.0]
    assert statistics.holm([]) == []
