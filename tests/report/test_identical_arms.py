"""A hundred studies of two arms with the same weights and other seeds: how many are called different.

From what the runs say of each image to the sentence, through the code that real studies go through. docs/statistics.md
has the same of many more studies, of the intervals alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.stats import binom

from sightline.confidence import SIGNIFICANCE
from sightline.config import ClassifyConfig, StudyConfig
from sightline.report.answers import answers
from sightline.report.sentences import comparison_sentence
from sightline.runs import RunFolder, StudyFolder
from sightline.runs.info import RunInfo
from sightline.runs.results import ClassifyResult, Init, Interval
from sightline.runs.study_result import StudyResult
from sightline.study.collect import collect
from sightline.study.execute import Outcome
from sightline.study.plan import expand

STUDIES = 100
SPREADS = (0.0, 0.01, 0.03)  # standard deviations between seeds, by turns
RARE = 1e-3  # chance of more wrong verdicts than are put up with, were each study wrong with the level's probability
IMAGES, CLASSES = 300, 6
DIFFICULTY = 1.2  # standard deviation of the images' difficulty, in logits
CURVE = [1 - np.exp(-epoch / 3) for epoch in range(1, 31)]  # of a run that has converged
STUDY = StudyConfig.build(
    {"name": "identical", "arms": ["A", "C"], "pretrain": {"data": {"source": "demo/objects"}},
     "classify": {"data": {"source": "demo/objects"}, "lr_factors": [1]}}
)  # fmt: skip


class MadeUpRun(RunFolder):
    """A finished run that lives in memory."""

    def __init__(self, path: Path, seed: int, correct: np.ndarray) -> None:
        super().__init__(path)
        self._seed, self._correct = seed, correct

    def info(self) -> RunInfo:
        return RunInfo(
            kind="classify", status="done", reason="", fingerprint="", seed=self._seed, timings={"fit_seconds": 1.0},
            started="", finished="",
        )  # fmt: skip

    def config(self) -> dict[str, Any]:
        return ClassifyConfig.build({"data": {"source": "demo/objects"}, "seed": self._seed}).to_dict()

    def predictions(self) -> pa.Table:
        labels = [f"class {i % CLASSES}" for i in range(IMAGES)]
        return pa.table({"id": [f"{i:04d}" for i in range(IMAGES)], "label": labels, "correct": self._correct})

    def metrics(self) -> list[dict[str, Any]]:
        return [{"step": i, "epoch": i, "val/accuracy": value} for i, value in enumerate(CURVE)]

    def result_as(self, cls: Any) -> Any:
        value = float(self._correct.mean())
        return ClassifyResult(
            val_accuracy=value, best_epoch=30, trained_on=600, images_seen=18_000, lr=1e-3, bad_images=0,
            init=Init(source="none", matched=""), split={"test": IMAGES},
            accuracy=Interval(value=value, low=0, high=1, n=IMAGES),
        )  # fmt: skip


class MadeUpFolder(StudyFolder):
    """A study whose runs live in memory: the answers of two equal arms, each seed a little better or worse."""

    def __init__(self, path: Path, rng: np.random.Generator, spread: float, better: float = 0.0) -> None:
        super().__init__(path)
        level = 1 / (1 + np.exp(-0.5 - rng.normal(0, DIFFICULTY, IMAGES)))
        self._runs = {
            f"{arm}-{seed}": rng.random(IMAGES) < level + more + rng.normal(0, spread)
            for arm, more in (("A", 0.0), ("C", better))
            for seed in STUDY.seeds
        }

    def run(self, name: str) -> RunFolder:
        return MadeUpRun(self.path / name, int(name[-1]), self._runs[name])


def studies(path: Path, number: int, better: float = 0.0) -> Iterator[StudyResult]:
    rng = np.random.default_rng(13)
    nodes = expand(STUDY, path)
    outcomes = {node.name: Outcome("done") if node.arm else Outcome("not run", "in memory") for node in nodes}
    for turn in range(number):
        folder = MadeUpFolder(path, rng, SPREADS[turn % len(SPREADS)], better)
        yield collect(STUDY, nodes, outcomes, folder, None)


def said(result: StudyResult) -> str:
    """Return what the report says of the two arms, as one word, from its sentence; its short answer must agree."""
    sentence, short = comparison_sentence(result, "C", "A"), answers(result)[0].short
    words = [word for word in ("is higher than", "is lower than", "cannot be told apart") if word in sentence]
    assert len(words) == 1, sentence
    assert (words[0] == "cannot be told apart") == (short == "Not shown by this study."), short
    return words[0]


def test_identical_arms_are_called_different_no_more_often_than_the_level_allows(tmp_path: Path):
    words = Counter(said(result) for result in studies(tmp_path, STUDIES))
    wrong = words["is higher than"] + words["is lower than"]
    assert words.total() == STUDIES
    assert binom.sf(wrong - 1, STUDIES, SIGNIFICANCE) > RARE, words


def test_arms_that_differ_are_called_so(tmp_path: Path):
    words = Counter(said(result) for result in studies(tmp_path, 10, better=0.3))
    assert words["is lower than"] == 0
    assert words["is higher than"] >= 9
