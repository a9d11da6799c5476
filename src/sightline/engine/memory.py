"""How the C library hands out memory: a training step asks for the same large blocks again and again."""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt, in glibc's malloc.h
_LARGEST_MMAP_THRESHOLD = 32 << 20  # glibc refuses more
_NEVER = (1 << 31) - 1


def keep_freed_memory() -> bool:
    """Let glibc keep freed blocks of up to 32 MB for the next step, and return whether it does.

    By default it gives each back to the system, which hands it out again page by page, filled with zeros: 33,000 page
    faults in one step of ResNet-18 at batch 64, 6 % of its time (docs/log.md). The process keeps its peak of memory.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD) and mallopt(_TRIM_THRESHOLD, _NEVER))
