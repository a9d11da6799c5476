"""The life of a run: what comes before what, what its folder says at each end, and that what is done stays done."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from toy import Toy, ToyConfig

from sightline.engine import NoProgress, record, train
from sightline.engine.example import ExampleStep
from sightline.errors import DataError, RunError
from sightline.runs import RunFolder
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
    assert run.result() == {"answer": 42}
