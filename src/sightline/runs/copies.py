"""Copies of test images among those that a study learnt from, and its scores without them; typed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.runs.artifacts import COUNTS
from sightline.runs.folder import RunFolder
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


class CleanRun(RunFolder):
    """A finished run whose outputs on some test samples are passed over, for any metric to be computed without them."""

    def __init__(self, run: RunFolder, without: Collection[str]) -> None:
        super().__init__(run.path)
        self._without = without

    def predictions(self) -> pa.Table:
        """Return predictions.parquet without these samples."""
        table = super().predictions()
        gone = pa.array(sorted(self._without), pa.string())
        return table.filter(pc.invert(pc.is_in(table["id"], value_set=gone)))  # pyright: ignore[reportAttributeAccessIssue]

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays of an .npz file; of counts without these samples."""
        arrays = super().arrays(name)
        if name != COUNTS:
            return arrays
        kept = ~np.isin(arrays["ids"], sorted(self._without))
        return {key: values[kept] if len(values) == len(kept) else values for key, values in arrays.items()}
