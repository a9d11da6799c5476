"""`precision: auto`: bf16 where it wins, found by measuring once on each machine and written in the run's log.

What is shorter than the measuring is not measured. The runs of a study share one precision, or a comparison of two arms
would be one of precisions too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from sightline.config import RunConfig
from sightline.devices import crowd, resolve_device
from sightline.engine.device import resolve_precision
from sightline.engine.example import PRECISIONS, ExampleStep, measure
from sightline.engine.memory import keep_freed_memory
from sightline.files import cache_home
from sightline.files.atomic import write_json
from sightline.runs import RunFolder
from sightline.runs.provenance import hardware

MARGIN = 0.9  # bf16 must save a tenth: less is within the noise of two measurements, and 32 bits are the exact ones

EXACT = "32-true"

C = TypeVar("C", bound=RunConfig)


@dataclass(frozen=True)
class Verdict:
    """Which precision a run takes, and why.

    Attributes:
        chosen: 32-true or bf16-mixed.
        reason: in words.
        seconds: of one step, or of all steps of a study, by precision; empty where nothing was measured.
    """

    chosen: str
    reason: str
    seconds: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"chosen": self.chosen, "reason": self.reason, "seconds": dict(self.seconds)}


def settle_precision(config: C, out: Path, example: ExampleStep, say: Callable[[str], object]) -> tuple[C, Verdict]:
    """Return `config` with its precision settled, and the verdict; what was asked for by name stays.

    A run that is in `out` already keeps the precision that it began with, so that it goes on bit for bit. Else the
    verdict of this machine, torch, backbone and sizes is taken from the cache, or measured and kept there.

    Args:
        config: of the run.
        out: the run folder.
        example: what to measure.
        say: told the verdict.
    """
    if not config.threads and resolve_device(config.device) == "cpu" and (load := crowd()):
        say(f"! this machine is busy ({load}) and torch's threads wait for each other: --set threads=1 is often faster")
    if config.precision != "auto":
        return config, Verdict(config.precision, "asked for")
    begun = _begun(out)
    if begun is not None:
        verdict = Verdict(begun, "the run began with it")
    elif config.devices > 1:
        # Processes that measure each for themselves could come to different ends.
        accelerator = resolve_device(config.device)
        verdict = Verdict(resolve_precision("auto", accelerator), "several processes: by what the hardware multiplies")
    elif not example.worth_timing:
        verdict = Verdict(EXACT, "the run is shorter than measuring would be")
    else:
        verdict = _known_or_measured(config, example, say)
    say(f"precision: {verdict.chosen} ({verdict.reason})")
    return config.model_copy(update={"precision": verdict.chosen}), verdict


def _begun(out: Path) -> str | None:
    """Return the precision of the run in `out`, None where there is none or it names none."""
    run = RunFolder(out)
    if not run.exists:
        return None
    precision = run.config().get("precision")
    return precision if precision in PRECISIONS else None


def shared_precision(examples: Sequence[tuple[RunConfig, ExampleStep]]) -> Verdict:
    """Return the precision for runs that are compared with each other: the one in which all together take less time.

    Args:
        examples: of each run its configuration and its step, with its number of steps; what is shorter than the
            measuring, all runs of the same step together, is left out.
    """
    alike: dict[str, tuple[RunConfig, ExampleStep]] = {}
    for config, example in examples:
        if set(example.precisions) == set(PRECISIONS):
            key = json.dumps([dict(example.facts), config.device, config.threads], sort_keys=True)
            steps = example.steps + (alike[key][1].steps if key in alike else 0)
            alike[key] = config, replace(example, steps=steps)
    if any(config.devices > 1 for config, _ in examples):
        config = next(config for config, _ in examples if config.devices > 1)
        chosen = resolve_precision("auto", resolve_device(config.device))
        return Verdict(chosen, "several processes: by what the hardware multiplies")
    seconds = dict.fromkeys(PRECISIONS, 0.0)
    for config, example in alike.values():
        if example.worth_timing:
            of_step = _known_or_measured(config, example).seconds
            seconds = {precision: total + example.steps * of_step[precision] for precision, total in seconds.items()}
    if not any(seconds.values()):
        return Verdict(EXACT, "the runs are shorter than measuring would be")
    single, half = (seconds[precision] for precision in PRECISIONS)
    reason = f"measured here: about {half:.3g} s in bf16 for all runs, {single:.3g} s in 32 bits"
    return Verdict(_faster(seconds), reason, seconds)


def step_seconds(config: RunConfig, example: ExampleStep) -> float:
    """Return seconds of the step in the precision that a run of `config` would take, known or measured."""
    if config.precision == "auto" and config.devices == 1:
        verdict = _known_or_measured(config, example)
        return verdict.seconds[verdict.chosen]
    precision = resolve_precision(config.precision, resolve_device(config.device))
    return _measured(config, example, (precision,))[precision]


def _known_or_measured(config: RunConfig, example: ExampleStep, say: Callable[[str], object] | None = None) -> Verdict:
    device = torch.device(resolve_device(config.device))
    if config.threads:
        torch.set_num_threads(config.threads)
    facts = {**example.facts, **_machine(device)}
    digest = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=12).hexdigest()
    path = cache_home() / "precision" / f"{digest}.json"
    if (known := _known(path, facts, example.precisions)) is not None:
        return _verdict(known)
    if say is not None and len(example.precisions) > 1:
        say("precision: timing a step in 32 bits and in bf16, once on this machine; some seconds")
    seconds = _measured(config, example, example.precisions)
    if not crowd():  # a step among other programs says nothing about the next run
        write_json(path, {"facts": facts, "seconds": seconds})
    return _verdict(seconds)


def _known(path: Path, facts: Mapping[str, Any], precisions: Sequence[str]) -> dict[str, float] | None:
    """Return what was measured before; None where nothing was, or where the file is damaged: it is measured again."""
    try:
        content = json.loads(path.read_bytes())
        seconds = {precision: float(content["seconds"][precision]) for precision in precisions}
        return seconds if content["facts"] == json.loads(json.dumps(facts)) and min(seconds.values()) > 0 else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _measured(config: RunConfig, example: ExampleStep, precisions: Sequence[str]) -> dict[str, float]:
    """Measure as in the run that is to come: with its threads and its allocator."""
    device = torch.device(resolve_device(config.device))
    if config.threads:
        torch.set_num_threads(config.threads)
    if device.type == "cpu":
        keep_freed_memory()
    return measure(example, device, precisions)


def _verdict(seconds: Mapping[str, float]) -> Verdict:
    if len(seconds) == 1:
        return Verdict(next(iter(seconds)), "its step knows no other", seconds)
    single, half = (seconds[precision] for precision in PRECISIONS)
    return Verdict(_faster(seconds), f"measured here: {half:.3g} s a step in bf16, {single:.3g} s in 32 bits", seconds)


def _faster(seconds: Mapping[str, float]) -> str:
    single, half = (seconds[precision] for precision in PRECISIONS)
    return "bf16-mixed" if half < MARGIN * single else EXACT


def _machine(device: torch.device) -> dict[str, Any]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else hardware()["processor"]
    return {"device": device.type, "processor": name, "torch": torch.__version__, "threads": torch.get_num_threads()}
