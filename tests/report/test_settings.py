"""Settings and their questions, from the runs of a study to its report."""

from __future__ import annotations

from pathlib import Path

import yaml
from fake_study import SEEDS, write_classify, write_pretrain

from sightline.config import DataConfig, StudyClassify, StudyConfig, StudyPretrain
from sightline.files.atomic import write_text
from sightline.report import write
from sightline.runs import StudyFolder
from sightline.study.arms import parse_arm
from sightline.study.collect import collect
from sightline.study.outcome import Outcome
from sightline.study.plan import expand


def test_the_last_stage_is_compared_with_the_head_alone_and_with_all(tmp_path: Path):
    assert parse_arm("F").settings == {"train": "last-stage"}
    data = DataConfig(source="photos/labelled")
    study = StudyConfig(
        name="stages", arms=("C", "E", "F"), seeds=SEEDS,
        pretrain=StudyPretrain(data=DataConfig(source="photos/unlabelled")), classify=StudyClassify(data=data),
    )  # fmt: skip
    folder = StudyFolder(tmp_path)
    write_text(tmp_path / "study.yaml", yaml.safe_dump(study.to_dict()))
    write_pretrain(folder.run_path("pretrain"), [])
    for arm, level, train in (("C", 0.98, "all"), ("E", 0.2, "head"), ("F", 0.6, "last-stage")):
        for seed in SEEDS:
            write_classify(folder.run_path(f"{arm}-{seed}"), seed, level, train)
    nodes = expand(study, tmp_path)
    assert {node.name: node.config.to_dict().get("train") for node in nodes if node.name.endswith("-0")} == {
        "C-0": "all", "E-0": "head", "F-0": "last-stage",
    }  # fmt: skip
    folder.write_result(collect(study, nodes, {node.name: Outcome("done") for node in nodes}, folder, None))

    assert {comparison.pair for comparison in folder.result.comparisons} == {("C", "E"), ("F", "E"), ("C", "F")}
    text = next(path for path in write(tmp_path) if path.suffix == ".md").read_text(encoding="utf-8")
    assert "How much of the backbone to train?" in text
    assert "The more of it, the better." in text
    assert "own self-supervised weights, last stage trained" in text
