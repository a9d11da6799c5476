"""Where Sightline keeps what outlives a run: caches, which may be deleted at any time, and data sets by name."""

from __future__ import annotations

import os
from pathlib import Path


def cache_home() -> Path:
    """Return where caches go: SIGHTLINE_CACHE, else ~/.cache/sightline."""
    return Path(os.environ.get("SIGHTLINE_CACHE") or Path.home() / ".cache" / "sightline")


def at_home(path: str) -> Path:
    """Return a path whose leading ~ or ~user is that user's home; as it is where there is no such user."""
    return Path(os.path.expanduser(path))


def data_home() -> Path:
    """Return where named data sets are kept: SIGHTLINE_DATA, else ~/.local/share/sightline/data."""
    return Path(os.environ.get("SIGHTLINE_DATA") or Path.home() / ".local" / "share" / "sightline" / "data")
