"""Confusion, F1 and calibration say what scikit-learn says of the same answers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics
from sklearn.calibration import calibration_curve

from sightline.metrics.classification import (
    BINS,
    balanced_accuracy,
    confident_mistakes,
    confusion_matrix,
    macro_f1,
    most_confused,
    pooled,
    reliability,
)

CLASSES = 7


def answers(seed: int, classes: int = CLASSES, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and class probabilities; of some seeds a class is in the truth or in the prediction alone."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes - seed % 2, n)
    logits = rng.normal(0, 1.5, (n, classes))
    logits[np.arange(n), labels] += 1.5
    if seed % 3 == 0:
        logits[:, 1] = -50
    odds = np.exp(logits)
    return labels, odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(6))
def test_confusion_balanced_accuracy_and_f1_are_scikit_learn_s(seed: int):
    labels, probabilities = answers(seed)
    predicted = probabilities.argmax(axis=1)
    confusion = confusion_matrix(labels, predicted, CLASSES)
    expected = sklearn_metrics.confusion_matrix(labels, predicted, labels=range(CLASSES))
    assert confusion.tolist() == expected.tolist()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        assert balanced_accuracy(confusion) == pytest.approx(sklearn_metrics.balanced_accuracy_score(labels, predicted))
    expected = sklearn_metrics.f1_score(labels, predicted, average="macro", zero_division=0)
    assert macro_f1(confusion) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(6))
def test_the_reliability_table_is_scikit_learn_s(seed: int):
    labels, probabilities = answers(seed)
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    confidence[:3] = 1.0, 3 / BINS, np.float64(6) / BINS  # on the edges of bins
    of = reliability(confidence, correct)
    accuracy, mean_confidence = calibration_curve(correct, confidence, n_bins=BINS, strategy="uniform")
    full = of.counts > 0
    assert of.counts.sum() == len(labels)
    np.testing.assert_allclose(of.accuracy[full], accuracy)
    np.testing.assert_allclose(of.confidence[full], mean_confidence)
    assert np.isnan(of.accuracy[~full]).all()
    assert of.error == pytest.approx((np.abs(accuracy - mean_confidence) * of.counts[full]).sum() / len(labels))


def test_calibration_error_of_answers_as_sure_as_they_are_right_is_zero_and_of_sure_mistakes_one():
    assert reliability(np.full(4, 0.75), np.array([True, True, True, False])).error == pytest.approx(0)
    assert reliability(np.ones(4), np.zeros(4, bool)).error == pytest.approx(1)


def test_samples_of_several_runs_together():
    confidence, correct = np.random.default_rng(0).uniform(0.2, 1, 90), np.arange(90) % 3 > 0
    whole = reliability(confidence, correct)
    parts = pooled([reliability(confidence[:30], correct[:30]), reliability(confidence[30:], correct[30:])])
    np.testing.assert_allclose(parts.confidence, whole.confidence)
    np.testing.assert_allclose(parts.accuracy, whole.accuracy)
    assert parts.error == pytest.approx(whole.error)


def test_pairs_and_mistakes_come_in_order_and_none_is_invented():
    confusion = np.array([[5, 2, 0], [3, 4, 2], [0, 0, 6]])
    assert most_confused(confusion, 2) == [(1, 0), (0, 1)]
    assert most_confused(confusion, 9) == [(1, 0), (0, 1), (1, 2)]
    assert most_confused(np.diag([1, 2]), 3) == []
    confidence, correct = np.array([0.9, 0.6, 0.8, 0.8]), np.array([True, False, False, False])
    assert confident_mistakes(confidence, correct, 2) == [2, 3]
    assert confident_mistakes(confidence, np.ones(4, bool), 2) == []
