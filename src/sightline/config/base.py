"""Frozen, strict configuration: one value per key, each key known, each mistake named with its nearest match."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from sightline.errors import ConfigError, nearest

ENVIRONMENT_PREFIX = "SIGHTLINE_"


class Frozen(BaseModel):
    """The base of every configuration: immutable, no unknown keys, no silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @classmethod
    def build(cls, *layers: Mapping[str, Any], where: str = "the configuration") -> Self:
        """Merge `layers` (weakest first) and validate.

        Raises:
            ConfigError: names each bad key, its value, the rule, and for an unknown key the nearest known one.
        """
        merged: dict[str, Any] = {}
        for layer in layers:
            merged = merge(merged, layer)
        try:
            # Through JSON, where strict still lets a list stand for a tuple and 1 for 1.0.
            return cls.model_validate_json(json.dumps(merged))
        except ValidationError as error:
            raise ConfigError(describe(cls, error, where)) from None

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, dicts, numbers and strings, ready for YAML or JSON."""
        return self.model_dump(mode="json")


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `over` laid on it; mappings are merged key by key, anything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if both else value  # pyright: ignore[reportArgumentType]
    return merged


def nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    """Return {"a": {"b": value}} for path ("a", "b")."""
    for key in reversed(path):
        value = {key: value}
    return value


def from_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """Read `--set optim.lr=0.01`-like assignments; values are YAML.

    Raises:
        ConfigError: an item has no "=".
    """
    layer: dict[str, Any] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {text!r}: expected key=value, for example --set optim.lr=0.01")
        layer = merge(layer, nested(key.split("."), parse_scalar(value)))
    return layer


def parse_scalar(text: str) -> Any:
    """Read YAML, and also 1e-3, which YAML 1.1 takes for a string."""
    value = yaml.safe_load(text)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def from_environment(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Read SIGHTLINE_SET="epochs=3 optim.lr=0.01": the layer between the flags and the file."""
    text = (os.environ if environ is None else environ).get(ENVIRONMENT_PREFIX + "SET", "")
    return from_assignments(text.split())


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping from a YAML file.

    Raises:
        ConfigError: the file is missing, is no YAML, or holds no mapping.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; give the path of a YAML file")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping of keys to values, found {type(content).__name__}")
    return content


def describe(cls: type[BaseModel], error: ValidationError, where: str) -> str:
    """Turn pydantic's findings into one line each: the key, the value, the rule, the nearest known key."""
    lines = []
    for item in error.errors():
        location = item["loc"]
        key = ".".join(str(part) for part in location)
        if item["type"] == "extra_forbidden":
            known = _fields_at(cls, location[:-1])
            lines.append(f"{key}: no such key.{nearest(str(location[-1]), known)} Known: {', '.join(sorted(known))}")
        elif item["type"] == "missing":
            lines.append(f"{key}: required, and not given")
        else:
            lines.append(f"{key} = {item['input']!r}: {item['msg']}")
    return f"{where}: " + "; ".join(lines)


def _fields_at(cls: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    current = cls
    for part in location:
        field = current.model_fields.get(str(part))
        if field is None:
            continue
        candidates = (field.annotation, *get_args(field.annotation))
        current = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), current)
    return list(current.model_fields)


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-3 as a float, as YAML 1.2 does."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+0123456789."),
)
