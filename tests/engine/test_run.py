"""The life of a run: what comes before what, what its folder says at each end, and that what is done stays done."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from toy import Toy, ToyConfig

from sightline.engine import Extra, NoProgress, record, train
from sightline.engine.example import ExampleStep
from sightline.errors import DataError, OutOfMemory, RunError
from sightline.files.lock import locked
from sightline.runs import RunFolder, read_json
from sightline.runs.artifacts import LOCK
from sightline.runs.record import Record


@dataclass(frozen=True)
class Inputs:
    fingerprint: str = "a"


@dataclass(frozen=True)
class ToyResult(Record):
    bias: float


class Life:
    """A run of a toy that notes its stages; `broken` names the one that raises."""

    def __init__(self, out, broken: str = "", **keys) -> None:
        self.out, self.broken, self.stages, self.keys = out, broken, list[str](), {"precision": "32-true", **keys}

    def at(self, stage: str) -> None:
        self.stages.append(stage)
        if stage == self.broken:
            raise DataError(f"broken at {stage}")

    def inputs(self, config, say) -> Inputs:
        self.at("inputs")
        return Inputs()

    def example(self, config, inputs) -> ExampleStep:
        self.at("example")
        assert not self.out.exists(), "a folder is made only once there is something to be done in it"
        return ExampleStep({}, lambda device: lambda: torch.zeros(()))

    def build(self, context) -> Toy:
        self.at("task")
        assert context.run.status == "running"
        return Toy(epochs=1)

    def finish(self, context, task, seconds) -> None:
        self.at("finish")
        assert task.best.epoch == 0, "training is over"
        context.run.finish(ToyResult(bias=task.best.score), {"fit_seconds": seconds})

    def run(self, **options) -> RunFolder:
        config = ToyConfig(device="cpu", threads=1, **self.keys)
        return train(
            config, self.out, inputs=self.inputs, example=self.example, build_task=self.build, finish=self.finish,
            progress=NoProgress(), **options,
        )  # fmt: skip


def test_data_are_looked_at_before_the_precision_is_measured_and_a_folder_is_made(tmp_path):
    life = Life(tmp_path / "run")
    run = life.run()
    assert life.stages == ["inputs", "example", "task", "finish"]
    assert run.is_done
    assert run.result()["bias"] > 0
    assert run.config()["kind"] == "toy"


@pytest.mark.parametrize("stage", ["inputs", "example"])
def test_a_mistake_in_the_inputs_leaves_nothing_behind(tmp_path, stage):
    with pytest.raises(DataError, match=f"broken at {stage}"):
        Life(tmp_path / "run", broken=stage).run()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("stage", ["task", "finish"])
def test_a_later_one_is_written_into_the_folder_and_the_run_goes_on_from_there(tmp_path, stage):
    with pytest.raises(DataError):
        Life(tmp_path / "run", broken=stage).run()
    info = RunFolder.open(tmp_path / "run").info()
    assert (info.status, info.reason) == ("failed", f"DataError: broken at {stage}")
    with pytest.raises(RunError, match="add --resume"):
        Again(tmp_path / "run").run()
    assert Again(tmp_path / "run").run(resume=True).is_done


@pytest.fixture
def ctrl_c():
    """Ctrl-C as a terminal has it; a shell that starts tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("stage", ["task", "finish"])
def test_a_run_that_ctrl_c_ended_is_interrupted_and_goes_on(tmp_path, stage, ctrl_c):
    life = Life(tmp_path / "run")
    life.at = lambda name: signal.raise_signal(signal.SIGINT) if name == stage else None
    with pytest.raises(KeyboardInterrupt, match="--resume goes on with"):
        life.run()
    state, reason = RunFolder.open(tmp_path / "run").state
    assert (state, reason) == ("interrupted", "stopped by a signal; the same command with --resume goes on")
    assert Again(tmp_path / "run").run(resume=True).is_done


class Again(Life):
    """A life whose folder is there."""

    def example(self, config, inputs) -> ExampleStep:
        self.at("example")
        return ExampleStep({}, lambda device: lambda: torch.zeros(()))


def test_what_is_done_is_not_done_again(tmp_path):
    Life(tmp_path / "run").run()
    again = Again(tmp_path / "run")
    assert again.run(resume=True).is_done
    assert again.stages == ["inputs", "example"]


def test_a_run_of_other_inputs_is_another_run(tmp_path):
    Life(tmp_path / "run").run()
    again = Again(tmp_path / "run")
    again.inputs = lambda config, say: Inputs("b")
    with pytest.raises(RunError, match="have changed"):
        again.run(resume=True)


def test_a_run_that_trains_nothing_has_the_same_life(tmp_path):
    config = ToyConfig(device="cpu", precision="32-true")

    def work(context) -> None:
        calls.append(context.run.status)
        context.run.finish(ToyResult(bias=42), {})

    calls = list[str]()
    for _ in range(2):
        run = record(config, tmp_path / "run", Inputs(), work, resume=True, progress=NoProgress())
    assert calls == ["running"]
    assert run.result() == {"bias": 42}


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the high-water mark of Linux")
def test_a_run_keeps_the_most_memory_that_it_took_and_not_what_went_before(tmp_path):
    def work(context) -> None:
        sizes.append(np.ones(sizes.pop(), np.uint8).nbytes)
        context.run.finish(ToyResult(bias=1), {})

    marks, sizes = [], list[int]()
    for number, size in enumerate((300_000_000, 1_000)):
        sizes.append(size)
        config = ToyConfig(device="cpu", precision="32-true")
        run = record(config, tmp_path / str(number), Inputs(), work, progress=NoProgress())
        memory = run.info().memory
        assert memory is not None
        assert memory.host is not None
        assert memory.device is None
        marks.append(memory.host)
    assert marks[0] > 300_000_000
    assert marks[0] - marks[1] > 200_000_000


# -- the result first, then the extras
@dataclass(frozen=True)
class Score(Record):
    """result.json of a run that has an extra."""

    score: float
    masks: str | None


class Extras:
    """Extras of a run that note what was made; those named in `broken` raise."""

    def __init__(self, *broken: str) -> None:
        self.broken, self.made = broken, list[str]()

    def __call__(self, context) -> list[Extra]:
        assert context.run.is_done, "the result is there before any extra"
        return [Extra(name, lambda name=name: self.make(name)) for name in ("masks", "interventions")]

    def make(self, name: str):
        self.made.append(name)
        if name in self.broken:
            raise ValueError(f"no {name}\ntoday")
        return {name: f"{name}.json"}


def finished(out, extras) -> RunFolder:
    def work(context) -> None:
        context.run.finish(Score(float("nan"), None), {})

    config = ToyConfig(device="cpu", precision="32-true")
    return record(config, out, Inputs(), work, extras=extras, resume=True, progress=NoProgress())


def test_an_extra_that_fails_is_a_note_in_the_result_and_not_the_end_of_the_run(tmp_path):
    run = finished(tmp_path / "run", Extras("masks"))
    result = run.result()
    assert run.is_done
    assert (result["masks"], result["interventions"]) == (None, "interventions.json")
    assert result["notes"] == ["masks: ValueError: no masks today (details in notes/masks.txt)"]
    assert "Traceback" in (run.path / "notes" / "masks.txt").read_text()


def test_a_resumed_run_makes_the_extras_that_failed_and_no_others(tmp_path):
    finished(tmp_path / "run", Extras("masks"))
    again = Extras()
    run = finished(tmp_path / "run", again)
    assert again.made == ["masks"]
    assert run.result()["masks"] == "masks.json"
    assert "notes" not in run.result()
    assert not (run.path / "notes" / "masks.txt").exists()
    once_more = Extras()
    finished(tmp_path / "run", once_more)
    assert once_more.made == []


def test_extras_of_a_finished_run_are_made_under_its_lock(tmp_path):
    finished(tmp_path / "run", Extras("masks"))
    held = []

    def make():
        held.append((tmp_path / "run" / LOCK).exists())
        return {}

    finished(tmp_path / "run", lambda context: [Extra("masks", make)])
    assert held == [True]
    with locked(tmp_path / "run" / LOCK, "another"):
        finished(tmp_path / "run", Extras())  # nothing is missing: the run is read, and no lock is asked for


def test_a_run_that_was_cut_off_in_its_extras_makes_the_rest(tmp_path):
    class Cut(Extras):
        def make(self, name: str):
            if name == "interventions":
                raise KeyboardInterrupt
            return super().make(name)

    with pytest.raises(KeyboardInterrupt):
        finished(tmp_path / "run", Cut())
    assert RunFolder.open(tmp_path / "run").result()["masks"] == "masks.json"
    rest = Extras()
    finished(tmp_path / "run", rest)
    assert rest.made == ["interventions"]


def test_nan_is_null_in_every_json(tmp_path):
    run = finished(tmp_path / "run", Extras())
    run.append_metrics(step=1, epoch=0, values={"val/loss": float("nan"), "loss": float("inf")})
    assert read_json(run.path / "result.json")["score"] is None
    assert (run.path / "metrics.jsonl").read_text() == '{"step": 1, "epoch": 0, "val/loss": null, "loss": null}\n'
    assert torch.tensor(run.metrics()[0]["val/loss"]).isnan()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError(),
    ],
)
def test_memory_that_runs_out_is_said_with_what_takes_less(tmp_path, error):
    class Large(Life):
        def build(self, context):
            raise error

    life = Large(tmp_path / "run")
    with pytest.raises(OutOfMemory, match=r"out of memory.*smaller"):
        life.run()
    assert RunFolder.open(tmp_path / "run").status == "failed"


def test_other_errors_stay_what_they_are(tmp_path):
    class Broken(Life):
        def build(self, context):
            raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        Broken(tmp_path / "run").run()
