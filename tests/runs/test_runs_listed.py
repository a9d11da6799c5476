"""How runs and studies stand, by their files: one whose process is gone is not running."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sightline.cli.main import run as command
from sightline.cli.runs import age_text
from sightline.config import ClassifyConfig, DataConfig
from sightline.files import locked
from sightline.files.lock import Holder
from sightline.runs import RunFolder, artifacts
from sightline.runs.listing import list_runs
from sightline.runs.numbers import size_text
from sightline.runs.results import ClassAccuracy, ClassifyResult, Init, Interval

CONFIG = ClassifyConfig(data=DataConfig(source="pictures"), epochs=8)
RESULT = ClassifyResult(
    images_seen=9, bad_images=0, split={"test": 10}, trained_on=9, init=Init(source="none", matched=""),
    val_accuracy=0.7, accuracy=Interval(value=0.8, low=0.55, high=0.93, n=10),
    per_class={"cat": ClassAccuracy(accuracy=0.8, n=10)},
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of each state, and something that is no run."""
    made = {
        name: RunFolder.create(tmp_path / name, CONFIG, kind="classify", fingerprint="f")
        for name in ("damaged", "done", "elsewhere", "failed", "gone", "interrupted", "killed", "running")
    }
    made["done"].finish(RESULT, {"fit_seconds": 1.0})
    made["failed"].fail("no room left")
    made["interrupted"].interrupt()
    made["running"].append_metrics(step=4, epoch=2, values={"loss": 1.0})
    (made["damaged"].path / artifacts.INFO).write_text("{")
    lock(made["running"], Holder.me())
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    lock(made["killed"], replace(Holder.me(), pid=int(dead.stdout)))
    lock(made["elsewhere"], replace(Holder.me(), host="node7"))
    (tmp_path / "notes").mkdir()
    return tmp_path


def lock(run: RunFolder, holder: Holder) -> None:
    (run.path / artifacts.LOCK).write_text(json.dumps(vars(holder)))


def test_each_state_is_told_and_nothing_is_changed(folder: Path):
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    states = {entry.path.name: entry.state for entry in list_runs(folder)}
    assert states == {
        "damaged": "damaged",
        "done": "done",
        "elsewhere": "running",
        "failed": "failed",
        "gone": "interrupted",
        "interrupted": "interrupted",
        "killed": "interrupted",
        "running": "running",
    }
    assert files == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    by_name = {entry.path.name: entry for entry in list_runs(folder)}
    assert by_name["running"].state_text == "running, epoch 3 of 8"
    assert "node7" in by_name["elsewhere"].reason
    assert "--resume" in by_name["killed"].reason
    assert "--resume" in by_name["interrupted"].reason
    assert by_name["done"].score_text.replace("\u202f", " ") == "80.0 % (55.0 to 93.0 %)"


def test_an_interrupted_run_is_resumed(folder: Path):
    again = RunFolder.create(folder / "interrupted", CONFIG, kind="classify", fingerprint="f", resume=True)
    assert again.status == "running"


def test_the_runs_of_a_study_are_listed_below_it(tmp_path: Path):
    study = tmp_path / "study"
    run = RunFolder.create(study / "runs" / "A-0", CONFIG, kind="classify", fingerprint="f")
    (study / artifacts.STUDY).write_text("name: x\n")
    run.finish(RESULT, {"fit_seconds": 1.0})
    entries = list_runs(tmp_path)
    assert [(entry.kind, entry.state) for entry in entries] == [("study", "interrupted"), ("classify", "done")]
    assert entries[0].score_text == "1 of 1 runs done"
    with locked(study / artifacts.LOCK, "study"):
        assert list_runs(tmp_path)[0].state == "running"


@pytest.mark.parametrize("width", [60, 100])
def test_the_command_lists_them_whatever_the_width(folder: Path, capsys, monkeypatch, width: int):
    monkeypatch.setenv("COLUMNS", str(width))
    assert command(["runs", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "80.0 % (55.0 to 93.0 %)" in text
    assert "no room left" in " ".join(text.split())  # broken where the path is long
    assert "sightline report" in text
    assert "damaged: " not in text, "its file is named, not the folder and its file"
    assert command(["runs", str(folder), "--json"]) == 0
    rows = {Path(row["path"]).name: row for row in json.loads(capsys.readouterr().out)}
    assert rows["done"]["score"]["value"] == 0.8
    assert rows["done"]["bytes"] > 100


def test_a_folder_without_runs_says_what_to_do(tmp_path: Path, capsys):
    assert command(["runs", str(tmp_path)]) == 2
    assert "sightline study demo" in capsys.readouterr().err


def test_ages_and_sizes():
    assert [age_text(s) for s in (5, 150, 3 * 3600, 9 * 86400)] == ["5 s ago", "2 min ago", "3 h ago", "9 days ago"]
    assert [size_text(n) for n in (500, 12_000, 3_400_000, 2e12)] == ["0.5 kB", "12 kB", "3.4 MB", "2000 GB"]
