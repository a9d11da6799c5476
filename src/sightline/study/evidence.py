"""What the runs of an arm say, sample by sample: its mean with interval, and its difference from another arm.

One class a kind of run; `EVIDENCE` names them. Samples are paired between arms and seeds by their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from sightline.metrics import segmentation, statistics
from sightline.runs import RunFolder

Difference = tuple[float, float, float, float]  # difference, low, high, p


class Evidence(Protocol):
    """The runs of one arm, one a seed."""

    metric: str

    @classmethod
    def of(cls, runs: Sequence[RunFolder]) -> Self:
        """Read finished runs."""
        ...

    def entry(self) -> dict[str, Any]:
        """Return mean, low, high, n, seeds and per_class, as result.json has them."""
        ...

    def minus(self, other: Any) -> Difference:
        """Compare with another arm of the same kind on the same samples."""
        ...


@dataclass(frozen=True)
class Accuracy:
    """Right or wrong, float64 (seeds, samples) of 0 and 1."""

    correct: np.ndarray
    per_class: dict[str, float]
    metric = "accuracy"

    @classmethod
    def of(cls, runs: Sequence[RunFolder]) -> Accuracy:
        """Read predictions.parquet of each run."""
        rows = []
        for run in runs:
            table = run.predictions()
            order = np.argsort(table["id"].to_pylist())
            rows.append(table["correct"].to_numpy(zero_copy_only=False)[order])
        named = [{name: one["accuracy"] for name, one in run.result()["per_class"].items()} for run in runs]
        return cls(np.stack(rows).astype(np.float64), _means(named))

    def entry(self) -> dict[str, Any]:
        """Return mean, low, high, n, seeds and per_class."""
        low, high = statistics.bootstrap_interval(self.correct, seed=0)
        return {
            "mean": float(self.correct.mean()),
            "low": low,
            "high": high,
            "n": self.correct.shape[1],
            "seeds": self.correct.mean(axis=1).tolist(),
            "per_class": self.per_class,
        }

    def minus(self, other: Accuracy) -> Difference:
        """Return the difference of accuracies, by paired bootstrap over samples and seeds."""
        return statistics.paired_bootstrap(self.correct, other.correct, seed=0)


@dataclass(frozen=True)
class MeanIou:
    """Confusion matrices, int64 (seeds, tiles, classes, classes or one more column for pixels without a prediction)."""

    counts: np.ndarray
    classes: Sequence[str]
    scenes: Sequence[str] | None
    metric = "mean_iou"

    @classmethod
    def of(cls, runs: Sequence[RunFolder]) -> MeanIou:
        """Read counts.npz of each run."""
        rows, scenes = [], None
        for run in runs:
            with np.load(run.path / "counts.npz") as kept:
                order = np.argsort(kept["ids"])
                rows.append(kept["counts"][order])
                scenes = kept["scenes"][order].tolist() if "scenes" in kept else None
        return cls(np.stack(rows), runs[0].result()["classes"], scenes)

    def entry(self) -> dict[str, Any]:
        """Return mean, low, high, n (tiles), seeds and per_class; `scenes` where the interval is over whole scenes."""
        low, high = segmentation.bootstrap_interval(self.counts, seed=0, groups=self.scenes)
        found = [segmentation.mean_iou(one.sum(axis=0)) for one in self.counts]
        named = [
            {name: float(value) for name, value in zip(self.classes, one.per_class, strict=True) if not np.isnan(value)}
            for one in found
        ]
        over = {"scenes": len(set(self.scenes))} if self.scenes is not None else {}
        return over | {
            "mean": float(np.mean([one.mean for one in found])),
            "low": low,
            "high": high,
            "n": self.counts.shape[1],
            "seeds": [one.mean for one in found],
            "per_class": _means(named),
        }

    def minus(self, other: MeanIou) -> Difference:
        """Return the difference of mean IoUs, by paired bootstrap over tiles (scenes where known) and seeds."""
        return segmentation.paired_difference(self.counts, other.counts, seed=0, groups=self.scenes)


EVIDENCE: dict[str, type[Evidence]] = {"classify": Accuracy, "segment": MeanIou, "prompt": MeanIou}


def _means(named: Sequence[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for one in named for name in one)
    return {name: float(np.mean([one[name] for one in named if name in one])) for name in names}
