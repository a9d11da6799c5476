"""The loggers of a study: each of its runs is an entry under the study's name."""

from __future__ import annotations

import pytest

from sightline.config import LOGGERS, LoggerEntry, StudyConfig
from sightline.errors import NotAvailable
from sightline.study import expand, read_study, run_study


def test_each_run_has_the_loggers_of_the_study_and_its_name(tmp_path):
    study = read_study("demo", flags={"logger": ["tensorboard", "wandb"]})
    nodes = expand(study, tmp_path)
    assert {node.kind for node in nodes} >= {"pretrain", "classify"}
    assert {(node.config.logger, node.config.group) for node in nodes} == {(("tensorboard", "wandb"), study.name)}
    assert {(node.config.logger, node.config.group) for node in expand(read_study("demo"), tmp_path)} == {((), "")}


def test_a_logger_whose_package_is_missing_ends_a_study_before_it_begins(tmp_path, monkeypatch):
    monkeypatch.setitem(LOGGERS, "nowhere", LoggerEntry("nowhere:Nothing", "nowhere", "no package"))
    study = StudyConfig.build(read_study("demo").to_dict(), {"logger": ["nowhere"]})
    with pytest.raises(NotAvailable, match="uv sync --extra nowhere"):
        run_study(study, tmp_path / "study")
    assert not (tmp_path / "study").exists()
