"""A metric is one entry: it goes from the runs' outputs through evidence and result.json into the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from fake_study import SEEDS, write_classify

from sightline.config import DataConfig, StudyClassify, StudyConfig
from sightline.errors import ConfigError
from sightline.files.atomic import write_text
from sightline.report import write
from sightline.runs import RunFolder, StudyFolder, read_json
from sightline.runs.metrics import METRICS, Metric
from sightline.study.collect import collect
from sightline.study.evidence import Accuracy
from sightline.study.outcome import Outcome
from sightline.study.plan import expand

ERROR = Metric(
    name="top_error",
    title="Top error",
    text="top error",
    samples="toy images",
    unit="error points",
    scale=100,
    digits=2,
    per_class="Error",
    kinds=("classify",),
    evidence=f"{__name__}:errors",
    better="lower",
)


def errors(runs: Sequence[RunFolder]) -> Accuracy:
    return Accuracy(1 - Accuracy.of(runs).correct, {"cat": 0.25})


def test_a_metric_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(METRICS, "top_error", ERROR)
    data = DataConfig(source="photos/labelled")
    study = StudyConfig(name="toy", arms=("B", "D"), seeds=SEEDS, classify=StudyClassify(data=data, metric="top_error"))
    folder = StudyFolder(tmp_path)
    write_text(tmp_path / "study.yaml", yaml.safe_dump(study.to_dict()))
    for arm, level in (("B", 0.9), ("D", 0.4)):
        for seed in SEEDS:
            write_classify(folder.run_path(f"{arm}-{seed}"), seed, level, "head" if arm == "D" else "all")
    nodes = expand(study, tmp_path)
    folder.write_result(collect(study, nodes, {node.name: Outcome("done") for node in nodes}, folder, None))

    result = folder.result
    right = [RunFolder.open(folder.run_path(f"B-{seed}")).result()["accuracy"]["value"] for seed in SEEDS]
    assert result["B"].value == pytest.approx(1 - np.mean(right))
    assert read_json(tmp_path / "result.json")["arms"][0]["metric"] == "top_error"
    comparison = result.comparison("B", "D")
    assert comparison is not None
    assert comparison.verdict == "lower"

    page, text = (path.read_text(encoding="utf-8") for path in write(tmp_path)[:2])
    assert f"{100 * result['B'].value:.2f}\u202f%" in page
    assert "error points" in page
    assert "toy images" in page
    # Lower is better here, so the first arm of the pair, which is fine-tuned, wins.
    assert "Fine-tune." in text
    assert "Top error by arm" in page


def test_a_metric_that_the_runs_do_not_have_is_refused_before_anything_runs(tmp_path: Path):
    data = DataConfig(source="photos/labelled")
    for metric, message in (("mean_iou", "no such metric of classify runs"), ("acuracy", "Did you mean 'accuracy'")):
        study = StudyConfig(name="toy", arms=("A",), classify=StudyClassify(data=data, metric=metric))
        with pytest.raises(ConfigError, match=message):
            expand(study, tmp_path)
