"""Named, complete sets of values for `pretrain`; each file says its command, its time and the score to expect."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from sightline.config import read_yaml
from sightline.errors import ConfigError, nearest


def names() -> list[str]:
    """Return the recipes' names, sorted."""
    return sorted(Path(item.name).stem for item in files(__name__).iterdir() if item.name.endswith(".yaml"))


def load(name: str) -> dict[str, Any]:
    """Return a recipe's values, by its name or by the path of a YAML file.

    Raises:
        ConfigError: no such recipe.
    """
    if name.endswith((".yaml", ".yml")):
        return read_yaml(Path(name))
    if name not in names():
        raise ConfigError(f"recipe {name!r}: no such recipe.{nearest(name, names())} Known: {', '.join(names())}")
    with files(__name__).joinpath(f"{name}.yaml").open(encoding="utf-8") as file:
        return yaml.safe_load(file)


def layer(name: str) -> dict[str, Any]:
    """Return a recipe's values and its name, the weakest layer of a pretraining's configuration.

    Raises:
        ConfigError: no such recipe.
    """
    return load(name) | {"recipe": name}
