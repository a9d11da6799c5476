"""Flags of arms: from the runs through result.json, where they take verdicts away, to the report's words."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from fake_study import SEEDS, write_classify, write_pretrain

from sightline.config import DataConfig, StudyClassify, StudyConfig, StudyPretrain
from sightline.files.atomic import write_text
from sightline.report import write
from sightline.report.answers import answers
from sightline.runs import StudyFolder
from sightline.runs.flags import FLAGS
from sightline.runs.kinds import KINDS
from sightline.runs.metrics import METRICS
from sightline.runs.study_result import Summary
from sightline.study.collect import collect
from sightline.study.flags import Judged, flags_of
from sightline.study.outcome import Outcome
from sightline.study.plan import expand


def study_of(tmp_path: Path, levels: dict[str, float], *, rising: str = "", loss: float = 0.6) -> StudyFolder:
    """Write and collect a study of classification arms with these accuracies; those in `rising` stopped too early."""
    study = StudyConfig(
        name="flags", arms=tuple(levels), seeds=SEEDS, classify=StudyClassify(data=DataConfig(source="photos")),
        pretrain=StudyPretrain(data=DataConfig(source="more")),
    )  # fmt: skip
    folder = StudyFolder(tmp_path)
    write_text(tmp_path / "study.yaml", yaml.safe_dump(study.to_dict()))
    write_pretrain(folder.run_path("pretrain"), [], loss=loss)
    for arm, level in levels.items():
        for seed in SEEDS:
            write_classify(folder.run_path(f"{arm}-{seed}"), seed, level, "all", rising=arm in rising)
    nodes = expand(study, tmp_path)
    folder.write_result(collect(study, nodes, {node.name: Outcome("done") for node in nodes}, folder, None))
    return folder


@pytest.mark.parametrize(
    ("levels", "changes", "flags"),
    [
        ({"A": 0.4, "C": 0.9}, {}, {}),
        ({"A": 0.4, "C": 0.9}, {"rising": "A"}, {"A": ("not converged",)}),
        ({"A": 0.14, "C": 0.9}, {}, {"A": ("at chance",)}),
        ({"A": 0.4, "C": 0.9}, {"loss": 0.995}, {"C": ("pretraining not learnt",)}),
        ({"A": 0.14, "C": 0.9}, {"rising": "AC"}, {"A": ("not converged", "at chance"), "C": ("not converged",)}),
    ],
)
def test_a_flag_takes_the_verdict_away_and_says_why(tmp_path, levels, changes, flags):
    folder = study_of(tmp_path, levels, **changes)
    result = folder.result
    assert {arm.arm: arm.flags for arm in result.arms if arm.flags} == flags
    comparison = result.comparison("C", "A")
    assert comparison is not None
    assert comparison.p < 0.001
    assert comparison.verdict == ("undecided" if flags else "higher")
    assert (comparison.flags or {}) == flags
    text = write(folder.path)[1].read_text(encoding="utf-8")
    assert ("Yes, here it does." in text) is not bool(flags)
    for name, flagged in flags.items():
        assert f"{name} {', '.join(flagged)}" in text.split("## ")[0]
        assert all(FLAGS[flag].words in text and f"{name}: {flag}: it" in text for flag in flagged)
    assert ("Flags: no verdict rests on these arms" in text) is bool(flags)
    assert "The best of all constant answers scores 14.3" in text
    # The pretraining of the fake took 312.4 s, and A had none.
    assert "C (own self-supervised weights, all trained) after 5 min 12 s of pretraining" in text
    assert "A (random weights, all trained) after" not in text
    # Neither B and D nor E are arms of this study.
    headings = [answer.question for answer in answers(result)]
    assert headings == ["Does pretraining on your own images pay?"]
    assert "Reference weights of" not in text


@pytest.mark.parametrize("rising", [True, False])
def test_a_run_that_stands_alone_says_its_flags(tmp_path: Path, rising: bool):
    write_classify(tmp_path / "alone", 0, 0.6, "all", rising=rising)
    text = write(tmp_path / "alone")[1].read_text(encoding="utf-8")
    flag = FLAGS["not converged"]
    assert (f"alone: {flag.name}: it {flag.words}; {flag.way_out}." in text) is rising


def test_a_class_that_was_not_learnt_is_a_flag_of_mean_iou_alone():
    per_class = {"forest": 0.7, "water": 0.0}
    for metric, kind, flags in (("mean_iou", "segment", ("not learnt",)), ("accuracy", "classify", ())):
        score = Summary(mean=0.35, low=0.3, high=0.4, n=9, seeds=(0.35,), per_class=per_class, chance=0.2)
        judged = Judged(kind=KINDS[kind], metric=METRICS[metric], score=score, runs=())
        assert flags_of(judged) == flags
    engine = Judged(kind=KINDS["prompt"], metric=METRICS["mean_iou"], score=score, runs=())
    assert flags_of(engine) == ()
