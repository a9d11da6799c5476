"""One graph of runs on every executor of the table: the same outcomes, logs in the folders, lost processes replaced."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_runs import toy

from sightline.errors import ConfigError
from sightline.study.execute import execute
from sightline.study.executors import EXECUTORS, Executor, asked_executor, open_executor
from sightline.study.executors.resources import resources_of

GRAPH = [toy("A"), toy("bad"), toy("B", "A"), toy("C", "bad"), toy("dies"), toy("dies-once")]


def local(folder: Path) -> Iterator[Executor]:
    yield open_executor("local", 2)


def dask(folder: Path) -> Iterator[Executor]:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, local_directory=folder / "dask"
    ) as cluster:
        yield open_executor("dask", cluster.scheduler_address)


def slurm(folder: Path) -> Iterator[Executor]:
    from sightline.study.executors.slurm import Slurm

    yield Slurm("any", cluster="local", slots=2)


# Each job of submitit is two processes, and many.
@pytest.fixture(params=[local, dask, pytest.param(slurm, marks=pytest.mark.slow)], ids=lambda make: make.__name__)
def executor(request, tmp_path, monkeypatch) -> Iterator[Executor]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "study.yaml").write_text("name: toy\n")
    for made in request.param(tmp_path):
        yield made
        made.close()


def test_every_executor_gives_the_same_outcomes(executor, tmp_path, capfd):
    folder = tmp_path / "study"
    outcomes = execute(GRAPH, folder, executor)
    assert {name: of.status for name, of in outcomes.items()} == {
        "A": "done", "bad": "failed", "B": "done", "C": "not run", "dies": "failed", "dies-once": "done",
    }  # fmt: skip
    assert outcomes["bad"].reason == "photos: no such folder"
    assert outcomes["C"].reason == "bad is failed: photos: no such folder"
    tries = {node.name: _tries(folder, node.name) for node in GRAPH if node.name != "C"}
    assert tries == {"A": 1, "bad": 1, "B": 1, "dies": 3, "dies-once": 2}
    for name in tries:
        assert f"toy {name} on stdout" in (folder / "runs" / name / "log.txt").read_text()
    out, said = capfd.readouterr()
    assert "toy A" not in out + said
    assert "run 5 of 6" in said
    assert "goes on from its checkpoint" in said
    assert "bad: failed (photos: no such folder)" in said


def _tries(folder: Path, name: str) -> int:
    return len((folder / "runs" / name / "begun.txt").read_text().splitlines())


def test_what_a_run_asks_for_is_named():
    assert resources_of(toy("A")).gpus == 0
    asked = resources_of(toy("A", device="cuda", devices=2, threads=3))
    assert (asked.gpus, asked.cores) == (2, 6)


@pytest.mark.parametrize("name", ["dask", "slurm"])
def test_a_missing_extra_is_named(name, monkeypatch):
    entry = EXECUTORS[name]
    package = {"dask": "distributed", "slurm": "submitit"}[name]
    for module in [module for module in sys.modules if module.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, entry.make.partition(":")[0], raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"{name}: needs {package}.*uv sync --extra {entry.extra}") as told:
        open_executor(name, "anywhere")
    assert told.value.exit_code == 2


def test_one_place_at_a_time():
    assert asked_executor(1, "", "") is None
    with pytest.raises(ConfigError, match="--jobs and --cluster: runs are done in one place"):
        asked_executor(2, "tcp://node1:8786", "")
    with pytest.raises(ConfigError, match="--jobs 0: runs at a time"):
        asked_executor(0, "", "")


def test_a_place_that_is_not_there_is_told(monkeypatch):
    from sightline.study.executors import dask as module

    monkeypatch.setattr(module, "CONNECT", 0.3)
    with pytest.raises(ConfigError, match=r"--cluster tcp://127.0.0.1:9: no scheduler answers there"):
        open_executor("dask", "tcp://127.0.0.1:9")
    monkeypatch.setenv("PATH", str(Path(__file__).parent))
    with pytest.raises(ConfigError, match="--slurm gpu: no srun here"):
        open_executor("slurm", "gpu")
