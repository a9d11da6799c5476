"""The devices of this machine, and the choice of one."""

from __future__ import annotations

import torch

from sightline.errors import ConfigError


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
