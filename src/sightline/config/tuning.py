"""The configuration of a training at one of the learning rates that it may try."""

from __future__ import annotations

from typing import TypeVar

from sightline.config.classify import ClassifyConfig
from sightline.config.segment import SegmentConfig

Tunable = TypeVar("Tunable", bound=ClassifyConfig | SegmentConfig)


def at_rate(config: Tunable, rate: float) -> Tunable:
    """Return the configuration with that learning rate, and no other to try."""
    return config.model_copy(update={"optim": config.optim.model_copy(update={"lr": rate}), "tune": ()})
