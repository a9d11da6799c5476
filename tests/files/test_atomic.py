from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sightline.files.atomic import MARK, atomic_path, sweep, write_json, write_text


def test_content_replaces_and_leaves_no_temporary(tmp_path: Path):
    target = tmp_path / "new" / "a.txt"
    write_text(target, "one")
    write_text(target, "twö")
    assert target.read_text(encoding="utf-8") == "twö"
    assert list(target.parent.iterdir()) == [target]


def test_an_error_keeps_the_old_content(tmp_path: Path):
    target = tmp_path / "a.txt"
    write_text(target, "old")

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_nan_and_infinity_are_null(tmp_path: Path):
    write_json(tmp_path / "a.json", {"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": (float("-inf"),)}})
    content = json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail)
    assert content == {"a": None, "b": [None, 1.5], "c": {"d": [None]}}


def test_sweep_removes_what_dead_processes_left(tmp_path: Path):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    stale = tmp_path / "sub" / f".a.txt{MARK}{int(dead.stdout)}"
    mine = tmp_path / f".b.txt{MARK}{os.getpid()}"
    stale.parent.mkdir()
    stale.touch()
    mine.touch()
    assert sweep(tmp_path) == [stale]
    assert mine.exists()


def test_a_name_that_is_no_utf_8_goes_through_json_and_back(tmp_path: Path):
    name = os.fsdecode(b"\xf1\xe9.png")
    write_json(tmp_path / "a.json", {name: [name, "é"]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {name: [name, "é"]}
