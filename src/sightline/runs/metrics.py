"""The metrics that a study can compare arms by: what each is called, in which unit, and what it is computed from.

Adding one is one entry of `METRICS`: figures, tables, sentences and curves ask the entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from sightline.errors import ConfigError, nearest
from sightline.runs.numbers import NARROW, percent, signed


@dataclass(frozen=True)
class Metric:
    """A number in 0–1 or on another scale of its own, one a sample set.

    Attributes:
        name: in result.json and in metrics.jsonl.
        title: begins a heading.
        text: inside a sentence.
        samples: what n counts.
        unit: of a difference, behind its number.
        scale: what a difference is multiplied by to be in `unit`; 100 also means that a value is given in percent.
        digits: behind the point, of values and differences so scaled.
        per_class: begins the heading of the values by class.
        kinds: the kinds of run whose outputs it can be computed from.
        evidence: dotted path of what computes it from the runs of an arm, `(runs) -> study.evidence.Evidence`.
        better: which of two values is the better one.
        top: the largest value that there is, or None.
        fold_classes: whether classes are listed by name and behind a summary line, for there may be hundreds.
        learnt_from: a class that scores less was not learnt; None where a class may well score nothing.
    """

    name: str
    title: str
    text: str
    samples: str
    unit: str
    scale: float
    digits: int
    per_class: str
    kinds: tuple[str, ...]
    evidence: str
    better: Literal["higher", "lower"] = "higher"
    top: float | None = 1.0
    fold_classes: bool = False
    learnt_from: float | None = None

    @property
    def in_percent(self) -> bool:
        """Whether values are given in percent."""
        return self.scale == 100

    def score(self, value: float) -> str:
        """Return a value as text: "54.1 %", or "0.541"."""
        return percent(value, self.digits) if self.in_percent else f"{self.scale * value:.{self.digits}f}"

    def interval(self, low: float, high: float) -> str:
        """Return "35.2 to 53.3 %": the unit once."""
        return f"{self.score(low).removesuffix(f'{NARROW}%')} to {self.score(high)}"

    def difference(self, value: float) -> str:
        """Return a signed difference in `unit`, "+3.2" or "−0.017"."""
        return signed(self.scale * value, self.digits)

    @property
    def of_unit(self) -> str:
        """The unit as it follows a difference: " percentage points", " of mean IoU"."""
        return f" {self.unit}" if self.in_percent else f" of {self.unit}"

    def judge(self, verdict: str) -> Literal["better", "worse", "undecided"]:
        """Return what a verdict "higher" or "lower" says of the first arm of a pair, with this metric."""
        if verdict not in ("higher", "lower"):
            return "undecided"
        return "better" if verdict == self.better else "worse"

    def unlearnt(self, per_class: Mapping[str, float]) -> list[str]:
        """Return the classes that were not learnt, of scores by class."""
        return [name for name, value in per_class.items() if self.learnt_from is not None and value < self.learnt_from]


ACCURACY = Metric(
    name="accuracy",
    title="Accuracy",
    text="accuracy",
    samples="test images",
    unit="percentage points",
    scale=100,
    digits=1,
    per_class="Accuracy",
    kinds=("classify",),
    evidence="sightline.study.evidence:Accuracy.of",
    fold_classes=True,
)
BALANCED_ACCURACY = replace(
    ACCURACY,
    name="balanced_accuracy",
    title="Balanced accuracy",
    text="balanced accuracy",
    evidence="sightline.study.evidence:balanced_accuracy",
)
METRICS: dict[str, Metric] = {
    "accuracy": ACCURACY,
    "balanced_accuracy": BALANCED_ACCURACY,
    "mean_iou": Metric(
        name="mean_iou",
        title="Mean IoU",
        text="mean IoU",
        samples="test tiles",
        unit="mean IoU",
        scale=1,
        digits=3,
        per_class="IoU",
        kinds=("segment", "prompt"),
        evidence="sightline.study.evidence:MeanIou.of",
        learnt_from=0.01,
    ),
}


def metric_named(name: str, kind: str = "") -> Metric:
    """Return the metric of that name.

    Args:
        name: of `METRICS`.
        kind: of the runs that it is wanted of; "" for any.

    Raises:
        ConfigError: no such metric, or none for runs of that kind.
    """
    known = [other.name for other in METRICS.values() if not kind or kind in other.kinds]
    if name not in known:
        scope = f" of {kind} runs" if kind else ""
        raise ConfigError(f"metric {name!r}: no such metric{scope}.{nearest(name, known)} Known: {', '.join(known)}")
    return METRICS[name]
