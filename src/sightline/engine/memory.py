"""How the C library hands out memory: a training step asks for the same large blocks again and again."""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt, in glibc's malloc.h
_NEVER = (1 << 31) - 1


def keep_freed_memory() -> bool:
    """Let glibc keep freed blocks of any size for the next step, and return whether it does.

    By default it gives large ones back to the system, which hands them out again page by page, filled with zeros. A
    ResNet-50 on photographs of 224 px lost a quarter of its step to that, U-Net's evaluation half (docs/log.md). The
    process keeps its peak of memory.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _NEVER))


def release_freed_memory() -> None:
    """Give freed blocks back to the system once, before a run whose own memory is to be known."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
