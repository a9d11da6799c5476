"""A study on a cluster of four workers of which one is killed every 20 seconds is the study of one machine.

uv run pytest -n 0 -m slow tests/study/test_cluster.py
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from toy_runs import toy

from conftest import write_classes
from sightline.report import write
from sightline.study import run_study
from sightline.study.execute import execute
from sightline.study.executors import open_executor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]
EVERY = float(os.environ.get("SIGHTLINE_KILL_EVERY", "20"))  # seconds
# What tells how long something took, when, and by which process.
TIMES = {"seconds", "epoch_seconds", "memory", "provenance"}  # of processes and machines, not of the study


def study_file(folder: Path) -> Path:
    data = {"source": str(write_classes(folder / "pictures"))}
    small = {"precision": "32-true", "threads": 1, "device": "cpu", "checkpoint_minutes": 0}
    method = {"prototypes": 32, "hidden": 32, "bottleneck": 16}
    pretrain = small | {"backbone": "timm/test_resnet", "epochs": 1, "batch_size": 12, "method": method}
    content = {
        "name": "cluster",
        "seeds": [0, 1],
        "arms": ["A", "C"],
        "pretrain": {"recipe": "dino-demo", "data": data, "set": pretrain},
        "classify": {
            "data": data, "lr_factors": [1], "set": small | {"input_size": 24, "epochs": 2, "batch_size": 8},
        },
        "embed_arm": "A",
        "embed_samples": 40,
    }  # fmt: skip
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[Any]:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0,
        local_directory=folder / "dask", silence_logs="CRITICAL",
    ) as made:  # fmt: skip
        yield made


@contextmanager
def killing(made: Any, seconds: float) -> Iterator[list[int]]:
    """Kill the workers in turn; their nannies start others."""
    over, killed = threading.Event(), list[int]()

    def work() -> None:
        for index in itertools.count():
            if over.wait(seconds):
                return
            nannies = list(made.workers.values())
            if pid := nannies[index % len(nannies)].pid:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def result_of(folder: Path) -> Any:
    return without_times(json.loads((folder / "result.json").read_text().replace(str(folder), "OUT")))


def test_a_study_on_workers_that_are_killed_is_that_of_one_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    source = str(study_file(tmp_path))
    run_study(source, tmp_path / "one")
    begin = time.monotonic()
    with cluster(tmp_path, 4) as made, killing(made, EVERY) as killed:
        run_study(source, tmp_path / "many", cluster=made.scheduler_address)
    print(f"{len(killed)} workers killed in {time.monotonic() - begin:.0f} s")
    assert killed
    assert result_of(tmp_path / "one") == result_of(tmp_path / "many")
    assert all(arm["status"] == "done" for arm in result_of(tmp_path / "many")["arms"])
    write(tmp_path / "many")
    for run in (tmp_path / "many" / "runs").iterdir():
        assert f"{run.name}: process " in (run / "log.txt").read_text()
        assert not (run / ".lock").exists()


def test_a_run_that_kills_its_workers_fails_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    (tmp_path / "study.yaml").write_text("name: toy\n")
    nodes = [toy("A"), toy("kills"), toy("C", "kills"), toy("B", "A")]
    with cluster(tmp_path, 2) as made:
        executor = open_executor("dask", made.scheduler_address)
        outcomes = execute(nodes, tmp_path, executor)
        executor.close()
    assert [outcomes[name].status for name in ("A", "kills", "C", "B")] == ["done", "failed", "not run", "done"]
    assert outcomes["kills"].reason == "the workers that began it died, 4 of them"
    assert len((tmp_path / "runs" / "kills" / "begun.txt").read_text().splitlines()) == 4


def test_a_study_that_is_stopped_stops_its_workers_runs_with_checkpoints(tmp_path):
    """SIGTERM to the study alone: no run goes on behind its back."""
    import subprocess
    import sys

    source = study_file(tmp_path)
    values = yaml.safe_load(source.read_text())
    values |= {"arms": ["A"], "pretrain": None, "embed_arm": "A"}
    values["classify"]["set"] |= {
        "epochs": 2000,
        "checkpoint_minutes": 60,
        "log_every": 1,
        "backbone": "timm/test_resnet",
    }
    source.write_text(yaml.safe_dump(values))
    runs = [tmp_path / "out" / "runs" / f"A-{seed}" for seed in (0, 1)]
    with cluster(tmp_path, 2) as made:
        command = [sys.executable, "-m", "sightline", "study", str(source), "--out", str(tmp_path / "out")]
        job = subprocess.Popen([*command, "--cluster", made.scheduler_address], stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 900
        while not all((run / "metrics.jsonl").is_file() for run in runs) and time.monotonic() < until:
            time.sleep(0.1)
        job.send_signal(signal.SIGTERM)
        _, said = job.communicate(timeout=300)
        assert job.returncode == 130, said
        assert f"--cluster {made.scheduler_address}" in said
        for run in runs:
            assert (run / "checkpoints" / "last" / "manifest.json").is_file()
            assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
