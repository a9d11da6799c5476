"""What the runs of an arm say, sample by sample: its mean with interval, and its difference from another arm.

One class a metric; `runs.metrics.METRICS` names them. Samples are paired between arms and seeds by their ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from sightline.metrics import segmentation, statistics
from sightline.metrics.statistics import CrossedInterval
from sightline.runs import RunFolder
from sightline.runs.artifacts import COUNTS
from sightline.runs.results import ClassifyResult
from sightline.runs.study_result import Summary


class Evidence(Protocol):
    """The runs of one arm, one a seed, by one metric."""

    def summary(self) -> Summary:
        """Return mean, interval, samples, seeds and classes."""
        ...

    def minus(self, other: Any) -> CrossedInterval:
        """Compare with another arm by the same metric on the same samples and seeds."""
        ...


@dataclass(frozen=True)
class Accuracy:
    """Right or wrong, float64 (seeds, samples): 0, and 1 or the weight of a right answer.

    Attributes:
        correct: these.
        per_class: accuracy of each class.
        chance: what the best of all constant answers scores; None where that is not known.
    """

    correct: np.ndarray
    per_class: dict[str, float]
    chance: float | None = None

    @classmethod
    def of(cls, runs: Sequence[RunFolder]) -> Accuracy:
        """Read predictions.parquet of each run."""
        rows = []
        for run in runs:
            table = run.predictions()
            order = np.argsort(table["id"].to_pylist())
            rows.append(table["correct"].to_numpy(zero_copy_only=False)[order])
        results = [run.result_as(ClassifyResult) for run in runs]
        by_class = [{name: of.accuracy for name, of in (result.per_class or {}).items()} for result in results]
        return cls(np.stack(rows).astype(np.float64), _means(by_class), _largest_share(runs[0]))

    def summary(self) -> Summary:
        """Return mean, interval over samples and seeds, samples, seeds and classes."""
        low, high = statistics.proportion_interval(self.correct)
        return Summary(
            mean=float(self.correct.mean()),
            low=low,
            high=high,
            n=self.correct.shape[1],
            seeds=tuple(self.correct.mean(axis=1).tolist()),
            per_class=self.per_class,
            chance=self.chance,
        )

    def minus(self, other: Accuracy) -> CrossedInterval:
        """Return the difference of accuracies, over samples and seeds."""
        return statistics.paired_interval(self.correct, other.correct)


def balanced_accuracy(runs: Sequence[RunFolder]) -> Accuracy:
    """Return the mean of the accuracies of the classes (Brodersen et al. 2010), as evidence sample by sample.

    A right answer counts N / (K · n of its class), so that the mean over the N samples of K classes is the mean over
    classes. The class sizes of the test part are taken as given: resampling draws samples, not class sizes.
    """
    labels = runs[0].predictions().sort_by("id")["label"].to_numpy(zero_copy_only=False)
    classes, index, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    accuracy = Accuracy.of(runs)
    weights = len(labels) / (len(classes) * sizes)
    return Accuracy(accuracy.correct * weights[index], accuracy.per_class, 1 / len(classes))


def _largest_share(run: RunFolder) -> float:
    """Return the share of the largest class among the samples of a run: the accuracy of always naming it."""
    labels = run.predictions()["label"].to_pylist()
    return max(Counter(labels).values()) / len(labels)


@dataclass(frozen=True)
class MeanIou:
    """Confusion matrices, int64 (seeds, tiles, classes, classes or one more column for pixels without a prediction)."""

    counts: np.ndarray
    classes: Sequence[str]
    scenes: Sequence[str] | None

    @classmethod
    def of(cls, runs: Sequence[RunFolder]) -> MeanIou:
        """Read counts.npz of each run."""
        rows, scenes = [], None
        for run in runs:
            arrays = run.arrays(COUNTS)
            order = np.argsort(arrays["ids"])
            rows.append(arrays["counts"][order])
            scenes = arrays["scenes"][order].tolist() if "scenes" in arrays else None
        return cls(np.stack(rows), runs[0].result()["classes"], scenes)

    def summary(self) -> Summary:
        """Return mean, interval over tiles (scenes where known) and seeds, tiles, seeds and classes."""
        low, high = segmentation.interval(self.counts, self.scenes)
        by_seed = [segmentation.mean_iou(counts.sum(axis=0)) for counts in self.counts]
        by_class = [
            {name: float(iou) for name, iou in zip(self.classes, of.per_class, strict=True) if not np.isnan(iou)}
            for of in by_seed
        ]
        return Summary(
            mean=float(np.mean([of.mean for of in by_seed])),
            low=low,
            high=high,
            n=self.counts.shape[1],
            seeds=tuple(of.mean for of in by_seed),
            per_class=_means(by_class),
            chance=segmentation.constant_mean_iou(self.counts[0].sum(axis=0)),
            scenes=None if self.scenes is None else len(set(self.scenes)),
        )

    def minus(self, other: MeanIou) -> CrossedInterval:
        """Return the difference of mean IoUs, over tiles (scenes where known) and seeds."""
        return segmentation.paired_difference(self.counts, other.counts, self.scenes)


def _means(by_class: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each class over the seeds that have it."""
    names = dict.fromkeys(name for of in by_class for name in of)
    return {name: float(np.mean([of[name] for of in by_class if name in of])) for name in names}
