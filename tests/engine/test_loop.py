"""Every property of the training loop, on a toy: order, records, checkpoints, resuming, signals, what is not finite."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from toy import EPOCHS, STEPS, Toy, content, run_toy

from sightline.engine import Interrupted, NoProgress
from sightline.engine import loop as loop_module
from sightline.errors import NonFinite
from sightline.runs import RunFolder

TOTAL = EPOCHS * STEPS


class Fault(Exception):
    """What a test raises in the middle of a run."""


def raise_at(number: int):
    def hook(step: int) -> None:
        if step == number:
            raise Fault

    return hook


def send_at(number: int, what: signal.Signals):
    def hook(step: int) -> None:
        if step == number:
            os.kill(os.getpid(), what)

    return hook


def saved_step(out: Path) -> int:
    return json.loads((out / "checkpoints" / "last" / "manifest.json").read_text())["step"]


# -- order and records
def test_an_epoch_is_its_steps_and_then_its_evaluation(tmp_path):
    task = run_toy(tmp_path / "run", Toy(epochs=2, steps=2))
    epochs = [[f"batch {e}.0", f"step {2 * e}", f"batch {e}.1", f"step {2 * e + 1}", f"evaluate {e}"] for e in range(2)]
    assert task.calls == epochs[0] + epochs[1]
    assert task.closed == 2, "the loop ends the threads of each epoch's batches"


def test_it_learns(tmp_path):
    run_toy(tmp_path / "run", Toy(epochs=30))
    losses = [line["loss"] for line in RunFolder.open(tmp_path / "run").metrics() if "loss" in line]
    assert losses[-1] < 0.5 * losses[0]


def test_records_hold_means_since_the_last_one_and_the_last_step_is_always_recorded(tmp_path):
    run_toy(tmp_path / "often", log_every=1)
    run_toy(tmp_path / "rarely", log_every=5)
    each, some = (
        [line for line in RunFolder.open(tmp_path / name).metrics() if "loss" in line] for name in ("often", "rarely")
    )
    assert [line["step"] for line in each] == list(range(1, TOTAL + 1))
    assert [line["step"] for line in some] == [5, 10, 12]
    assert some[0]["loss"] == pytest.approx(sum(line["loss"] for line in each[:5]) / 5)
    assert some[-1]["loss"] == pytest.approx(sum(line["loss"] for line in each[10:]) / 2)
    assert all(line["twice"] == pytest.approx(2 * line["loss"]) and line["lr"] == 0.1 for line in each)


def test_evaluations_are_recorded_at_the_end_of_their_epoch_and_remarks_told(tmp_path):
    told = list[str]()

    class Listener(NoProgress):
        def say(self, text: str) -> None:
            told.append(text)

    run_toy(tmp_path / "run", progress=Listener())
    run = RunFolder.open(tmp_path / "run")
    values = [(line["step"], line["epoch"]) for line in run.metrics() if "val/bias" in line]
    assert values == [(STEPS * (epoch + 1), epoch) for epoch in range(EPOCHS)]
    assert len([text for text in told if text.startswith("  ! epoch 1: bias")]) == 1


def test_accumulated_batches_are_one_step(tmp_path):
    task = run_toy(tmp_path / "run", Toy(epochs=1, steps=2, accumulate=3))
    assert task.calls == [
        "batch 0.0", "batch 0.1", "batch 0.2", "step 0", "batch 0.3", "batch 0.4", "batch 0.5", "step 1", "evaluate 0",
    ]  # fmt: skip
    (line,) = [line for line in RunFolder.open(tmp_path / "run").metrics() if "loss" in line]
    assert line["step"] == 2


def test_the_parts_of_a_step_are_marked_in_order(tmp_path):
    marks = list[str]()
    run_toy(tmp_path / "run", Toy(epochs=1, steps=2, accumulate=2), mark=marks.append)
    step = ["loop", *["data", "forward", "backward"] * 2, "optimizer"]
    assert marks == [*step, *step, "evaluation"]


# -- checkpoints
@pytest.mark.parametrize(("minutes", "steps"), [(0.0, [*range(1, TOTAL + 1), TOTAL]), (60.0, [TOTAL])])
def test_checkpoints_are_written_when_due_and_at_the_end(tmp_path, monkeypatch, minutes, steps):
    written = list[int]()
    save = loop_module.checkpoint.save
    monkeypatch.setattr(loop_module.checkpoint, "save", lambda *args: (written.append(args[-1]), save(*args))[1])
    run_toy(tmp_path / "run", checkpoint_minutes=minutes)
    assert written == steps


def test_a_checkpoint_at_the_end_of_an_epoch_holds_its_evaluation(tmp_path):
    with pytest.raises(Fault):
        run_toy(tmp_path / "run", hook=raise_at(STEPS), checkpoint_minutes=0.0)
    assert saved_step(tmp_path / "run") == STEPS
    manifest = json.loads((tmp_path / "run" / "checkpoints" / "last" / "manifest.json").read_text())
    assert manifest["state"]["task"]["best_epoch"] == 0


# -- resuming
def test_seconds_before_an_interruption_count(tmp_path):
    with pytest.raises(Fault):
        run_toy(tmp_path / "run", hook=raise_at(2), checkpoint_minutes=0.0)
    run = RunFolder.open(tmp_path / "run")
    assert 0 < run.info().fit_seconds < 1000
    run.keep_seconds(1000.0)
    run_toy(tmp_path / "run")
    assert 1000 < run.info().fit_seconds < 2000


@pytest.mark.parametrize("log_every", [1, 5])
@pytest.mark.parametrize("step", range(TOTAL))
def test_a_run_that_broke_at_any_step_and_went_on_is_the_same_run(tmp_path, step, log_every):
    keys = {"checkpoint_minutes": 0.0, "log_every": log_every}
    run_toy(tmp_path / "whole", **keys)
    with pytest.raises(Fault):
        run_toy(tmp_path / "broken", hook=raise_at(step), **keys)
    task = run_toy(tmp_path / "broken", **keys)
    assert task.calls[0] == f"batch {step // STEPS}.{step % STEPS}", "no step is made twice, none left out"
    assert content(tmp_path / "broken") == content(tmp_path / "whole")


def test_an_old_checkpoint_is_enough(tmp_path):
    run_toy(tmp_path / "whole")
    with pytest.raises(Fault):  # the first checkpoint only: later steps and their records are made again
        run_toy(tmp_path / "broken", hook=raise_at(2), checkpoint_minutes=0.0)
    with pytest.raises(Fault):
        run_toy(tmp_path / "broken", hook=raise_at(9), checkpoint_minutes=60.0)
    assert saved_step(tmp_path / "broken") == 2
    run_toy(tmp_path / "broken", checkpoint_minutes=60.0)
    assert content(tmp_path / "broken") == content(tmp_path / "whole")


def test_a_finished_run_makes_no_step(tmp_path):
    run_toy(tmp_path / "run")
    before = content(tmp_path / "run")
    assert run_toy(tmp_path / "run").calls == []
    assert content(tmp_path / "run") == before


KILLED = """
import os, signal, sys
from pathlib import Path
from toy import run_toy

def kill(step):
    if step == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

run_toy(Path(sys.argv[1]), hook=kill, checkpoint_minutes=0.0)
"""


def test_a_real_kill_leaves_a_run_that_goes_on(tmp_path):
    run_toy(tmp_path / "whole", checkpoint_minutes=0.0)
    arguments = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), "6"]
    died = subprocess.run(arguments, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert saved_step(tmp_path / "killed") == 6
    assert run_toy(tmp_path / "killed", checkpoint_minutes=0.0).calls[0] == "batch 1.2"
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


# -- signals
@pytest.mark.parametrize("what", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [1, STEPS - 1], ids=["in an epoch", "at its last step"])
def test_a_signal_ends_the_step_and_leaves_a_checkpoint(tmp_path, what, step):
    run_toy(tmp_path / "whole")
    with pytest.raises(Interrupted, match="--resume goes on from"):
        run_toy(tmp_path / "run", hook=send_at(step, what))
    assert saved_step(tmp_path / "run") == step + 1
    run_toy(tmp_path / "run")
    assert content(tmp_path / "run") == content(tmp_path / "whole")


# -- what is not finite
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_the_run_with_its_step_named(tmp_path, value):
    task = Toy()
    task.poison[6] = value
    with pytest.raises(NonFinite, match=r"not finite at step 6; lower the learning rate.*checkpoint of before is kept"):
        run_toy(tmp_path / "run", task, checkpoint_minutes=0.0)
    assert saved_step(tmp_path / "run") == 6, "the checkpoint of before is kept"


def test_it_is_found_at_the_next_record_where_no_checkpoint_is_due(tmp_path):
    task = Toy(epochs=1, steps=10)
    task.poison[1] = float("nan")
    with pytest.raises(NonFinite, match="step 1") as caught:
        run_toy(tmp_path / "run", task, log_every=5)
    assert "checkpoint" not in str(caught.value), "there is none"
    assert task.calls[-1] == "step 4"
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_gradient_that_is_not_finite_ends_the_run_though_its_loss_is(tmp_path):
    task = Toy()
    task.clip = 1.0
    weight = task.model[1].weight
    weight.register_hook(lambda gradient: gradient * float("inf") if task.calls.count("step 4") else gradient)
    with pytest.raises(NonFinite, match="the loss or its gradient is not finite at step 5"):
        run_toy(tmp_path / "run", task, checkpoint_minutes=0.0)
    assert saved_step(tmp_path / "run") == 5


# -- randomness
def test_torch_s_draws_belong_to_the_step_not_to_what_ran_before(tmp_path):
    drawn = dict[int, float]()
    torch.manual_seed(1)
    run_toy(tmp_path / "a", hook=lambda step: drawn.update({step: torch.rand(()).item()}))
    first = dict(drawn)
    torch.manual_seed(2)
    run_toy(tmp_path / "b", hook=lambda step: drawn.update({step: torch.rand(()).item()}))
    assert first == drawn
    assert len(set(first.values())) == TOTAL
