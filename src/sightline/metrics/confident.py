"""Labels that are likely wrong: confident learning on out-of-sample probabilities (Northcutt et al. 2021)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sightline.randomness import generator

FOLDS = 5
# Weight of half the squared norm beside the mean loss, on standardized features: from weak to strong, one a decade.
PENALTIES = (0.001, 0.01, 0.1, 1.0)
MAX_ITERATIONS = 300  # the ranking is settled long before the last digits of the loss
DIMENSIONS = 256  # principal components that are kept: more cost time, and hold little of what tells classes apart


@dataclass(frozen=True)
class Doubts:
    """What the other samples say of each label.

    Attributes:
        order: sample indices, the least believable label first, int64 (N,).
        wrong: those whose label is likely wrong, in that order, int64.
        suggested: the class that each sample seems to be of, int64 (N,).
        probabilities: of each class by a model that did not see the sample, float64 (N, K).
        accuracy: share of the labels that this model names.
    """

    order: np.ndarray
    wrong: np.ndarray
    suggested: np.ndarray
    probabilities: np.ndarray
    accuracy: float


def doubt_labels(features: np.ndarray, labels: np.ndarray, groups: np.ndarray | None = None, seed: int = 0) -> Doubts:
    """Judge each label by a logistic regression on features of the others.

    A label is likely wrong where another class is as probable as it is, on average, for samples that carry its label;
    samples are ordered by the probability of their label less that of the most probable other class.

    Args:
        features: float (N, dim).
        labels: class indices 0 to K − 1, each of FOLDS samples or more, int64 (N,).
        groups: what belongs into one fold, for example copies, which would confirm each other's labels, int64 (N,).
        seed: of the folds.

    Raises:
        ValueError: fewer than two classes, or a class of fewer than FOLDS samples.
    """
    counts = np.bincount(labels)
    if len(counts) < 2 or counts.min() < FOLDS:
        raise ValueError(f"classes of {counts.tolist()} samples; give two or more classes of {FOLDS} or more each")
    folds = _folds(labels, np.arange(len(labels)) if groups is None else groups, seed)
    compact = _compact(features)
    penalty = min(PENALTIES, key=lambda penalty: _loss(_predicted(compact, labels, folds == 0, penalty), labels, folds))
    probabilities = np.zeros((len(labels), len(counts)))
    for fold in range(FOLDS):
        held = folds == fold
        probabilities[held] = _predicted(compact, labels, held, penalty)
    own = probabilities[np.arange(len(labels)), labels]
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -1
    order = np.argsort(own - others.max(axis=1), kind="stable")
    # The usual confidence of each class among the samples that carry its label (their eq. 2).
    usual = np.array([probabilities[labels == k, k].mean() for k in range(len(counts))])
    confident = np.where(probabilities >= usual, probabilities, -1)
    counted = confident.argmax(axis=1)
    wrong = (confident.max(axis=1) > 0) & (counted != labels)
    return Doubts(
        order=order,
        wrong=order[wrong[order]],
        suggested=others.argmax(axis=1),
        probabilities=probabilities,
        accuracy=float((probabilities.argmax(axis=1) == labels).mean()),
    )


def _folds(labels: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """Return the fold of each sample, int64 (N,): groups whole, by the label of their first sample in equal shares."""
    _, first, index = np.unique(groups, return_index=True, return_inverse=True)
    fold = np.zeros(len(first), np.int64)
    for label in np.unique(labels[first]):
        of = np.flatnonzero(labels[first] == label)
        fold[generator(seed, "metrics/folds", sample=int(label)).permutation(of)] = np.arange(len(of)) % FOLDS
    return fold[index.ravel()]


def _compact(features: np.ndarray) -> np.ndarray:
    """Return standardized features, of many dimensions their principal components of the largest spread."""
    x = np.asarray(features, np.float64)
    spread = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1)
    if x.shape[1] <= DIMENSIONS:
        return x
    _, axes = np.linalg.eigh(x.T @ x)
    return x @ axes[:, -DIMENSIONS:]


def _predicted(x: np.ndarray, labels: np.ndarray, held: np.ndarray, penalty: float) -> np.ndarray:
    """Return class probabilities of the samples held out, of a regression fitted to the others."""
    model = LogisticRegression(C=1 / (penalty * max(1, int((~held).sum()))), max_iter=MAX_ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x[~held], labels[~held])
    probabilities = np.zeros((int(held.sum()), int(labels.max()) + 1))
    probabilities[:, model.classes_] = model.predict_proba(x[held])
    return probabilities


def _loss(probabilities: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> float:
    """Return the mean cross-entropy of the first fold."""
    truth = labels[folds == 0]
    return float(-np.log(np.maximum(probabilities[np.arange(len(truth)), truth], 1e-12)).mean())
