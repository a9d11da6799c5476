"""Samples to label next, where it is plain which they are."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.metrics.selection import diverse, typical, uncertain


def blobs(sizes: tuple[int, ...], spread: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Return features around as many axes, and which axis each is of."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return np.eye(len(sizes))[labels] + rng.normal(0, spread, (len(labels), len(sizes))), labels


def test_diverse_ones_are_of_every_blob_before_any_comes_twice():
    features, labels = blobs((200, 20, 3, 1))
    chosen = diverse(features, 24)
    assert set(labels[chosen[:4]]) == {0, 1, 2, 3}
    assert len(set(chosen)) == 24
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    for step in range(1, 6):
        cosines = (unit @ unit[chosen[:step]].T).max(axis=1)
        assert chosen[step] == cosines.argmin()


def test_diverse_ones_come_once_though_images_are_copies():
    assert sorted(diverse(np.ones((5, 3)), 5)) == [0, 1, 2, 3, 4]


def test_typical_ones_are_the_densest_of_each_blob_the_largest_first():
    features, labels = blobs((60, 40, 30))
    outlier = np.array([[1.0, 0.9, 0.0]])
    chosen = typical(np.concatenate([features, outlier]), 3, seed=0)
    assert labels[chosen].tolist() == [0, 1, 2]
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    for index in chosen:
        same = unit[labels == labels[index]]
        distance = np.sort(np.linalg.norm(same[:, None] - same[None], axis=2), axis=1)[:, 1:21].mean(axis=1)
        assert np.flatnonzero(labels == labels[index])[distance.argmin()] == index
    assert sorted(typical(features, len(features), seed=0)) == list(range(len(features)))


@pytest.mark.parametrize("number", [1, 3])
def test_uncertain_ones_have_two_likely_classes(number: int):
    probabilities = np.array([[0.9, 0.05, 0.05], [0.4, 0.35, 0.25], [0.5, 0.49, 0.01], [0.6, 0.3, 0.1]])
    assert uncertain(probabilities, number).tolist() == [2, 1, 3][:number]
