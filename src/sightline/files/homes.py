"""Where Sightline keeps what outlives a run: caches, which may be deleted at any time, and data sets by name."""

from __future__ import annotations

import os
from pathlib import Path


def cache_home() -> Path:
    """Return where caches go: SIGHTLINE_CACHE, else ~/.cache/sightline."""
    return Path(os.environ.get("SIGHTLINE_CACHE") or Path.home() / ".cache" / "sightline")


def data_home() -> Path:
    """Return where named data sets are kept: SIGHTLINE_DATA, else ~/.local/share/sightline/data."""
    return Path(os.environ.get("SIGHTLINE_DATA") or Path.home() / ".local" / "share" / "sightline" / "data")
