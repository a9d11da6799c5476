"""What a classifier gets wrong and how sure it is of it, as result.json and `evaluate` tell it beside the accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sightline.runs.interval import Interval
from sightline.runs.record import Number, Record


@dataclass(frozen=True, kw_only=True)
class ConfusedPair(Record):
    """A class that was taken for another.

    Attributes:
        label: the true class.
        predicted: the class that was named instead.
        count: of such images.
        n: images of the true class.
    """

    label: str
    predicted: str
    count: int
    n: int


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin(Record):
    """Answers of about one confidence.

    Attributes:
        above: the least confidence, not included.
        up_to: the largest, included.
        n: images.
        confidence: their mean probability of the label given; NaN of an empty bin.
        accuracy: share of them that are right; NaN of an empty bin.
    """

    above: float
    up_to: float
    n: int
    confidence: Number
    accuracy: Number


@dataclass(frozen=True, kw_only=True)
class Calibration(Record):
    """Whether answers are right as often as their probability says.

    Attributes:
        error: expected calibration error (ECE), the mean over images of |accuracy − confidence| of their bin, in 0–1.
        confidence: mean probability of the label given.
        bins: of equal width over 0–1, in order.
    """

    error: Number
    confidence: Number
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, kw_only=True)
class Mistake(Record):
    """An image that got a wrong label, and the `probability` of that label."""

    id: str
    label: str
    predicted: str
    probability: Number


@dataclass(frozen=True, kw_only=True)
class ClassifyScores(Record):
    """What a classifier is worth beside its accuracy, on the same images.

    Attributes:
        classes: names in the order of the matrix and of the probabilities in predictions.parquet.
        balanced_accuracy: mean over classes of the share that is right.
        macro_f1: mean over classes of the harmonic mean of precision and recall.
        confusion: images, rows truth, columns prediction; None of more classes than `metrics` keeps a matrix of.
        confused: the pairs of most mistakes, the most frequent first.
        calibration: whether its probabilities can be believed.
        by_style: accuracy of each style; None where the images have one style, or none.
        mistakes: the most confident ones, the most confident first.
    """

    classes: tuple[str, ...]
    balanced_accuracy: Number
    macro_f1: Number
    confusion: tuple[tuple[int, ...], ...] | None = None
    confused: tuple[ConfusedPair, ...]
    calibration: Calibration
    by_style: Mapping[str, Interval] | None = None
    mistakes: tuple[Mistake, ...]
