"""Studies by name, one YAML file each; its first lines say which data it takes, how long, and what was published."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def names() -> list[str]:
    """Return the studies' names, sorted."""
    return sorted(Path(item.name).stem for item in files(__name__).iterdir() if item.name.endswith(".yaml"))


def path_of(name: str) -> Path:
    """Return the file of a study, by its name."""
    return Path(str(files(__name__) / f"{name}.yaml"))
