"""`precision: auto`: bf16 where it wins, found by measuring once on each machine and written in the run's log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch

from sightline.config import RunConfig
from sightline.devices import resolve_device
from sightline.engine.device import resolve_precision
from sightline.engine.example import PRECISIONS, ExampleStep, measure
from sightline.engine.memory import keep_freed_memory
from sightline.files import cache_home
from sightline.files.atomic import write_json
from sightline.runs import RunFolder
from sightline.runs.provenance import hardware

MARGIN = 0.9  # bf16 must save a tenth: less is within the noise of two measurements, and 32 bits are the exact ones

C = TypeVar("C", bound=RunConfig)


@dataclass(frozen=True)
class Verdict:
    """Which precision a run takes, and why.

    Attributes:
        chosen: 32-true or bf16-mixed.
        reason: in words.
        seconds: of one step, by precision; empty where nothing was measured.
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
    if config.precision != "auto":
        return config, Verdict(config.precision, "asked for")
    begun = _begun(out)
    if begun is not None:
        verdict = Verdict(begun, "the run began with it")
    elif config.devices > 1:
        # Processes that measure each for themselves could come to different ends.
        accelerator = resolve_device(config.device)
        verdict = Verdict(resolve_precision("auto", accelerator), "several processes: by what the hardware multiplies")
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
    chosen = "bf16-mixed" if half < MARGIN * single else "32-true"
    return Verdict(chosen, f"measured here: {half:.3g} s a step in bf16, {single:.3g} s in 32 bits", seconds)


def _machine(device: torch.device) -> dict[str, Any]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else hardware()["processor"]
    return {"device": device.type, "name": name, "torch": torch.__version__, "threads": torch.get_num_threads()}
