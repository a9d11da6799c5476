"""The devices of this machine, and the choice of one."""

from __future__ import annotations

import os

import torch

from sightline.errors import ConfigError
from sightline.processes import core_count

CROWDED = 3  # times as many processes that want to run as there are cores: less passes, and does little harm


def resolve_device(device: str) -> str:
    """Return "cuda", "mps" or "cpu" for "auto", else the device asked for, if torch sees it.

    Raises:
        ConfigError: no such device, or none of that kind here.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name, available in present.items() if available)
    if device not in present:
        raise ConfigError(f"device = {device!r}: expected auto, cpu, cuda or mps")
    if not present[device]:
        raise ConfigError(f"device = {device!r}: torch sees no such device here; use device=cpu or auto")
    return device


def crowd() -> str:
    """Return "load 14 on 2 cores" where other programs keep this machine's cores from torch's threads, else "".

    Threads that share a loop wait for the one that has no core, and by spinning keep it from having one: of a small
    network a step on two threads took eighty times that on one (docs/log.md).
    """
    cores = core_count()
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows; a system that does not tell
        return ""
    crowded = torch.get_num_threads() > 1 and load > CROWDED * cores
    return f"load {load:.0f} on {cores} core{'s' if cores > 1 else ''}" if crowded else ""
