"""What the runs of an arm say, against independent references."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from sightline.config import ClassifyConfig, DataConfig, StudyClassify, StudyConfig
from sightline.runs import RunFolder
from sightline.runs.metrics import metric_named
from sightline.runs.results import ClassAccuracy, ClassifyResult, Init, Interval
from sightline.study.arms import arms_of, metric_of
from sightline.study.evidence import balanced_accuracy

CLASSES = np.array(["common", "rare", "some"])


def write_run(path: Path, seed: int, rng: np.random.Generator) -> tuple[RunFolder, np.ndarray, np.ndarray]:
    """Write a finished classifier on 200 images of which few are rare, its rows in an order of its own."""
    labels = CLASSES[np.repeat([0, 1, 2], [150, 10, 40])]
    predicted = np.where(rng.random(200) < 0.7, labels, CLASSES[rng.integers(0, 3, 200)])
    run = RunFolder.create(
        path, ClassifyConfig(data=DataConfig(source="x"), seed=seed), kind="classify", fingerprint="f"
    )
    order = rng.permutation(200)
    ids = np.array([f"{i:03d}.png" for i in range(200)])
    rows = {"id": ids, "label": labels, "predicted": predicted, "correct": labels == predicted}
    run.write_predictions({name: values[order] for name, values in rows.items()})
    correct = labels == predicted
    result = ClassifyResult(
        val_accuracy=0.7, best_epoch=1, trained_on=1, images_seen=1, lr=0.1, bad_images=0,
        init=Init(source="none", matched=""), split={"test": 200},
        accuracy=Interval(value=float(correct.mean()), low=0, high=1, n=200),
        per_class={str(c): ClassAccuracy(accuracy=float(correct[labels == c].mean()), n=9) for c in CLASSES},
    )  # fmt: skip
    run.finish(result, {"fit_seconds": 1.0})
    return run, labels, predicted


def test_balanced_accuracy_is_scikit_learn_s(tmp_path: Path):
    rng = np.random.default_rng(0)
    runs, expected = [], []
    for seed in range(3):
        run, labels, predicted = write_run(tmp_path / str(seed), seed, rng)
        runs.append(run)
        expected.append(balanced_accuracy_score(labels, predicted))
    summary = balanced_accuracy(runs).summary()
    assert summary.seeds == pytest.approx(expected)
    assert summary.mean == pytest.approx(np.mean(expected))
    assert summary.mean == pytest.approx(np.mean(list(summary.per_class.values())))
    assert summary.low < summary.mean < summary.high
    assert balanced_accuracy(runs).minus(balanced_accuracy(runs)).mean == 0


def test_a_study_headlines_it_where_its_block_says_so():
    data = DataConfig(source="x")
    study = StudyConfig(name="s", arms=("A",), classify=StudyClassify(data=data, metric="balanced_accuracy"))
    assert metric_of(study, arms_of(study)[0]) is metric_named("balanced_accuracy", "classify")
