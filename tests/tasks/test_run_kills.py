"""A kill at any change of its folder leaves a run, or a study, that goes on to the result of an unbroken one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "killed_runs.py"


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", ["pretrain", "classify", "segment", "study"])
def test_a_kill_at_any_change_of_the_folder_is_taken_by_resume(kind, tmp_path):
    count = os.environ.get("SIGHTLINE_KILLS", "40")
    paths = os.pathsep.join([str(PROGRAM.parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path), count, "0", kind],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode in (0, 1), done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["kills"]
    assert not outcome["wrong"]
