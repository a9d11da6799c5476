"""Sizes that cannot be trained, refused before a run folder is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sightline.errors import ConfigError, DataError

USES = {"train": "to learn from", "val": "to choose the epoch by", "test": "to judge by, once"}
WAYS_OUT = {
    "train": "lower data.split.val or data.split.test",
    "val": "raise data.split.val",
    "test": "raise data.split.test",
}


class Batches(Protocol):
    """The part of a configuration that says how batches are made."""

    batch_size: int
    devices: int


def check_sizes(config: Batches, parts: Mapping[str, int], source: str) -> None:
    """Refuse parts and batches of which no step, no choice of an epoch or no result could come.

    Any other sizes train: a last batch may have one image (see `Loader`).

    Args:
        config: its batch_size is of all processes together.
        parts: images of train, val and test.
        source: of the data, for the message.

    Raises:
        ConfigError: a batch smaller than the number of processes.
        DataError: a part without an image, or fewer to train on than processes.
    """
    if config.batch_size < config.devices:
        raise ConfigError(
            f"batch_size = {config.batch_size}: each of {config.devices} processes needs an image of every batch; "
            f"give at least {config.devices}, or fewer devices"
        )
    for name, count in parts.items():
        if not count:
            raise DataError(f"{source}: the {name} part has no image {USES[name]}; add images, or {WAYS_OUT[name]}")
    if parts["train"] < config.devices:
        raise DataError(
            f"{source}: {parts['train']} images to train on, and each of {config.devices} processes needs one; "
            "add images, or give fewer devices"
        )
