"""Draws are functions of their key alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sightline.randomness import derived_seed, generator, permutation

seeds = st.integers(0, 2**63 - 1)


@given(seeds, seeds, seeds)
def test_the_same_key_draws_the_same(seed, epoch, sample):
    first = generator(seed, "crop", epoch, sample).random(5)
    np.testing.assert_array_equal(first, generator(seed, "crop", epoch, sample).random(5))


@given(seeds, seeds, seeds)
def test_each_part_of_the_key_matters(seed, epoch, sample):
    base = generator(seed, "crop", epoch, sample).integers(0, 2**63, 4)
    for other in (
        (seed + 1, "crop", epoch, sample),
        (seed, "blur", epoch, sample),
        (seed, "crop", epoch + 1, sample),
        (seed, "crop", epoch, sample + 1),
    ):
        assert (base != generator(*other).integers(0, 2**63, 4)).any()


def test_neighboring_samples_do_not_overlap():
    draws = np.concatenate([generator(0, "x", 0, sample).random(1000) for sample in range(20)])
    assert len(np.unique(draws)) == len(draws)


def test_draws_are_uniform_over_samples():
    first = np.array([generator(3, "x", 1, sample).random() for sample in range(4000)])
    counts, _ = np.histogram(first, bins=10, range=(0, 1))
    chi_squared = ((counts - 400) ** 2 / 400).sum()
    assert chi_squared < 27.9  # 99.9 % of χ² with 9 degrees of freedom


def test_a_permutation_holds_each_once_and_changes_with_the_epoch():
    assert sorted(permutation(100, 1, "order", 0)) == list(range(100))
    assert (permutation(100, 1, "order", 0) != permutation(100, 1, "order", 1)).any()


def test_derived_seeds_fit_every_library():
    assert 0 <= derived_seed(1, "torch") < 2**63
