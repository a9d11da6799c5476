"""`precision: auto` is measured once, kept, told, and stays what it was for a run that goes on."""

from __future__ import annotations

import dataclasses
import json
import time

import pytest
import torch

from sightline import devices, recipes
from sightline.config import PretrainConfig, RunConfig, resolve
from sightline.engine import NoProgress, precision
from sightline.engine.example import ExampleStep, example_batch
from sightline.engine.precision import settle_precision, step_seconds
from sightline.runs import RunFolder, read_json
from sightline.tasks.pretrain import pretrain


class Slow:
    """A probe that takes the time it is told, and counts how often it is built."""

    def __init__(self, single: float, half: float) -> None:
        self.single, self.half, self.built, self.backwards = single, half, 0, 0

    def probe(self, **facts) -> ExampleStep:
        return ExampleStep(facts, self.build)

    def build(self, device: torch.device):
        self.built += 1
        weight = torch.ones((), requires_grad=True)
        weight.register_hook(lambda gradient: setattr(self, "backwards", self.backwards + 1))

        def step():
            time.sleep(self.half if torch.is_autocast_enabled("cpu") else self.single)
            return weight * 1.0

        return step


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(precision, "crowd", lambda: "")  # whatever else runs beside these tests


def settle(slow: Slow, out, said=None, **facts):
    say = (lambda text: said.append(text)) if said is not None else (lambda _: None)
    return settle_precision(RunConfig(device="cpu"), out, slow.probe(**facts), say)


@pytest.mark.parametrize(("half", "chosen"), [(0.005, "bf16-mixed"), (0.06, "32-true")])
def test_bf16_is_taken_only_where_it_wins(tmp_path, half, chosen):
    slow, said = Slow(0.02, half), []
    config, verdict = settle(slow, tmp_path / "run", said)
    assert config.precision == verdict.chosen == chosen
    assert said == [
        "precision: timing a step in 32 bits and in bf16, once on this machine; some seconds",
        f"precision: {chosen} ({verdict.reason})",
    ]
    assert "measured here" in verdict.reason
    assert slow.backwards == 8  # each precision: one warm-up, three that count


def test_what_saves_less_than_a_tenth_is_no_win(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "measure", lambda example, device, precisions: {"32-true": 1.0, "bf16-mixed": 0.95})
    assert settle(Slow(0, 0), tmp_path / "run")[0].precision == "32-true"


def test_it_is_measured_once_for_the_same_facts(tmp_path):
    first, second, other = Slow(0.02, 0.002), Slow(0.002, 0.02), Slow(0.002, 0.02)
    assert settle(first, tmp_path / "a", side=64)[0].precision == "bf16-mixed"
    assert settle(second, tmp_path / "b", side=64)[0].precision == "bf16-mixed"
    assert second.built == 0
    assert settle(other, tmp_path / "c", side=32)[0].precision == "32-true"
    kept = [json.loads(path.read_text()) for path in (tmp_path / "cache" / "precision").glob("*.json")]
    assert {entry["facts"]["side"] for entry in kept} == {32, 64}
    assert all(entry["facts"]["torch"] == torch.__version__ for entry in kept)


def test_on_a_busy_machine_it_says_so_and_does_not_keep_what_it_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "crowd", lambda: "load 14 on 2 cores")
    said: list[str] = []
    slow = Slow(0.02, 0.005)
    for name in ("a", "b"):
        settle(slow, tmp_path / name, said)
    assert slow.built == 2, "measured again"
    assert said[0].startswith("! this machine is busy (load 14 on 2 cores)")
    assert "threads=1" in said[0]


@pytest.mark.parametrize(("load", "threads", "crowded"), [(14.2, 2, True), (5.0, 2, False), (14.2, 1, False)])
def test_a_machine_is_crowded_where_threads_would_wait(monkeypatch, load, threads, crowded):
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert devices.crowd() == ("load 14 on 2 cores" if crowded else "")


def test_an_estimate_takes_the_time_of_the_precision_that_a_run_would_take(tmp_path):
    slow = Slow(0.02, 0.002)
    assert step_seconds(RunConfig(device="cpu"), slow.probe()) < 0.02
    assert step_seconds(RunConfig(device="cpu", precision="32-true"), slow.probe()) >= 0.02
    assert settle(Slow(0, 0), tmp_path / "run")[0].precision == "bf16-mixed", "the run then measures no more"


def test_a_step_of_one_precision_is_not_asked_for_another():
    slow = Slow(0.002, 0.02)
    example = ExampleStep({}, slow.build, precisions=("32-true",), rounds=0)
    assert 0.002 <= step_seconds(RunConfig(device="cpu"), example) < 0.02
    assert (slow.built, slow.backwards) == (1, 1)


def test_what_is_asked_for_is_not_measured(tmp_path):
    slow = Slow(0, 0)
    config, verdict = settle_precision(RunConfig(precision="32-true"), tmp_path, slow.probe(), lambda _: None)
    assert (config.precision, verdict.reason, slow.built) == ("32-true", "asked for", 0)


def test_several_processes_do_not_measure(tmp_path):
    slow = Slow(0, 0)
    config, verdict = settle_precision(RunConfig(device="cpu", devices=2), tmp_path, slow.probe(), lambda _: None)
    assert config.precision in ("32-true", "bf16-mixed")
    assert "several processes" in verdict.reason
    assert slow.built == 0


@pytest.mark.parametrize("began", ["32-true", "bf16-mixed"])
def test_a_run_that_is_there_keeps_its_precision(tmp_path, began):
    out = tmp_path / "run"
    RunFolder.create(out, RunConfig(precision=began), kind="pretrain", fingerprint="")
    slow = Slow(0, 0)
    config, verdict = settle(slow, out)
    assert (config.precision, verdict.reason, slow.built) == (began, "the run began with it", 0)


def test_torch_s_generator_is_left_alone(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)

    def build(device):
        return lambda: torch.rand(1).sum()

    settle_precision(RunConfig(device="cpu"), tmp_path, ExampleStep({}, build), lambda _: None)
    assert torch.equal(torch.rand(1), expected)


def test_a_batch_is_measured_whole_where_that_is_quick():
    assert example_batch(2 * 64**2 + 6 * 32**2, 64) == 64
    assert example_batch(2 * 224**2 + 6 * 96**2, 128) == 6
    assert example_batch(10_000_000, 128) == 2


def test_a_real_run_says_which_and_goes_on_with_it(class_folder, tmp_path):
    keys = {
        "backbone": "timm/test_resnet", "epochs": 3, "batch_size": 12, "device": "cpu",
        "views": {"local_crops": 1}, "method": {"prototypes": 16, "hidden": 16, "bottleneck": 8},
    }  # fmt: skip
    config = resolve(
        PretrainConfig,
        recipe=recipes.layer("dino-demo"),
        file={"data": {"source": str(class_folder)}},
        flags=keys,
    )
    run = pretrain(config, tmp_path / "run", progress=NoProgress())
    chosen = run.config()["precision"]
    assert chosen in ("32-true", "bf16-mixed")
    recorded = read_json(run.path / "run.json")["precision"]
    assert recorded["chosen"] == chosen
    assert set(recorded["seconds"]) == {"32-true", "bf16-mixed"}
    again = pretrain(config, tmp_path / "run", resume=True, progress=NoProgress())
    assert again.is_done


def test_what_is_shorter_than_the_measuring_is_not_measured(tmp_path):
    slow = Slow(0.02, 0.002)
    example = dataclasses.replace(slow.probe(), steps=8)
    config, verdict = settle_precision(RunConfig(device="cpu"), tmp_path / "run", example, lambda _: None)
    assert (config.precision, verdict.seconds, slow.built) == ("32-true", {}, 0)
    assert "shorter than measuring" in verdict.reason


@pytest.mark.parametrize(("steps", "chosen"), [((100, 1), "bf16-mixed"), ((9, 100), "32-true"), ((4, 4), "32-true")])
def test_runs_of_a_study_share_the_precision_that_saves_most_of_all(monkeypatch, steps, chosen):
    times = {"a": {"32-true": 2.0, "bf16-mixed": 1.0}, "b": {"32-true": 1.0, "bf16-mixed": 2.0}}
    timed = []

    def measure(example, device, precisions):
        timed.append(example.facts["name"])
        return times[example.facts["name"]]

    monkeypatch.setattr(precision, "measure", measure)
    config = RunConfig(device="cpu")
    probes = {name: Slow(0, 0).probe(name=name) for name in "ab"}
    examples = [(config, dataclasses.replace(probes[n], steps=s)) for n, s in zip("ab", steps, strict=True)]
    verdict = precision.shared_precision(examples)
    assert verdict.chosen == chosen
    assert timed == [name for name, number in zip("ab", steps, strict=True) if number > 8]
    if timed:
        assert verdict.seconds["bf16-mixed"] == sum(
            times[name]["bf16-mixed"] * number for name, number in zip("ab", steps, strict=True) if number > 8
        )
