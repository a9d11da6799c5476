"""Which process of a training this is, by what torchrun, SLURM and Sightline itself set; its cores and its streams."""

from __future__ import annotations

import os
from typing import IO

from sightline.errors import ConfigError


def core_count() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def process_rank() -> int:
    """Return the number of this process among all of the training, from 0; 0 where there is one."""
    for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"):
        if name in os.environ:
            return int(os.environ[name])
    return 0


def is_first_process() -> bool:
    """Return whether this is the only or the first process: the one that speaks, and writes files."""
    return process_rank() == 0


def process_count(asked: int) -> int:
    """Return how many processes train together: as many as torchrun started, else as many as `asked` for.

    Raises:
        ConfigError: both are told, and they differ.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return asked
    started = int(os.environ["WORLD_SIZE"])
    if asked not in (1, started):
        raise ConfigError(
            f"devices = {asked}: torchrun started {started} processes; leave devices out, or start {asked}"
        )
    return started


def machine_count() -> int:
    """Return on how many machines torchrun started this training; 1 without it."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return 1
    return int(os.environ["WORLD_SIZE"]) // int(os.environ["LOCAL_WORLD_SIZE"])


def silence(stream: IO[str]) -> None:
    """Let what is written from now on to a stream whose reader has gone be heard by nobody, and be no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
