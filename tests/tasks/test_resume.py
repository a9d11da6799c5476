"""A run killed with SIGKILL and resumed ends bit for bit as one that was not, with any number of workers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PRETRAIN = [
    "pretrain", "{data}", "--recipe", "dino-demo", "--out", "{out}", "--backbone", "timm/test_resnet",
    "--set", "epochs=3", "--set", "batch_size=12", "--set", "method.prototypes=32", "--set", "method.hidden=32",
    "--set", "method.bottleneck=16", "--set", "views.local_crops=1",
]  # fmt: skip
CLASSIFY = [
    "classify", "{data}", "--out", "{out}", "--backbone", "timm/test_resnet", "--epochs", "4",
    "--set", "batch_size=8", "--set", "input_size=24",
]  # fmt: skip
# Five steps a record, so that a kill comes between two records, whose sums a checkpoint then holds.
COMMON = [
    "--resume", "--set", "threads=1", "--set", "checkpoint_minutes=0", "--set", "log_every=5",
    "--set", "precision=32-true",
]  # fmt: skip
STOPPED = Path(__file__).parent / "stopped_run.py"
SAME = ("metrics.jsonl", "result.json", "weights.safetensors", "model.json")


def arguments_of(template: list[str], data: Path, out: Path, workers: int) -> list[str]:
    return [part.format(data=data, out=out) for part in template] + [*COMMON, "--set", f"workers={workers}"]


def run(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "sightline", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def stop_after(step: int, name: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run, and let the process be sent a signal once it has made that many optimizer steps."""
    whole = [sys.executable, str(STOPPED), str(step), name, *arguments]
    return subprocess.run(whole, capture_output=True, text=True, check=False)


def saved_step(out: Path) -> int:
    return json.loads((out / "checkpoints" / "last" / "manifest.json").read_text())["step"]


# Step 8 is in the second epoch of both, three steps after a record.
@pytest.mark.parametrize("template", [PRETRAIN, CLASSIFY], ids=["pretrain", "classify"])
def test_killed_and_resumed_is_the_same_run(template, class_folder, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(arguments_of(template, class_folder, whole, workers=0))
    died = stop_after(8, "SIGKILL", arguments_of(template, class_folder, broken, workers=0))
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert saved_step(broken) == 7
    assert json.loads((broken / "run.json").read_text())["status"] == "running"
    run(arguments_of(template, class_folder, broken, workers=0))
    for name in SAME:
        assert (whole / name).read_bytes() == (broken / name).read_bytes(), name


@pytest.mark.parametrize("template", [PRETRAIN, CLASSIFY], ids=["pretrain", "classify"])
def test_workers_change_nothing_but_the_configuration(template, class_folder, tmp_path):
    without, two = tmp_path / "without", tmp_path / "two"
    run(arguments_of(template, class_folder, without, workers=0))
    run(arguments_of(template, class_folder, two, workers=2))
    for name in SAME:
        assert (without / name).read_bytes() == (two / name).read_bytes(), name


def test_ctrl_c_leaves_a_checkpoint_and_exits_130(class_folder, tmp_path):
    arguments = arguments_of(PRETRAIN, class_folder, tmp_path / "run", workers=1)
    stopped = stop_after(3, "SIGINT", arguments)
    assert stopped.returncode == 130, stopped.stderr
    assert "--resume goes on from" in stopped.stderr
    assert saved_step(tmp_path / "run") == 3


def test_a_run_killed_in_the_midst_of_its_trials_goes_on_there(class_folder, tmp_path):
    template = [*CLASSIFY, "--set", "tune=[0.00001,0.003]"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(arguments_of(template, class_folder, whole, workers=0))
    steps = saved_step(whole)
    # In the second trial.
    died = stop_after(steps + 8, "SIGKILL", arguments_of(template, class_folder, broken, workers=0))
    assert died.returncode == -signal.SIGKILL, died.stderr
    trials = [broken / "tuning" / "lr-1e-05", broken / "tuning" / "lr-0.003"]
    assert [json.loads((trial / "run.json").read_text())["status"] for trial in trials] == ["done", "running"]
    made = (trials[0] / "result.json").stat().st_mtime_ns
    run(arguments_of(template, class_folder, broken, workers=0))
    assert (trials[0] / "result.json").stat().st_mtime_ns == made, "a finished trial is not run again"
    for name in SAME:
        assert (whole / name).read_bytes() == (broken / name).read_bytes(), name
