"""A run killed with SIGKILL and resumed ends bit for bit as one that was not, with any number of workers."""

from __future__ import annotations

import json
import os
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
    files = {path for path in broken.rglob("*") if path.is_file()}
    assert not (broken / "checkpoints").exists(), "nothing goes on from a finished run"
    assert not [path.name for path in files if path.name.startswith(".")], "no lock and no temporary file is left"
    assert len({path.stat().st_mode for path in files}) == 1, "the umask holds for weights as for all else"


def test_killed_before_run_json_is_taken_by_resume(class_folder, tmp_path):
    out = tmp_path / "run"
    arguments = arguments_of(CLASSIFY, class_folder, out, workers=0)
    # Versions are looked up between the two files.
    code = (
        "import os, signal, sys, sightline.runs.folder as folder\n"
        "folder.versions = lambda: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from sightline.cli.main import run\n"
        "sys.exit(run(sys.argv[1:]))"
    )
    killed = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert {path.name for path in out.iterdir()} == {"config.yaml", ".lock"}
    run(arguments)
    assert json.loads((out / "run.json").read_text())["status"] == "done"


def test_a_second_resume_at_the_same_time_is_refused(class_folder, tmp_path):
    arguments = arguments_of(CLASSIFY, class_folder, tmp_path / "run", workers=0)
    first = subprocess.Popen([sys.executable, str(STOPPED), "8", "SIGSTOP", *arguments])
    try:
        _, status = os.waitpid(first.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        whole = [sys.executable, "-m", "sightline", *arguments]
        second = subprocess.run(whole, capture_output=True, text=True, check=False)
        assert second.returncode == 2, second.stderr
        assert f"is in use by process {first.pid} on " in second.stderr
        os.kill(first.pid, signal.SIGCONT)
        assert first.wait() == 0
    finally:
        first.kill()
    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)


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
    steps = max(json.loads(line)["step"] for line in (whole / "metrics.jsonl").read_text().splitlines())
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
