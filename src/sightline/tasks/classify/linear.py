"""A linear classifier at its optimum: multinomial logistic regression by L-BFGS, its penalty chosen on validation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

# Weight of half the squared norm beside the mean loss, on standardized features: from none that matters to one that
# leaves the class shares only, three to a decade.
PENALTIES = tuple(float(penalty) for penalty in np.geomspace(1e-6, 10, 22))
MAX_ITERATIONS = 1000


@dataclass(frozen=True)
class LinearFit:
    """A fitted head, for features as they are.

    Attributes:
        weight: float32 (classes, dim).
        bias: float32 (classes,).
        penalty: the chosen one.
        val_accuracy: of the chosen one.
        val_accuracies: of every penalty that was tried, in their order.
        converged: whether L-BFGS reached its tolerance with the chosen penalty.
    """

    weight: np.ndarray
    bias: np.ndarray
    penalty: float
    val_accuracy: float
    val_accuracies: tuple[float, ...]
    converged: bool


def fit_linear(
    features: np.ndarray,
    labels: np.ndarray,
    val_features: np.ndarray,
    val_labels: np.ndarray,
    classes: int,
    penalties: Sequence[float] = PENALTIES,
    progress: Callable[[int, float], object] | None = None,
) -> LinearFit:
    """Fit one regression for each penalty, the strongest first, each from the one before; keep the best on validation.

    The protocol of linear evaluation in CLIP (Radford et al. 2021, appendix A.3). Accuracies on validation that are
    equal are told apart by the loss there.

    Args:
        features: of the training part, float (N, dim).
        labels: class indices, int64 (N,).
        val_features: of the validation part, float (M, dim).
        val_labels: class indices, int64 (M,).
        classes: how many; one that the training part lacks is never predicted.
        penalties: to try.
        progress: called with how many are done, and the accuracy of the last.

    Raises:
        ValueError: fewer than two classes in `labels`, or no sample in a part.
    """
    mean, spread = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    spread[spread == 0] = 1
    x, val_x = (features - mean) / spread, (val_features - mean) / spread
    # `warm_start` begins each fit at the last one's weights: neighbors on the grid are near.
    model = LogisticRegression(max_iter=MAX_ITERATIONS, warm_start=True)
    accuracies: dict[float, float] = {}
    known = np.unique(labels)
    best: tuple[tuple[float, float], float, np.ndarray, np.ndarray, bool] | None = None
    for number, penalty in enumerate(sorted(penalties, reverse=True)):
        model.C = 1 / (penalty * len(labels))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x, labels)
        logits = model.decision_function(val_x)
        logits = np.stack([-logits, logits], axis=1) / 2 if logits.ndim == 1 else logits
        accuracy, loss = float((known[logits.argmax(axis=1)] == val_labels).mean()), _loss(logits, known, val_labels)
        accuracies[penalty] = accuracy
        if best is None or (accuracy, -loss) > best[0]:
            coefficients, intercepts = np.array(model.coef_), np.array(model.intercept_)
            if len(coefficients) == 1:  # two classes: scikit-learn keeps their difference
                coefficients = np.concatenate([-coefficients, coefficients]) / 2
                intercepts = np.concatenate([-intercepts, intercepts]) / 2
            converged = int(np.max(model.n_iter_)) < MAX_ITERATIONS
            best = (accuracy, -loss), penalty, coefficients, intercepts, converged
        if progress:
            progress(number + 1, accuracy)
    assert best is not None, "there is a penalty to try"
    (accuracy, _), penalty, coefficients, intercepts, converged = best
    weight, bias = np.zeros((classes, x.shape[1])), np.full(classes, -1e9)
    weight[known] = coefficients / spread
    bias[known] = intercepts - weight[known] @ mean
    return LinearFit(
        weight.astype(np.float32), bias.astype(np.float32), penalty, accuracy,
        tuple(accuracies[penalty] for penalty in penalties), converged,
    )  # fmt: skip


def _loss(logits: np.ndarray, known: np.ndarray, labels: np.ndarray) -> float:
    """Return mean cross-entropy in nats over the samples whose class the model knows."""
    held = np.isin(labels, known)
    if not held.any():
        return 0.0
    shifted = logits[held] - logits[held].max(axis=1, keepdims=True)
    log_odds = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-log_odds[np.arange(held.sum()), np.searchsorted(known, labels[held])].mean())
