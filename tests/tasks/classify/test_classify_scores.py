"""What a result says of a classifier beside its accuracy."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.runs.classify_scores import ClassifyScores
from sightline.tasks.classify.scores import MATRIX_CLASSES, classify_scores

CLASSES = ("cat", "dog", "horse")
LABELS = np.array([0, 0, 1, 1, 2, 2])
PROBABILITIES = np.array(
    [[0.8, 0.1, 0.1], [0.1, 0.7, 0.2], [0.2, 0.6, 0.2], [0.9, 0.05, 0.05], [0.95, 0.0, 0.05], [0.1, 0.1, 0.8]],
    np.float32,
)
IDS = [f"{i}.jpg" for i in range(6)]


def test_pairs_styles_and_mistakes_have_their_names():
    scores = classify_scores(PROBABILITIES, LABELS, CLASSES, IDS, ["photo", "sketch"] * 3)
    assert scores.confusion == ((1, 1, 0), (1, 1, 0), (1, 0, 1))
    assert scores.balanced_accuracy == pytest.approx(0.5)
    assert [(of.label, of.predicted, of.count, of.n) for of in scores.confused] == [
        ("cat", "dog", 1, 2), ("dog", "cat", 1, 2), ("horse", "cat", 1, 2),
    ]  # fmt: skip
    assert [of.id for of in scores.mistakes] == ["4.jpg", "3.jpg", "1.jpg"]
    assert scores.mistakes[0].predicted == "cat"
    assert scores.by_style is not None
    assert {name: (of.value, of.n) for name, of in scores.by_style.items()} == {
        "photo": (pytest.approx(2 / 3), 3), "sketch": (pytest.approx(1 / 3), 3),
    }  # fmt: skip
    again = ClassifyScores.from_dict(scores.to_dict())
    assert again.to_dict() == scores.to_dict()


def test_one_style_is_none_and_many_classes_have_no_matrix():
    many = tuple(str(i) for i in range(MATRIX_CLASSES + 1))
    probabilities = np.pad(PROBABILITIES, ((0, 0), (0, len(many) - 3)))
    scores = classify_scores(probabilities, LABELS, many, IDS, ["photo"] * 6)
    assert scores.by_style is None
    assert scores.confusion is None
    assert len(scores.confused) == 3
