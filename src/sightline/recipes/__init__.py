"""Named, complete sets of values for `pretrain`; each file says its command, its time and the score to expect."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from sightline.config import (
    ClassifyConfig,
    PretrainConfig,
    SegmentConfig,
    from_assignments,
    from_environment,
    read_yaml,
)
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


def pretrain_config(recipe: str, *layers: dict[str, Any], assignments: tuple[str, ...] = ()) -> PretrainConfig:
    """Resolve a pretraining configuration: recipe, then `layers`, then the environment, then `--set`.

    Raises:
        ConfigError: an unknown recipe or key, or a value that breaks its rule.
    """
    base = load(recipe) | {"recipe": recipe}
    over = (from_environment(), from_assignments(assignments))
    config = PretrainConfig.build(base, *layers, *over, where=f"pretrain ({recipe})")
    return config.model_copy(update={"data": config.data.stored_for(config.views.global_size)})


def classify_config(*layers: dict[str, Any], assignments: tuple[str, ...] = ()) -> ClassifyConfig:
    """Resolve a classification configuration: `layers`, then the environment, then `--set`."""
    config = ClassifyConfig.build(*layers, from_environment(), from_assignments(assignments), where="classify")
    return config.model_copy(update={"data": config.data.stored_for(config.input_size)})


def segment_config(*layers: dict[str, Any], assignments: tuple[str, ...] = ()) -> SegmentConfig:
    """Resolve a segmentation configuration: `layers`, then the environment, then `--set`."""
    return SegmentConfig.build(*layers, from_environment(), from_assignments(assignments), where="segment")
