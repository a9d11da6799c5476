from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from sightline.config import ClassifyConfig, DataConfig
from sightline.errors import RunError
from sightline.runs import RunFolder
from sightline.runs.record import Record

CONFIG = ClassifyConfig(data=DataConfig(source="pictures"), seed=3)


@dataclass(frozen=True)
class Toy(Record):
    accuracy: float


def create(path: Path, config: ClassifyConfig = CONFIG, fingerprint: str = "f", resume: bool = False) -> RunFolder:
    return RunFolder.create(path, config, kind="classify", fingerprint=fingerprint, resume=resume)


def test_a_run_from_start_to_end(tmp_path: Path):
    run = create(tmp_path / "run")
    assert run.status == "running"
    assert ClassifyConfig.build(run.config()) == CONFIG
    run.append_metrics(step=1, epoch=0, values={"loss": 0.5})
    run.write_predictions({"id": ["a", "b"], "correct": np.array([True, False])})
    run.finish(Toy(0.5), {"fit_seconds": 1.0})
    again = RunFolder.open(run.path)
    assert again.is_done
    assert again.result() == {"accuracy": 0.5}
    assert again.metrics() == [{"step": 1, "epoch": 0, "loss": 0.5}]
    assert again.predictions().to_pydict() == {"id": ["a", "b"], "correct": [True, False]}
    info = again.info()
    assert info.seed == 3
    assert info.timings == {"fit_seconds": 1.0}
    assert info.versions["python"]
    assert info.hardware.cores >= 1


def test_two_identical_runs_differ_in_run_json_only(tmp_path: Path):
    files = []
    for name in ("a", "b"):
        run = create(tmp_path / name)
        run.append_metrics(step=1, epoch=0, values={"loss": 0.1})
        run.write_predictions({"id": ["x"], "probability": np.array([0.25], np.float32)})
        run.finish(Toy(1), {"fit_seconds": 2.0})
        files.append({p.name: p.read_bytes() for p in run.path.iterdir() if p.name != "run.json"})
    assert files[0] == files[1]


def test_an_existing_run_is_not_overwritten(tmp_path: Path):
    create(tmp_path / "run")
    with pytest.raises(RunError, match="--resume"):
        create(tmp_path / "run")


def test_resume_names_what_differs(tmp_path: Path):
    create(tmp_path / "run")
    other = CONFIG.model_copy(update={"optim": CONFIG.optim.model_copy(update={"lr": 0.5})})
    with pytest.raises(RunError, match=r"lr: 0.0001 there, 0.5 now; the data"):
        create(tmp_path / "run", other, fingerprint="g", resume=True)


def test_resume_keeps_what_was_there(tmp_path: Path):
    run = create(tmp_path / "run")
    run.append_metrics(step=1, epoch=0, values={"loss": 1.0})
    run.fail("power cut")
    assert run.info().reason == "power cut"
    again = create(tmp_path / "run", resume=True)
    assert again.status == "running"
    assert len(again.metrics()) == 1


def test_a_folder_with_other_files_is_refused(tmp_path: Path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunError, match="not empty"):
        create(tmp_path)
    with pytest.raises(RunError, match="holds no run"):
        RunFolder.open(tmp_path)


def test_metrics_survive_a_cut_line_and_truncate_by_step(tmp_path: Path):
    run = create(tmp_path / "run")
    for step in (1, 2, 3):
        run.append_metrics(step=step, epoch=0, values={"loss": step / 2})
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    assert [line["step"] for line in run.metrics()] == [1, 2, 3]
    run.truncate_metrics(2)
    run.append_metrics(step=3, epoch=0, values={"loss": 9.0})
    assert [line["loss"] for line in run.metrics()] == [0.5, 1.0, 9.0]


def test_an_unfinished_run_has_no_result(tmp_path: Path):
    run = create(tmp_path / "run")
    with pytest.raises(RunError, match="status is running"):
        run.result()
    with pytest.raises(RunError, match="no predictions"):
        run.predictions()


def test_runs_load_no_torch():
    code = "import sys, sightline.runs.folder, sightline.metrics.statistics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
