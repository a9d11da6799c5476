"""What a classifier confuses, and whether its probabilities can be believed: NumPy only.

Class indices are int64 in 0 to K − 1; a confusion matrix is int64 (K, K), rows truth, columns prediction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15  # of equal width, as Guo et al. 2017 and nearly all who cite them


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return how many samples of each class got each label, int64 (K, K), rows truth, columns prediction.

    Args:
        labels: class indices (N,).
        predicted: class indices (N,).
        classes: K.
    """
    cells = np.asarray(labels, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def balanced_accuracy(confusion: np.ndarray) -> float:
    """Return the mean over classes of the share of each that is right (Brodersen et al. 2010), absent ones left out.

    Args:
        confusion: int64 (K, K), at least one sample.
    """
    samples = confusion.sum(axis=1)
    return float((confusion.diagonal()[samples > 0] / samples[samples > 0]).mean())


def macro_f1(confusion: np.ndarray) -> float:
    """Return the mean over classes of F1, the harmonic mean of precision and recall.

    A class that is neither in the truth nor in the prediction is left out; one that is never right counts 0.

    Args:
        confusion: int64 (K, K), at least one sample.
    """
    both = confusion.sum(axis=0) + confusion.sum(axis=1)
    return float((2 * confusion.diagonal()[both > 0] / both[both > 0]).mean())


def most_confused(confusion: np.ndarray, number: int) -> list[tuple[int, int]]:
    """Return the (truth, prediction) cells of most mistakes, the fullest first; equal ones in the order of the matrix.

    Args:
        confusion: int64 (K, K).
        number: how many at most; empty cells are never returned.
    """
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong.ravel(), kind="stable")[:number]
    return [(int(i) // len(wrong), int(i) % len(wrong)) for i in order if wrong.ravel()[i]]


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, in `BINS` bins of equal width, each open below and closed above.

    Attributes:
        counts: samples of each bin, int64 (bins,).
        confidence: their mean confidence, NaN of an empty bin, float64 (bins,).
        accuracy: their accuracy, NaN of an empty bin, float64 (bins,).
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: the mean over samples of |accuracy − confidence| of their bin."""
        full = self.counts > 0
        gaps = np.abs(self.accuracy[full] - self.confidence[full])
        return float((gaps * self.counts[full]).sum() / self.counts.sum())


def reliability(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> Reliability:
    """Return how often answers of each confidence are right (Guo et al. 2017, "On calibration of modern networks").

    Args:
        confidence: probability of the label that was given, in 0–1 (N,), at least one.
        correct: whether it was right, bool (N,).
        bins: of equal width over 0–1.
    """
    confidence = np.asarray(confidence, np.float64)
    index = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)
    counts = np.bincount(index, minlength=bins)
    sums = [np.bincount(index, weights=of, minlength=bins) for of in (confidence, np.asarray(correct, np.float64))]
    filled = np.where(counts, counts, 1)
    means = [np.where(counts, of / filled, np.nan) for of in sums]
    return Reliability(counts, means[0], means[1])


def pooled(parts: list[Reliability]) -> Reliability:
    """Return the reliability of all samples together.

    Args:
        parts: at least one, of as many bins each.
    """
    counts = np.sum([of.counts for of in parts], axis=0)
    filled = np.where(counts, counts, 1)
    sums = [
        np.sum([of.counts * np.nan_to_num(getattr(of, name)) for of in parts], axis=0)
        for name in ("confidence", "accuracy")
    ]
    means = [np.where(counts, of / filled, np.nan) for of in sums]
    return Reliability(counts, means[0], means[1])


def confident_mistakes(confidence: np.ndarray, correct: np.ndarray, number: int) -> list[int]:
    """Return the samples that are wrong, the most confident first; equal ones in order.

    Args:
        confidence: probability of the label that was given (N,).
        correct: whether it was right, bool (N,).
        number: how many at most.
    """
    wrong = np.flatnonzero(~np.asarray(correct, bool))
    return wrong[np.argsort(-np.asarray(confidence, np.float64)[wrong], kind="stable")[:number]].tolist()
