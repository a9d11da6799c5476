"""Learning rates, the twin, pretrainings and label efficiency: from a study whose runs are made up to its page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_study import METHOD, NO_INIT

from sightline.config import ClassifyConfig, PretrainConfig, StudyConfig
from sightline.errors import TrainingFailed
from sightline.metrics.labels import labels_to_reach
from sightline.report import write
from sightline.report.labels import saved_sentence
from sightline.report.pretrainings import pretraining_remark
from sightline.runs import RunFolder, StudyFolder
from sightline.runs.results import ClassifyResult, Interval, PretrainResult, Tuning
from sightline.runs.study_result import LabelsSaved
from sightline.study import outcome, run_study

TEST, LABELS = 200, 1000
PICTURES = {"data": {"source": "demo/objects"}}  # by name, and never opened
STUDY = {
    "name": "fair", "arms": ["A", "C", "E"], "budget": "equal-time", "show_samples": False,
    "pretrain": {**PICTURES, "seeds": 2},
    "classify": {**PICTURES, "set": {"epochs": 10}}, "labels": {"fractions": [0.1, 0.25, 1], "arms": ["A", "C"]},
}  # fmt: skip
LEVELS = {0.1: 0.30, 0.25: 0.40, 1.0: 0.60}


def level(config: ClassifyConfig) -> float:
    """Return the accuracy of a made-up run: own weights are worth ten points, and a seed one."""
    return LEVELS[config.label_fraction] + 0.1 * (config.init != "none") + 0.01 * config.seed


def run_made_up(config: Any, path: Path, resume: bool) -> None:
    run = RunFolder.create(path, config, kind=config.kind, fingerprint="", resume=resume)
    if run.is_done:
        return
    if isinstance(config, PretrainConfig):
        values = {"epochs": 1, "steps": 1, "images": 9, "images_seen": 9, "bad_images": 0, "method": METHOD}
        warnings = ("epoch 3: it stands still",) if config.seed else ()
        health = {"knn/accuracy": 0.25 + 0.125 * config.seed}
        run.finish(PretrainResult(**values, health=health, warnings=warnings), {"fit_seconds": 40.0 + 20 * config.seed})
        return
    assert isinstance(config, ClassifyConfig)
    correct = np.arange(TEST) * 37 % TEST < round(level(config) * TEST)
    names = [f"{i:03d}" for i in range(TEST)]
    run.write_predictions({"id": names, "label": names, "predicted": names, "correct": correct})
    tuning = Tuning(scores={rate: 1 - 1000 * rate for rate in config.tune}, seconds=3.0) if config.tune else None
    result = ClassifyResult(
        val_accuracy=0.5, best_epoch=1, trained_on=round(LABELS * config.label_fraction), images_seen=7, init=NO_INIT,
        lr=tuning.best if tuning else config.optim.lr, tuning=tuning, bad_images=0, split={"test": TEST},
        accuracy=Interval(value=float(correct.mean()), low=0, high=1, n=TEST),
    )  # fmt: skip
    run.finish(result, {"fit_seconds": 2.0 * config.epochs})


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyFolder]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outcome, "import_dotted", lambda path: run_made_up)
        yield run_study(StudyConfig.build(STUDY), tmp_path_factory.mktemp("study") / "out")


@pytest.fixture(scope="module")
def text(finished: StudyFolder) -> str:
    return write(finished.path)[1].read_text(encoding="utf-8").replace("\u202f", " ").replace("\xa0", " ")


def test_every_seed_trains_with_the_rate_that_the_first_chose(finished: StudyFolder, text: str):
    arm = finished.result["C"]
    assert arm.done.tuning is not None
    assert (arm.done.lr, list(arm.done.tuning.scores)) == (3.33e-5, [3.33e-5, 1e-4, 3e-4])
    runs = ("C-1", "C-2", "C-0-labels-0.1", "C-2-labels-0.25", "A-long-0")
    assert {finished.run(name).config()["optim"]["lr"] for name in runs} == {3.33e-5}
    assert "| C | 96.7 % | 90.0 % | 70.0 % | 3.33e-05 |" in text
    assert finished.result["E"].done.tuning is None


def test_the_twin_was_given_the_time_of_the_other(finished: StudyFolder, text: str):
    budgets = finished.result["A-long"].done.budgets
    assert budgets is not None
    # Seeds 0 and 2 begin with the first pretraining, of 40 s, seed 1 with the second, of 60; C takes 20, an epoch 2.
    assert [budget.epochs for budget in budgets] == [30, 40, 30]
    assert [finished.run(f"A-long-{seed}").config()["epochs"] for seed in range(3)] == [30, 40, 30]
    assert "| A-long-1 | pretrain-1 + C-1 | 1 min 20 s | 2.0 s | 40 | × 4 |" in text
    assert "Does it pay at equal compute?" in text
    assert finished.result.comparison("C", "A-long") is not None


def test_the_result_says_which_seed_began_with_which_pretraining(finished: StudyFolder, text: str):
    result = finished.result
    assert result["C"].parts.pretrained == {0: "pretrain-0", 1: "pretrain-1", 2: "pretrain-0"}
    assert result["A"].parts.pretrained is None
    assert result.pretrain is not None
    assert result.pretrain.seconds == 50.0
    assert result.pretrain.warnings == ("pretrain-1: epoch 3: it stands still",)
    assert "they take the pretrainings by turns" in pretraining_remark(result)
    assert pretraining_remark(result) in text
    assert "| pretrain-1 | 1 | 60 s | 37.5 % | 1 | C-1, E-1 |" in text or "37.5 % | 1 | C-1, E-1 |" in text
    assert "ran once" not in text


def test_labels_saved_are_read_off_the_curve(finished: StudyFolder, text: str):
    of = finished.result.labels
    assert of is not None
    assert [(curve.arm, [point.labels for point in curve.points]) for curve in of.curves] == [
        ("A", [100, 250, 1000]), ("C", [100, 250, 1000]),
    ]  # fmt: skip
    first = of.curves[1].points[0]
    runs = [finished.run(f"C-{seed}-labels-0.1").result()["accuracy"]["value"] for seed in range(3)]
    assert list(first.seeds) == runs
    assert first.low < first.mean < first.high
    saved = {(one.a, one.fraction): one for one in of.saved}
    assert [saved["C", fraction].reached for fraction in (0.1, 0.25, 1.0)] == ["within", "within", "beyond"]
    # C with a tenth of the labels is where A is with a quarter, whatever the seed.
    tenth = saved["C", 0.1]
    assert (tenth.needed, tenth.low, tenth.high) == pytest.approx((250, 250, 250))
    assert saved["C", 0.25].needed == pytest.approx(labels_to_reach([100, 250, 1000], [0.3, 0.4, 0.6], 0.5))
    for one in of.saved:
        assert saved_sentence(one).replace("\u202f", " ") in text
    assert "A needs about 250 labels to equal C with 100 labels (10 %), 2.5 times as many" in text
    assert "A does not reach C with 1 000 labels (100 %), not with 1 000 either" in text
    assert "| 10 % | 100 |" in text


def test_points_that_failed_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def run(config: Any, path: Path, resume: bool) -> None:
        if path.name == "A-1-labels-0.25":
            raise TrainingFailed("the disk went away")
        run_made_up(config, path, resume)

    monkeypatch.setattr(outcome, "import_dotted", lambda path: run)
    study = run_study(StudyConfig.build(STUDY), tmp_path / "out")
    labels = study.result.labels
    assert labels is not None
    assert [point.fraction for point in labels.curves[0].points] == [0.1, 1.0]
    assert labels.curves[0].missing == {"A-1-labels-0.25": "failed: the disk went away"}
    assert "A-1-labels-0.25: failed: the disk went away." in write(study.path)[1].read_text(encoding="utf-8")


def test_what_cannot_be_said_is_not():
    saved = {"a": "C", "b": "A", "fraction": 0.5, "labels": 50, "fewest": 10, "most": 100}
    below = saved_sentence(LabelsSaved(**saved, reached="below"))
    assert below.startswith("A with 10 labels is as good as C with 50 labels")
    assert "no interval" in saved_sentence(LabelsSaved(**saved, reached="within", needed=60.0))
    unclear = LabelsSaved(**saved, reached="within", needed=60.0, low=40.0, high=90.0)
    assert "so that none may be saved" in saved_sentence(unclear)


def test_a_second_call_runs_nothing(finished: StudyFolder, monkeypatch: pytest.MonkeyPatch):
    before = finished.result
    ran: list[str] = []

    def run(config: Any, path: Path, resume: bool) -> None:
        if not RunFolder(path).is_done:
            ran.append(path.name)
        run_made_up(config, path, resume)

    monkeypatch.setattr(outcome, "import_dotted", lambda path: run)
    assert run_study(StudyConfig.build(STUDY), finished.path).result == before
    assert ran == []
