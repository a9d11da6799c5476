"""From class probabilities and labels to all that a result says of a classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sightline.data.labelled.listing import ImageSet
from sightline.metrics import classification, statistics
from sightline.runs import RunFolder
from sightline.runs.classify_scores import Calibration, ClassifyScores, ConfusedPair, Mistake, ReliabilityBin
from sightline.runs.results import ClassAccuracy, Interval

# A matrix of as many classes is some 40 000 numbers, and a picture in which a cell can still be seen.
MATRIX_CLASSES = 200
PAIRS = 20  # confused ones that are kept: what a person looks at
MISTAKES = 20  # likewise


@dataclass(frozen=True)
class Judged:
    """What the test part says; nothing of a trial, which does not touch it."""

    accuracy: Interval | None = None
    per_class: dict[str, ClassAccuracy] | None = None
    scores: ClassifyScores | None = None


def judge_on_test(
    run: RunFolder, listing: ImageSet, test: np.ndarray, probabilities_of: Callable[[np.ndarray], np.ndarray]
) -> Judged:
    """Judge a classifier on the test part, and write predictions.parquet.

    Args:
        run: that trained it.
        listing: all images.
        test: sample indices of the test part.
        probabilities_of: sample indices → class probabilities, float32 (N, K).
    """
    probabilities = probabilities_of(test)
    labels, predicted = listing.labels[test], probabilities.argmax(axis=1)
    correct = predicted == labels
    ids = [listing.ids[i] for i in test]
    run.write_predictions(
        {
            "id": ids,
            "label": [listing.classes[i] for i in labels],
            "predicted": [listing.classes[i] for i in predicted],
            "probability": probabilities.max(axis=1),
            "correct": correct,
            # Of all classes, in the order of result.json's scores.classes.
            "probabilities": list(probabilities),
        }
    )
    per_class = {
        name: ClassAccuracy(accuracy=float(correct[labels == i].mean()), n=int((labels == i).sum()))
        for i, name in enumerate(listing.classes)
        if (labels == i).any()
    }
    styles = [listing.samples[i].style for i in test]
    scores = classify_scores(probabilities, labels, listing.classes, ids, styles)
    return Judged(accuracy_of(correct), per_class, scores)


def accuracy_of(correct: np.ndarray) -> Interval:
    """Return the share of right answers, bool (N,), with its 95 % Wilson interval."""
    low, high = statistics.wilson(int(correct.sum()), len(correct))
    return Interval(value=float(correct.mean()), low=low, high=high, n=len(correct))


def classify_scores(
    probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str], ids: Sequence[str], styles: Sequence[str]
) -> ClassifyScores:
    """Return confusion, calibration, accuracy by style and the most confident mistakes.

    Args:
        probabilities: float32 (N, K), at least one image.
        labels: class indices, int64 (N,).
        classes: K names.
        ids: of the images, N.
        styles: of the images, N; "" where they have none.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    correct = predicted == labels
    confusion = classification.confusion_matrix(labels, predicted, len(classes))
    return ClassifyScores(
        classes=tuple(classes),
        balanced_accuracy=classification.balanced_accuracy(confusion),
        macro_f1=classification.macro_f1(confusion),
        confusion=tuple(map(tuple, confusion.tolist())) if len(classes) <= MATRIX_CLASSES else None,
        confused=tuple(
            ConfusedPair(
                label=classes[truth], predicted=classes[taken], count=int(confusion[truth, taken]),
                n=int(confusion[truth].sum()),
            )
            for truth, taken in classification.most_confused(confusion, PAIRS)
        ),
        calibration=_calibration(confidence, correct),
        by_style=_by_style(correct, np.array(styles)),
        mistakes=tuple(
            Mistake(
                id=ids[i], label=classes[int(labels[i])], predicted=classes[int(predicted[i])],
                probability=float(confidence[i]),
            )
            for i in classification.confident_mistakes(confidence, correct, MISTAKES)
        ),
    )  # fmt: skip


def _calibration(confidence: np.ndarray, correct: np.ndarray) -> Calibration:
    of = classification.reliability(confidence, correct)
    edges = np.linspace(0, 1, len(of.counts) + 1).tolist()
    rows = zip(edges, edges[1:], of.counts.tolist(), of.confidence.tolist(), of.accuracy.tolist(), strict=False)
    return Calibration(
        error=of.error,
        confidence=float(confidence.mean(dtype=np.float64)),
        bins=tuple(
            ReliabilityBin(above=above, up_to=up_to, n=n, confidence=mean, accuracy=accuracy)
            for above, up_to, n, mean, accuracy in rows
        ),
    )


def _by_style(correct: np.ndarray, styles: np.ndarray) -> dict[str, Interval] | None:
    names = np.unique(styles).tolist()
    return {name: accuracy_of(correct[styles == name]) for name in names} if len(names) > 1 else None
