"""The runs of a study compute in one precision, settled once and kept."""

from __future__ import annotations

import pytest
import torch

from sightline.config import ClassifyConfig
from sightline.engine import precision as engine
from sightline.engine.example import ExampleStep, Workload
from sightline.errors import DataError
from sightline.runs import RunFolder, StudyFolder
from sightline.study import precision as module
from sightline.study.plan import Node
from sightline.study.precision import recorded, with_shared_precision


def node(name: str, precision: str = "auto", **keys) -> Node:
    config = ClassifyConfig.build({"data": {"source": "photos"}, "precision": precision, **keys})
    return Node(name, "classify", config, (), name)


@pytest.fixture
def timed(tmp_path, monkeypatch):
    """The folder of a study whose steps are faster in bf16, and the names of what was timed."""
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    names: list[str] = []

    def workload(config):
        if config.train == "head":
            raise DataError("no such pictures")
        return Workload(9, 50, ExampleStep({"train": config.train}, lambda device: lambda: torch.zeros(())))

    def measure(example, device, precisions):
        names.append(example.facts["train"])
        return {"32-true": 2.0, "bf16-mixed": 1.0}

    monkeypatch.setattr(module, "import_dotted", lambda name: workload)
    monkeypatch.setattr(engine, "measure", measure)
    (tmp_path / "study").mkdir()
    return StudyFolder(tmp_path / "study"), names


def chosen(nodes, folder, said=None):
    say = (said if said is not None else []).append
    return [node.config.precision for node in with_shared_precision(nodes, nodes, folder, say)]


def test_it_is_settled_once_for_all_that_name_none(timed):
    folder, names = timed
    said: list[str] = []
    nodes = [node("A-0"), node("A-1", seed=1), node("B-0", "32-true"), node("E-0", train="head")]
    assert chosen(nodes, folder, said) == ["bf16-mixed", "bf16-mixed", "32-true", "bf16-mixed"]
    assert names == ["all"], "both seeds are the same step, and what cannot be read is not timed"
    (line,) = said
    assert line.startswith("study: precision of all runs: bf16-mixed (measured here: about 100 s in bf16 for all runs")
    settled = recorded(folder)
    assert settled is not None
    assert settled.seconds == {"32-true": 200.0, "bf16-mixed": 100.0}
    more = [*nodes, node("F-0", train="last-stage")]
    assert chosen(more, folder, said) == ["bf16-mixed", "bf16-mixed", "32-true", "bf16-mixed", "bf16-mixed"]
    assert len(said) == len(names) == 1


def test_a_run_that_has_begun_keeps_its_own_and_the_rest_of_an_older_study_takes_what_most_have(timed):
    folder, names = timed
    for name, precision in (("A-0", "32-true"), ("A-1", "32-true"), ("C-0", "bf16-mixed")):
        begun = node(name, precision)
        RunFolder.create(folder.run_path(name), begun.config, kind="classify", fingerprint="")
    nodes = [node("A-0"), node("A-1"), node("C-0"), node("C-1")]
    assert chosen(nodes, folder) == ["32-true", "32-true", "bf16-mixed", "32-true"]
    assert names == []
    settled = recorded(folder)
    assert settled is not None
    assert "most runs of the study" in settled.reason
