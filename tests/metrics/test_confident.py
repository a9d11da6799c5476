"""Flipped labels are found by the labels of the others."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.metrics.confident import FOLDS, _folds, doubt_labels

CLASSES, EACH = 4, 50


@pytest.fixture(scope="module")
def clusters() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(CLASSES), EACH)
    return rng.normal(0, 1, (CLASSES, 12))[labels] * 2 + rng.normal(0, 1, (len(labels), 12)), labels


def test_flipped_labels_come_first_and_what_they_were_is_suggested(clusters):
    features, truth = clusters
    rng = np.random.default_rng(1)
    flipped = rng.choice(len(truth), 10, replace=False)
    labels = truth.copy()
    labels[flipped] = (truth[flipped] + rng.integers(1, CLASSES, 10)) % CLASSES
    found = doubt_labels(features, labels)
    assert np.isin(flipped, found.order[:20]).mean() >= 0.9
    assert set(found.wrong) <= set(found.order[: len(found.wrong) + 20])
    assert np.isin(flipped, found.wrong).mean() >= 0.7
    assert np.isin(found.wrong, flipped).mean() >= 0.6
    assert (found.suggested[flipped] == truth[flipped]).mean() >= 0.9
    assert 0.85 <= found.accuracy <= 0.96
    assert np.allclose(found.probabilities.sum(axis=1), 1)


def test_without_a_flipped_label_few_are_called_wrong(clusters):
    found = doubt_labels(*clusters)
    assert len(found.wrong) <= 0.03 * len(clusters[1])


def test_copies_with_the_same_wrong_label_do_not_confirm_each_other(clusters):
    features, labels = clusters
    many = np.concatenate([features, np.repeat(features[:1], 30, axis=0)])  # of class 0, all called 1
    called = np.concatenate([labels, np.ones(30, np.int64)])
    groups = np.concatenate([np.arange(len(labels)), np.full(30, len(labels))])
    copies = np.arange(len(labels), len(many))
    assert np.isin(copies, doubt_labels(many, called, groups).wrong).all()
    assert not np.isin(copies, doubt_labels(many, called).wrong).all()


def test_folds_hold_groups_whole_and_classes_in_equal_shares():
    labels, groups = np.repeat(np.arange(3), 40), np.arange(120) // 2
    folds = _folds(labels, groups, seed=0)
    assert (folds[::2] == folds[1::2]).all()
    assert all(np.bincount(folds[labels == k], minlength=FOLDS).tolist() == [8] * FOLDS for k in range(3))


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="give two or more classes of 5"):
        doubt_labels(np.zeros((9, 2)), np.array([0] * 6 + [1] * 3))
