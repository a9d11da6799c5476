"""Processes that change in number, and two torchrun agents: as on two machines, each with its own processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import write_tiles
from sightline.engine.launch import _free_port
from sightline.files.lock import holder_of
from sightline.runs import RunFolder, artifacts

sys.path.insert(0, str(Path(__file__).parent / "pretrain"))
from processes import same_training

# Up to eight processes import torch, on whatever the machine has left.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
STOPPED = Path(__file__).parent / "stopped_run.py"
COMMON = {
    "backbone": "timm/test_resnet", "precision": "32-true", "device": "cpu", "workers": 0, "threads": 1, "log_every": 1,
    "checkpoint_minutes": 0, "batch_size": 12, "optim.name": "sgd", "optim.lr": 0.001, "epochs": 3,
}  # fmt: skip
SMALL_DINO = ["--recipe", "dino-demo", "--set", "method.prototypes=32", "--set", "method.hidden=32"]
SMALL_HEAD = ["--set", "method.hidden=32", "--set", "method.projection=16", "--set", "views.local_crops=0"]
SMALL_VIEWS = ["--set", "views.global_size=24", "--set", "data.image_size=24", "--set", "optim.warmup_epochs=1"]
# name → verb, and what it is asked for beside COMMON
WORK = {
    "dino": ("pretrain", [*SMALL_DINO, "--set", "views.local_crops=1"]),
    "simclr": ("pretrain", ["--recipe", "simclr-small", *SMALL_HEAD, *SMALL_VIEWS]),
    "lejepa": ("pretrain", ["--recipe", "lejepa-small", *SMALL_HEAD, *SMALL_VIEWS, "--set", "method.slices=16"]),
    "classify": ("classify", ["--set", "input_size=24"]),
    # At ten times this rate so small a network multiplies what float sums in parts differ by tenfold in two steps.
    "segment": ("segment", ["--set", "crop=32", "--set", "loss=ce+dice+lovasz", "--set", "optim.lr=0.0001"]),
}


def arguments(name: str, data: Path, out: Path, *more: str, **keys: object) -> list[str]:
    verb, wanted = WORK[name]
    settings = [part for key, value in (COMMON | keys).items() for part in ("--set", f"{key}={value}")]
    return [verb, str(data), "--out", str(out), *settings, *wanted, *more]


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"} | more


def finish(*front: str, rest: list[str]) -> None:
    done = subprocess.run([sys.executable, *front, *rest], capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr


def step_of(out: Path) -> int:
    return RunFolder.open(out).metrics()[-1]["step"]


@pytest.mark.parametrize("name", WORK)
def test_four_processes_then_two_then_one_are_the_uninterrupted_run(name, class_folder, tmp_path):
    """The first job loses a process by SIGKILL, the second is stopped by SIGTERM, the third ends."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    # Of 32 px, one pixel between two classes would change mean IoU by more than the tolerance.
    data = write_tiles(tmp_path / "tiles", tiles=48, side=64) if name == "segment" else class_folder
    finish("-m", "sightline", rest=arguments(name, data, whole))
    last = step_of(whole)
    for count, sent, rank, code in ((4, "SIGKILL", "2", 1), (2, "SIGTERM", "0", 130)):
        command = [sys.executable, str(STOPPED), "4", sent, *arguments(name, data, broken, "--resume")]
        ended = subprocess.run(
            [*command, "--set", f"devices={count}"], capture_output=True, text=True, env=environment(STOPPED_RANK=rank)
        )
        assert ended.returncode == code, ended.stderr
        assert RunFolder.open(broken).status == {1: "failed", 130: "interrupted"}[code]
    assert 4 < step_of(broken) < last
    finish("-m", "sightline", rest=arguments(name, data, broken, "--resume"))
    same_training(whole, broken)


def agents(each: int, rest: list[str]) -> list[subprocess.Popen[str]]:
    """Start two torchrun agents of `each` processes; the first holds the meeting point."""
    front = ["-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", str(each), "--rdzv-backend", "c10d",
             "--rdzv-endpoint", f"127.0.0.1:{_free_port()}", "--rdzv-id", "test", "-m", "sightline"]  # fmt: skip
    return [
        subprocess.Popen(
            [sys.executable, *front, *rest],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        for _ in range(2)
    ]


@pytest.mark.parametrize("each", [1, 2])
def test_two_torchrun_agents_train_what_one_process_does(each, class_folder, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    finish("-m", "sightline", rest=arguments("dino", class_folder, one))
    jobs = agents(each, arguments("dino", class_folder, two))
    said = [job.communicate(timeout=900) for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], said
    assert "".join(out for out, _ in said).count("60 images, 180 seen") == 1
    same_training(one, two)


@pytest.mark.parametrize(("sent", "within"), [(signal.SIGKILL, 30), (signal.SIGSTOP, 60)])
def test_a_process_lost_on_one_of_two_machines_ends_both_agents(sent, within, class_folder, tmp_path):
    out = tmp_path / "run"
    jobs = agents(2, arguments("dino", class_folder, out, epochs=100000, **{"optim.warmup_epochs": 1}))
    until = time.monotonic() + 900
    while not (out / "metrics.jsonl").is_file() and time.monotonic() < until:
        time.sleep(0.2)
    # The holder of the run's lock is the first process, so that its agent is the first machine's.
    workers = [Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split() for job in jobs]
    holder = holder_of(out / artifacts.LOCK)
    assert holder is not None
    first = next(i for i, pids in enumerate(workers) if str(holder.pid) in pids)
    os.kill(int(workers[1 - first][0]), sent)
    begin = time.monotonic()
    said = [job.communicate(timeout=900)[1] for job in jobs]
    assert time.monotonic() - begin < within
    assert all(job.returncode == 1 for job in jobs)
    lines = [line for text in said for line in text.splitlines() if line.startswith("sightline: ")]
    assert len(lines) == 1, lines
    assert "of 4" in lines[0]
    assert "--resume" in lines[0]
    assert "of 4" in RunFolder.open(out).info().reason
