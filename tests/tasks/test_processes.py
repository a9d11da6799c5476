"""Two real processes: what they train and judge is what one does, and the loss of one of them ends the job."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import write_tiles
from sightline.config import ClassifyConfig, SegmentConfig
from sightline.engine import NoProgress
from sightline.runs import RunFolder
from sightline.tasks.classify import classify
from sightline.tasks.segment import segment

sys.path.insert(0, str(Path(__file__).parent / "pretrain"))
from processes import same_training

COMMON = {
    "backbone": "timm/test_resnet", "epochs": 1, "precision": "32-true", "device": "cpu", "workers": 0, "threads": 1,
    "log_every": 1, "optim": {"name": "sgd", "lr": 0.001},
}  # fmt: skip
SCRIPT = """
import json, sys
from pathlib import Path
from sightline.config import ClassifyConfig, SegmentConfig
from sightline.engine import NoProgress
from sightline.tasks.classify import classify
from sightline.tasks.segment import segment

for config, work, values, out in json.loads(sys.argv[1]):
    globals()[work](globals()[config].build(values), Path(out), progress=NoProgress())
"""


def runs(classes: Path, tiles: Path) -> dict[str, dict]:
    """Three classes of twenty images of which 42 train: batches of 20, 20 and 2; nine tiles in one batch."""
    split = {"split": {"val": 0.15, "test": 0.15}}
    return {
        "classify": COMMON | {"data": {"source": str(classes)} | split, "batch_size": 20, "input_size": 24},
        "segment": COMMON | {"data": {"source": str(tiles)}, "crop": 32, "batch_size": 64, "loss": "ce+dice+lovasz"},
    }


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("processes", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_processes_train_and_judge_what_one_does(processes, class_folder, tmp_path):
    todo = runs(class_folder, write_tiles(tmp_path / "tiles", tiles=9))
    script = tmp_path / "work.py"
    script.write_text(SCRIPT)
    jobs = [
        (f"{name.title()}Config", name, values | {"devices": processes}, str(tmp_path / f"{name}-several"))
        for name, values in todo.items()
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), json.dumps(jobs)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    classify(ClassifyConfig.build(todo["classify"]), tmp_path / "classify-one", progress=NoProgress())
    segment(SegmentConfig.build(todo["segment"]), tmp_path / "segment-one", progress=NoProgress())
    for name, metric in (("classify", "accuracy"), ("segment", "mean_iou")):
        one, several = tmp_path / f"{name}-one", tmp_path / f"{name}-several"
        same_training(one, several)
        results = [RunFolder.open(run).result()[metric] for run in (one, several)]
        assert results[0] == pytest.approx(results[1], abs=1e-3)


def endless(classes: Path, out: Path, *options: str) -> list[str]:
    keys = {"backbone": "timm/test_resnet", "precision": "32-true", "device": "cpu", "workers": 0, "threads": 1,
            "method.prototypes": 32, "method.hidden": 32, "epochs": 100000, "batch_size": 12, "log_every": 1,
            "optim.warmup_epochs": 1}  # fmt: skip
    settings = [part for key, value in keys.items() for part in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "sightline", "pretrain", str(classes), "--out", str(out), "--recipe", "dino-demo"]
    return [*command, *settings, *options]


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("sent", "within"), [(signal.SIGKILL, 15), pytest.param(signal.SIGSTOP, 45, marks=pytest.mark.slow)]
)
def test_a_lost_process_ends_the_job_with_one_message_that_names_it(sent, within, class_folder, tmp_path):
    out = tmp_path / "run"
    job = subprocess.Popen(
        endless(class_folder, out, "--set", "devices=2"),
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    until = time.monotonic() + 1200
    while not (out / "metrics.jsonl").is_file() and time.monotonic() < until:
        time.sleep(0.2)
    os.kill(children(job.pid)[0], sent)
    begin = time.monotonic()
    _, said = job.communicate(timeout=120)
    assert time.monotonic() - begin < within
    assert job.returncode == 1
    lines = [line for line in said.splitlines() if line.startswith("sightline: ")]
    assert len(lines) == 1, said
    assert "process 1 of 2" in lines[0]
    assert "--resume" in lines[0]
    assert "Traceback" not in said
    assert "process 1 of 2" in RunFolder.open(out).info().reason
