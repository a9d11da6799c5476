"""Locks between real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sightline.errors import RunError
from sightline.files import in_turn, lock, locked, wait_until_free

HOLD = """
import sys, time
from pathlib import Path
from sightline.files import locked
with locked(Path(sys.argv[1]), "it"):
    print("held", flush=True)
    sys.stdin.readline()
"""
COUNT = """
import sys
from pathlib import Path
from sightline.files import in_turn
number = Path(sys.argv[2])
for _ in range(20):
    with in_turn(Path(sys.argv[1]), "it", lambda line: None):
        number.write_text(str(int(number.read_text()) + 1))
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock until a line comes, or it is killed."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the list of processes that have ended is /proc")
def test_a_process_that_has_ended_and_is_still_listed_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run" / ".lock"
    with holder(path) as killed:
        killed.kill()
        os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)  # its parent has not asked how it ended
        with locked(path, "it"):
            pass


def test_a_living_process_keeps_others_out_and_a_dead_one_does_not(tmp_path: Path) -> None:
    path = tmp_path / "run" / ".lock"
    with holder(path) as process:
        with pytest.raises(RunError, match=f"it: is in use by process {process.pid} on "), locked(path, "it"):
            pass
        process.communicate("go\n")
    assert not path.exists()
    with holder(path) as killed:
        killed.kill()
    assert path.exists()
    with locked(path, "it"), pytest.raises(RunError, match=f"process {os.getpid()}"), locked(path, "it"):
        pass
    assert not path.exists()


def test_processes_in_turn_do_not_meet(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("0")
    command = [sys.executable, "-c", COUNT, str(tmp_path / ".lock"), str(tmp_path / "number")]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert (tmp_path / "number").read_text() == "60"
    assert [path.name for path in tmp_path.iterdir()] == ["number"]


def test_who_is_waited_for_is_told_once(tmp_path: Path) -> None:
    path, said = tmp_path / ".lock", list[str]()
    with holder(path) as process:

        def end(line: str) -> None:
            said.append(line)
            process.communicate("go\n")

        with in_turn(path, "cache", end):
            pass
        assert len(said) == 1
        assert said[0].startswith(f"cache: waiting for process {process.pid} on ")


def elsewhere(path: Path) -> None:
    """Let a lock be of a process on another host."""
    path.write_text(json.dumps(json.loads(path.read_text()) | {"host": "node7"}))


def test_a_silent_lock_of_another_host_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, said = tmp_path / ".lock", list[str]()
    with holder(path) as gone:
        gone.kill()
    elsewhere(path)
    with pytest.raises(RunError, match=r"node7.*if it is gone, remove"), locked(path, "it"):
        pass
    monkeypatch.setattr(lock, "SILENT", 0.5)
    wait_until_free(path, "it", said.append)
    assert len(said) == 1
    assert "it: waiting for process" in said[0]
    time.sleep(0.1)
    with locked(path, "it"):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_a_holder_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.05)
    path = tmp_path / ".lock"
    with locked(path, "it"):
        os.utime(path, (1, 1))
        until = time.monotonic() + 10
        while path.stat().st_mtime < 2 and time.monotonic() < until:
            time.sleep(0.02)
        assert path.stat().st_mtime > 2


TAKEN = """
import json, sys, time
from pathlib import Path
from sightline.files import lock, locked
lock.BEAT, path = 0.05, Path(sys.argv[1])
with locked(path, "it"):
    path.write_text(json.dumps(json.loads(path.read_text()) | {"host": "node7"}))
    time.sleep(60)
"""


def test_a_holder_that_slept_ends_where_another_took_its_lock(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", TAKEN, str(tmp_path / ".lock")], capture_output=True, text=True)
    assert done.returncode == 1
    assert "it: was taken over by process" in done.stderr
    assert (tmp_path / ".lock").exists()
