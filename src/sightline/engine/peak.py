"""The most memory that the work in a process took: of the host, and of a GPU."""

from __future__ import annotations

import contextlib
from pathlib import Path

import torch

from sightline.engine.memory import release_freed_memory
from sightline.runs.info import Memory

_RESET = "5"  # written to clear_refs: the kernel begins the high-water mark anew (proc_pid_clear_refs(5))
_SELF = Path("/proc/self")


class PeakMemory:
    """The high-water marks of this process since this was made."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._begun = device, False
        # The process keeps what it freed (`keep_freed_memory`), and would count it for whoever comes next.
        release_freed_memory()
        with contextlib.suppress(OSError):
            (_SELF / "clear_refs").write_text(_RESET)
            self._begun = True
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)

    def read(self) -> Memory:
        """Return both marks; None of what cannot be read here."""
        on_device = torch.cuda.max_memory_allocated(self._device) if self._device.type == "cuda" else None
        return Memory(host=_high_water() if self._begun else None, device=on_device)


def _high_water() -> int | None:
    """Return VmHWM in bytes: the largest resident set, files that are mapped included."""
    with contextlib.suppress(OSError):
        for line in (_SELF / "status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return None
