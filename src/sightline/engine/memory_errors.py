"""Memory that ran out while training: said in words, with what takes less."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from sightline.config import RunConfig
from sightline.errors import OutOfMemory

# How torch's allocators of CPU and MPS say it, in a plain RuntimeError.
WORDS = ("can't allocate memory", "not enough memory", "out of memory")


@contextmanager
def memory_advice(config: RunConfig) -> Iterator[None]:
    """Turn an error of memory into one that says what takes less.

    Raises:
        OutOfMemory: memory ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_memory(error):
            raise
        batch = getattr(config, "batch_size", None)
        now = f" at batch_size = {batch}" if batch else ""
        smaller = (
            f"--set batch_size={max(1, batch // 2)}" if batch and batch > 1 else "smaller images or a smaller network"
        )
        raise OutOfMemory(
            f"out of memory{now}: {str(error).splitlines()[0] if str(error) else type(error).__name__}. "
            f"Give {smaller} and another --out; smaller crops and --set precision=bf16-mixed take less too"
        ) from error


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(word in str(error).lower() for word in WORDS)
