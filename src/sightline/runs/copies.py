"""Copies of test images among those that a study learnt from, and its scores without them; typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from sightline.runs.record import Number, Record


@dataclass(frozen=True, kw_only=True)
class CleanScore(Record):
    """The score of an arm on the test images without a copy: mean over seeds, 95 % interval, n images."""

    mean: Number
    low: Number
    high: Number
    n: int


@dataclass(frozen=True, kw_only=True)
class CopiesInTest(Record):
    """Copies of the test images of one data set of a study.

    Attributes:
        n: test images.
        train: ids of those with a copy in the training or validation part.
        unlabelled: ids of those with a copy among the images of pretraining; None where there was none.
        scores: by arm, without these; empty where there are none, or where nothing else is left.
        key: of the data in which they were looked for.
    """

    n: int
    train: tuple[str, ...]
    unlabelled: tuple[str, ...] | None = None
    scores: Mapping[str, CleanScore] = field(default_factory=dict)
    key: str

    @property
    def ids(self) -> frozenset[str]:
        """Ids of all test images with a copy."""
        return frozenset((*self.train, *(self.unlabelled or ())))

    def with_scores(self, scores: Mapping[str, CleanScore]) -> Self:
        """Return this with scores."""
        return replace(self, scores=scores)
