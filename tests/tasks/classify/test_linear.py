"""The head at its optimum, against the gradient of its loss by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from sightline.tasks.classify.linear import PENALTIES, fit_linear


def blobs(seed: int, count: int, classes: int = 3, dim: int = 6, noise: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    centers = np.random.default_rng(0).normal(size=(classes, dim))
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    return (centers[labels] + rng.normal(0, noise, (count, dim))).astype(np.float32) * 50 + 7, labels


@pytest.mark.parametrize("classes", [2, 3])
def test_the_gradient_vanishes_at_the_fit(classes: int):
    x, y = blobs(1, 300, classes)
    penalty = 1e-2
    fit = fit_linear(x, y, *blobs(2, 90, classes), classes=classes, penalties=[penalty])
    assert fit.converged
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    weight = fit.weight * x.std(axis=0)  # as it stands for standardized features
    bias = fit.bias + fit.weight @ x.mean(axis=0)
    rest = softmax(z @ weight.T + bias, axis=1) - np.eye(classes)[y]
    # Two classes are fitted as the difference of their weights, whose squared norm is twice that of both halves.
    strength = penalty * (2 if classes == 2 else 1)
    np.testing.assert_allclose(rest.T @ z / len(y) + strength * weight, 0, atol=2e-4)
    np.testing.assert_allclose(rest.mean(axis=0), 0, atol=2e-4)


def test_the_penalty_is_the_best_on_validation():
    train, val = blobs(1, 60, dim=40), blobs(2, 300, dim=40)
    fit = fit_linear(*train, *val, classes=3)
    assert len(fit.val_accuracies) == len(PENALTIES) >= 20
    assert fit.val_accuracy == max(fit.val_accuracies)
    assert fit.val_accuracies[PENALTIES.index(fit.penalty)] == fit.val_accuracy
    assert fit.val_accuracy > fit.val_accuracies[0], "next to no penalty overfits sixty samples of forty numbers"
    predicted = (val[0] @ fit.weight.T + fit.bias).argmax(axis=1)
    assert (predicted == val[1]).mean() == fit.val_accuracy


def test_a_class_that_training_lacks_is_never_predicted():
    x, y = blobs(1, 90)
    seen = y != 1
    fit = fit_linear(x[seen], y[seen], *blobs(2, 90), classes=3, penalties=[1e-3, 1e-1])
    odds = log_softmax(blobs(3, 60)[0] @ fit.weight.T + fit.bias, axis=1)
    assert np.isfinite(odds).all()
    assert (odds.argmax(axis=1) != 1).all()


def test_the_order_of_samples_does_not_matter():
    x, y = blobs(1, 120)
    order = np.random.default_rng(5).permutation(120)
    one, other = (fit_linear(a, b, *blobs(2, 60), classes=3) for a, b in ((x, y), (x[order], y[order])))
    assert one.penalty == other.penalty
    np.testing.assert_allclose(one.weight, other.weight, rtol=1e-2, atol=1e-4)
