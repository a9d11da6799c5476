"""Schedules against the arrays that DINO's code builds."""

import numpy as np
import pytest

from sightline import schedules


@pytest.mark.parametrize(("total", "start", "end"), [(100, 0.03, 1e-6), (7, 0.996, 1.0), (1, 2.0, 1.0)])
def test_cosine_is_the_array_of_dino(total, start, end):
    steps = np.arange(total)
    expected = end + 0.5 * (start - end) * (1 + np.cos(np.pi * steps / total))
    np.testing.assert_allclose([schedules.cosine(step, total, start, end) for step in steps], expected, rtol=1e-12)


def test_cosine_reaches_its_end_and_stays():
    assert [schedules.cosine(step, 10, 3.0, 1.0) for step in (10, 11, 1000)] == [1.0, 1.0, 1.0]
    assert schedules.cosine(0, 0, 3.0, 1.0) == 3.0


def test_warmup_rises_by_equal_steps_to_the_peak_then_falls_as_dinos_cosine():
    total, warmup, peak, end = 60, 12, 0.03, 1e-6
    found = [schedules.cosine_with_warmup(step, total, peak, end, warmup) for step in range(total)]
    np.testing.assert_allclose(found[:warmup], np.linspace(0, peak, warmup + 1)[1:], rtol=1e-12)
    rest = np.arange(total - warmup)
    np.testing.assert_allclose(
        found[warmup:], end + 0.5 * (peak - end) * (1 + np.cos(np.pi * rest / len(rest))), rtol=1e-12
    )
    assert max(found) == found[warmup] == peak


def test_no_warmup_begins_at_the_peak():
    assert schedules.cosine_with_warmup(0, 10, 0.5, 0.0, 0) == 0.5


def test_warmup_as_long_as_the_run_never_divides_by_zero():
    found = [schedules.cosine_with_warmup(step, 5, 1.0, 0.0, 5) for step in range(6)]
    np.testing.assert_allclose(found, [0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_teacher_temperature_goes_straight_up_and_stays():
    found = [schedules.linear_then_constant(step, 4, 0.04, 0.07) for step in range(7)]
    np.testing.assert_allclose(found, [*np.linspace(0.04, 0.07, 5), 0.07, 0.07], rtol=1e-12)
    assert schedules.linear_then_constant(0, 0, 0.04, 0.07) == 0.07


@pytest.mark.parametrize("steps", [0.5, 1, 10, 173.2, 1e5])
def test_the_memory_of_a_step_halves_in_a_half_life(steps):
    assert schedules.momentum_of_half_life(steps) ** steps == pytest.approx(0.5)


def test_a_half_life_of_nothing_remembers_nothing():
    assert schedules.momentum_of_half_life(0) == 0.0
