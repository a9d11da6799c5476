"""A trial of a study: every run as it will be, but on a share of its images and of its epochs. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sightline.config import RunConfig


def on_trial(config: RunConfig, scale: float) -> RunConfig:
    """Return the configuration of a run at that scale; at 1 it is itself.

    Images are drawn by `data.share`. Epochs are rounded, to one at least; warm-ups and what else is counted in epochs
    shrink with them. Named pictures, which the share may not hold, are left out.
    """
    if scale == 1:
        return config
    return type(config).build(_scaled(config.to_dict(), scale))


def _scaled(block: Mapping[str, Any], scale: float) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in block.items():
        if isinstance(value, Mapping):
            values[key] = _scaled(value, scale)
        elif key in ("epochs", "every_epochs"):
            values[key] = max(1, round(value * scale))
        elif key.endswith("_epochs"):
            values[key] = value * scale
        elif key == "log_images":
            values[key] = []
        else:
            values[key] = value
    if "source" in values:
        values["share"] = (values.get("share") or 1.0) * scale
    return values
