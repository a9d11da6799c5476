"""A run killed with SIGKILL and resumed ends bit for bit as one that was not, with any number of workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
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
# Five steps a record, so that most kills come between two records, whose sums a checkpoint then holds.
COMMON = [
    "--resume", "--set", "threads=1", "--set", "checkpoint_minutes=0.0005", "--set", "log_every=5",
    "--set", "precision=32-true",
]  # fmt: skip
SAME = ("metrics.jsonl", "result.json", "weights.safetensors", "model.json")


def command(template: list[str], data: Path, out: Path, workers: int) -> list[str]:
    filled = [part.format(data=data, out=out) for part in template]
    return [sys.executable, "-m", "sightline", *filled, *COMMON, "--set", f"workers={workers}"]


def run(arguments: list[str]) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def kill_once_under_way(arguments: list[str], out: Path) -> None:
    """Start a run, and kill it with SIGKILL once it has written a checkpoint in the middle."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    manifest = out / "checkpoints" / "last" / "manifest.json"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if manifest.is_file() and json.loads(manifest.read_text())["step"] >= 2:
            break
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    assert json.loads((out / "run.json").read_text())["status"] == "running"


@pytest.mark.parametrize("template", [PRETRAIN, CLASSIFY], ids=["pretrain", "classify"])
def test_killed_and_resumed_is_the_same_run(template, class_folder, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run(command(template, class_folder, whole, workers=0))
    kill_once_under_way(command(template, class_folder, broken, workers=0), broken)
    run(command(template, class_folder, broken, workers=0))
    for name in SAME:
        assert (whole / name).read_bytes() == (broken / name).read_bytes(), name


@pytest.mark.parametrize("template", [PRETRAIN, CLASSIFY], ids=["pretrain", "classify"])
def test_workers_change_nothing_but_the_configuration(template, class_folder, tmp_path):
    without, two = tmp_path / "without", tmp_path / "two"
    run(command(template, class_folder, without, workers=0))
    run(command(template, class_folder, two, workers=2))
    for name in SAME:
        assert (without / name).read_bytes() == (two / name).read_bytes(), name


def test_ctrl_c_leaves_a_checkpoint_and_exits_130(class_folder, tmp_path):
    arguments = command([*PRETRAIN, "--set", "epochs=400"], class_folder, tmp_path / "run", workers=1)
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    metrics = tmp_path / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not metrics.is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "--resume goes on from" in errors
    assert (tmp_path / "run" / "checkpoints" / "last" / "manifest.json").is_file()
