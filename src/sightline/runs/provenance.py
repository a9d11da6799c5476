"""Provenance of a result: versions and hardware, read without importing the packages."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sightline.processes import core_count

PACKAGES = ("sightline", "torch", "torchvision", "timm", "numpy", "opencv-python-headless", "scikit-learn", "openTSNE")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that make the numbers."""
    versions_by_package = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions_by_package[package] = version(package)
        except PackageNotFoundError:
            versions_by_package[package] = "not installed"
    return versions_by_package


def hardware() -> dict[str, str | int]:
    """Return processor, cores available to this process, memory in GiB and platform."""
    return {
        "processor": _processor(), "cores": core_count(), "memory_gib": _memory_gib(), "platform": platform.platform(),
    }  # fmt: skip


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> int:
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)
    return 0
