"""A finished run, as Python code meets it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sightline import notebook
from sightline.errors import RunError
from sightline.runs import artifacts
from sightline.runs.folder import RunFolder
from sightline.runs.kinds import kind_named
from sightline.runs.record import Record
from sightline.runs.results import Interval


@dataclass(frozen=True, repr=False)
class Run:
    """A finished run.

    Attributes:
        path: its folder.
    """

    path: Path

    def __post_init__(self) -> None:
        # The same run by a relative and by an absolute path, and from any working directory.
        object.__setattr__(self, "path", Path(self.path).absolute())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Open a finished run.

        Raises:
            RunError: `path` holds no run, or one that has not finished.
        """
        folder = RunFolder.open(Path(path))
        if not folder.is_done:
            raise RunError(f"{path}: has not finished, its status is {folder.status}; resume it")
        return cls(folder.path)

    @property
    def folder(self) -> RunFolder:
        """The run folder, for logged values, predictions and weights."""
        return RunFolder.open(self.path)

    @property
    def kind(self) -> str:
        """What it is: pretrain, classify, segment or prompt."""
        return self.folder.info().kind

    @property
    def result(self) -> Record:
        """The content of result.json: a PretrainResult, ClassifyResult, SegmentResult or PromptResult."""
        return self.folder.result_as(kind_named(self.kind).result)

    @property
    def metric(self) -> str | None:
        """The metric of its score, which is its kind's; a study may compare runs by another of their outputs.

        None for pretraining, which has no score of its own.
        """
        return kind_named(self.kind).metric or None

    @property
    def interval(self) -> Interval:
        """Its score on the test part: value, the 95 % interval low to high, and n samples.

        Raises:
            RunError: a run without a score.
        """
        metric = self.metric
        score = getattr(self.result, metric) if metric else None
        if score is None:
            raise RunError(f"{self.path}: a {self.kind} run that was not judged on a test part; it has no score")
        return score

    @property
    def value(self) -> float:
        """Its score on the test part, `metric` in 0–1.

        Raises:
            RunError: a run without a score.
        """
        return self.interval.value

    @property
    def accuracy(self) -> float:
        """Test accuracy in 0–1, of a run that is judged by it; AttributeError for others."""
        return self._value_of("accuracy")

    @property
    def mean_iou(self) -> float:
        """Test mean IoU in 0–1, of a run that is judged by it; AttributeError for others."""
        return self._value_of("mean_iou")

    def _value_of(self, metric: str) -> float:
        if self.metric != metric:
            judged = f"is judged by {self.metric}" if self.metric else "has no score of its own"
            raise AttributeError(f"{self.path}: a {self.kind} run has no {metric}, it {judged}")
        return self.value

    def __fspath__(self) -> str:
        return str(self.path)

    def _repr_html_(self) -> str:
        """Show kind, score and place, the first of its figures, and its report where it is written."""
        try:
            score = self.interval
            row = {self.metric: score.value, "low": score.low, "high": score.high, "n": score.n}
        except RunError:
            row = {}
        figures = sorted((self.path / artifacts.FIGURES).glob("*.png"))[:1]
        page = self.path / artifacts.REPORT
        shown = notebook.table([{"kind": self.kind, **row}], self.path.name) + "".join(map(notebook.figure, figures))
        return shown + notebook.link(page if page.is_file() else self.path)

    def __repr__(self) -> str:
        try:
            scored = self.metric is not None and self.interval
            text = f", {self.metric}={scored.value:.4g}, n={scored.n}" if scored else ""
            return f"Run({str(self.path)!r}, kind={self.kind!r}{text})"
        except RunError:
            return f"Run({str(self.path)!r})"
