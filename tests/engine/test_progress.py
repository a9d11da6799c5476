"""Progress is shown from the first step, with unit, speed and time left; Ctrl-C is answered at once."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from sightline.engine.progress import LineProgress
from sightline.engine.signals import StopRequest
from sightline.study.pace import Pace


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_step_has_a_line_and_later_ones_are_rare():
    lines, clock = list[str](), Clock()
    progress = LineProgress(lines.append, clock)
    progress.start("dino", 100, 0, "runs/dino", images=64)
    for step in range(1, 101):
        clock.now += 1.0
        progress.advance(step, "epoch 1 of 1")
    assert lines[0] == "dino: 100 steps of 64 images → runs/dino\n"
    assert lines[1] == "dino: step 1 of 100, 64 images/s, 1:39 left  epoch 1 of 1\n"
    assert lines[-1] == "dino: step 100 of 100, 64 images/s  epoch 1 of 1\n"
    assert 5 <= len(lines) <= 10


def test_a_resumed_run_counts_its_speed_from_where_it_goes_on():
    lines, clock = list[str](), Clock()
    progress = LineProgress(lines.append, clock)
    progress.start("embed", 10, 8, "out", unit="image", images=1)
    clock.now = 0.5
    progress.advance(9, "")
    assert lines == [
        "embed: 10 images, going on at image 8 → out\n",
        "embed: image 9 of 10, 2.0 images/s, 0:00 left\n",
    ]


def test_a_signal_is_answered_at_once_and_a_second_one_aborts(capsys):
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.asked
        assert "stopping after this step; again to abort" in capsys.readouterr().err
        with pytest.raises(KeyboardInterrupt, match="--resume"):
            signal.raise_signal(signal.SIGINT)


def test_a_study_tells_which_run_it_is_and_how_long_the_rest_takes():
    class Run:
        def __init__(self, name: str, kind: str = "classify") -> None:
            self.name, self.kind = name, kind

    runs, lines, clock = [Run("pretrain", "pretrain"), Run("A-0"), Run("A-1"), Run("A-2")], list[str](), Clock()
    pace = Pace(runs, say=lines.append, clock=clock)  # pyright: ignore[reportArgumentType]
    for run in runs:
        pace.announce(run)  # pyright: ignore[reportArgumentType]
        clock.now += 30
        pace.finished(run)  # pyright: ignore[reportArgumentType]
    assert lines == [
        "run 1 of 4 · pretrain",
        "run 2 of 4 · A-0",
        "run 3 of 4 · A-1 · about 1 min 00 s left",
        "run 4 of 4 · A-2 · about 30 s left",
    ]


def test_a_training_goes_on_where_nobody_listens_any_more():
    """As behind `| head`, or `| tee` that was killed."""
    code = (
        "import os, sys; reader, writer = os.pipe(); os.dup2(writer, 2); os.close(writer); os.close(reader)\n"
        "from sightline.engine.progress import LineProgress\n"
        "progress = LineProgress(); progress.start('run', 9, 0, 'out')\n"
        "for step in range(1, 10): progress.advance(step, ''); progress.say('a line')\n"
        "print('others too', file=sys.stderr, flush=True); print('done')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
