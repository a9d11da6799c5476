from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

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


def test_one_seed_is_student_s_interval_over_samples():
    values = np.random.default_rng(0).random(30)
    of = statistics.crossed_interval(values)
    expected = scipy_stats.t.interval(0.95, 29, values.mean(), scipy_stats.sem(values))
    assert (of.low, of.high) == pytest.approx(expected)
    assert of.p == pytest.approx(scipy_stats.ttest_1samp(values, 0).pvalue, abs=2**-28)


def test_the_variance_is_that_of_a_two_way_layout():
    """Against a plain loop over Hillis (2007), equations of mean squares, and Satterthwaite's formula."""
    values = np.random.default_rng(1).normal(size=(4, 7)) + np.arange(4)[:, None] + np.arange(7)
    grand, (seeds, samples) = values.mean(), values.shape
    ms_seeds = sum(samples * (row.mean() - grand) ** 2 for row in values) / (seeds - 1)
    ms_samples = sum(seeds * (column.mean() - grand) ** 2 for column in values.T) / (samples - 1)
    ms_rest = sum(
        (values[i, j] - values[i].mean() - values[:, j].mean() + grand) ** 2
        for i in range(seeds) for j in range(samples)
    ) / ((seeds - 1) * (samples - 1))  # fmt: skip
    of_samples = ms_samples - ms_rest
    df = (ms_seeds + of_samples) ** 2 / (ms_seeds**2 / (seeds - 1) + of_samples**2 / (samples - 1))
    error = np.sqrt((ms_seeds + of_samples) / values.size)
    of = statistics.crossed_interval(values)
    assert of.error == pytest.approx(error)
    assert of.high - of.mean == pytest.approx(scipy_stats.t.ppf(0.975, df) * error)
    assert of.p == pytest.approx(max(2 * scipy_stats.t.sf(abs(grand) / error, df), 2**-6))
    assert of.detectable() == pytest.approx((scipy_stats.t.ppf(0.975, df) + scipy_stats.t.ppf(0.8, df)) * error)


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_p_is_five_percent_where_the_interval_touches_zero(seeds: int):
    values = np.random.default_rng(seeds).normal(size=(seeds, 40))
    touching = values - statistics.crossed_interval(values).low
    of = statistics.crossed_interval(touching)
    assert of.low == pytest.approx(0, abs=1e-12)
    assert of.p == pytest.approx(0.05)


def test_pairs_are_antisymmetric_and_repeat():
    rng = np.random.default_rng(1)
    a, b = rng.random((3, 300)) < 0.6, rng.random((3, 300)) < 0.4
    forward, backward = statistics.paired_interval(a, b), statistics.paired_interval(b, a)
    assert forward == statistics.paired_interval(a, b)
    assert forward.mean == pytest.approx(-backward.mean)
    assert (forward.low, forward.high) == pytest.approx((-backward.high, -backward.low))
    assert forward.p == backward.p
    with pytest.raises(ValueError, match="same seeds and samples"):
        statistics.paired_interval(np.ones((2, 5)), np.ones((2, 6)))


def test_no_p_is_below_the_sign_test_s():
    assert statistics.crossed_interval(np.full((3, 8), 0.5)).p == 2**-7
    assert statistics.crossed_interval(np.full(8, 0.5) + np.arange(8) * 1e-9).p == 2**-7


def test_one_sample_says_nothing_of_others():
    of = statistics.crossed_interval(np.array([[0.4], [0.5]]))
    assert (of.low, of.high, of.p) == (-np.inf, np.inf, 1.0)
    assert statistics.proportion_interval(np.array([[0.4], [0.5]])) == (0.0, 1.0)


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("spread", [0, 0.03])
def test_equal_arms_are_called_different_about_as_often_as_promised(seeds: int, spread: float):
    """benchmarks/intervals.py has the whole table; of 400 studies 5 % are 20; 37 has a chance of 0.02 %."""
    rng = np.random.default_rng(seeds)
    different = 0
    for _ in range(400):
        levels = 0.6 + rng.normal(0, spread, (2, seeds, 1))
        a, b = (rng.random((seeds, 128)) < level for level in levels)
        different += statistics.paired_interval(a, b).p < 0.05
    assert 4 <= different <= 36


def test_a_proportion_s_interval_stays_within_its_range_and_is_wilson_s_at_its_ends():
    almost = np.ones((3, 50))
    almost[0, 0] = 0
    low, high = statistics.proportion_interval(almost)
    assert 0.5 < low < almost.mean() < high < 1
    assert statistics.proportion_interval(np.ones((3, 50))) == statistics.wilson(50, 50)
    assert statistics.proportion_interval(np.zeros((3, 50))) == statistics.wilson(0, 50)
    middle = (np.random.default_rng(0).random(2000) < 0.3).astype(float)
    assert statistics.proportion_interval(middle) == pytest.approx(statistics.wilson(int(middle.sum()), 2000), abs=5e-4)


def test_verdicts_need_three_seeds():
    assert [statistics.verdict(0.2, 0.001, seeds) for seeds in (1, 2, 3)] == ["one run each", "two runs each", "higher"]
    assert statistics.verdict(-0.2, 0.001, 3) == "lower"
    assert statistics.verdict(0.2, 0.05, 3) == "undecided"


def test_holm_by_hand():
    assert statistics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert statistics.holm([0.6, 0.9]) == [1.0, 1.0]
    assert statistics.holm([]) == []
