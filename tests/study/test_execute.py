"""What a study does where a run, or a process, ends as nobody foresaw."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from sightline.config import ClassifyConfig
from sightline.study import outcome as module
from sightline.study.execute import execute
from sightline.study.executors.local import Processes
from sightline.study.plan import Node

WORKER = """
import multiprocessing, os, sys, time
from sightline.study.apart import end_with

def work(parent):
    end_with(parent)
    print(os.getpid(), flush=True)
    time.sleep(600)

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work, args=(os.getpid(),))
    process.start()
    process.join()
"""


def node(name: str, *needs: str) -> Node:
    return Node(name, "classify", ClassifyConfig.build({"data": {"source": "photos"}}), needs, name)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("batch of one"), "a fault of Sightline: ValueError: batch of one; the traceback is in "),
        (OSError(28, "No space left on device", "weights"), "weights: there is no room left on the disk"),
        (MemoryError(), "not enough memory"),
    ],
)
def test_an_error_that_nobody_foresaw_marks_its_run_and_the_others_go_on(tmp_path, monkeypatch, capsys, error, reason):
    ran = []

    def run(config, path, resume):
        ran.append(path.name)
        if path.name == "A":
            raise error

    monkeypatch.setattr(module, "import_dotted", lambda name: run)
    outcomes = execute([node("A"), node("B"), node("C", "A")], tmp_path)
    assert ran == ["A", "B"]
    assert [outcomes[name].status for name in "ABC"] == ["failed", "done", "not run"]
    assert outcomes["A"].reason.startswith(reason)
    # Told when it happens, and not only in the report, perhaps hours later.
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0] for line in said if ": " in line] == ["A", "C"]
    assert said[1].startswith(f"A: failed: {reason}")
    assert said.index("C: not run: A is " + said[1].removeprefix("A: ")) == len(said) - 1
    kept = tmp_path / "runs" / "A" / "traceback.txt"
    assert kept.is_file() == isinstance(error, ValueError)
    if kept.is_file():
        assert "batch of one" in kept.read_text()


def test_the_handler_of_sigterm_is_as_it_was(tmp_path):
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        mine = signal.getsignal(signal.SIGTERM)
        execute([], tmp_path, Processes(2))
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_worker_ends_with_its_parent_however_that_dies(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(WORKER)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
    for _ in range(200):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError("the worker lives on")
