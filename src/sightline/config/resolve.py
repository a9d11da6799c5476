"""How layers of settings become one configuration: one named parameter a layer, weakest to strongest."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sightline.config.base import Frozen, Resolved, from_assignments, merge
from sightline.errors import ConfigError
from sightline.processes import is_first_process

VARIABLE = "SIGHTLINE_SET"

Layer = Mapping[str, Any]
Config = TypeVar("Config", bound=Frozen)


def resolve(
    cls: type[Config],
    *,
    recipe: Layer | None = None,
    file: Layer | None = None,
    environment: Layer | None = None,
    assignments: Sequence[str] = (),
    flags: Layer | None = None,
    where: str = "",
) -> Config:
    """Resolve a configuration from its layers; each one beats those before it, and all beat the defaults.

    What the command line and Python call by a relative path is kept absolute where `cls` says so, in its `paths`.
    What the environment changed is said on stderr and written into the configuration's `environment`.

    Args:
        cls: the configuration to make.
        recipe: a named set of values.
        file: values of a file, for example of a study's `set`.
        environment: values of the variable SIGHTLINE_SET, from `from_environment`. A command hands them over for what
            was typed; what it derives, for example an arm of a study, gets none.
        assignments: of `--set`, as key=value.
        flags: named flags of the command line, or Python keywords.
        where: what errors call the configuration; its kind by default.

    Raises:
        ConfigError: an unknown key, a value that breaks its rule, two keys of one layer of which one takes the
            other's place, or a key without effect.
    """
    kind = str(cls.model_fields["kind"].default) if "kind" in cls.model_fields else ""
    where = where or kind or "the configuration"
    by_hand = {"file": file or {}, VARIABLE: environment or {}, "--set": from_assignments(assignments)}
    by_hand["flags"] = flags or {}
    values = laid(cls, {"recipe": recipe or {}, **by_hand}, where)
    if environment:
        where = f"{where} (with {VARIABLE}={' '.join(_texts(environment))})"
    config = _with_absolute_paths(cls.build(values, where=where).settled())
    for layer in by_hand.values():
        _refuse_void(config, layer, where)
    if not environment or not isinstance(config, Resolved):
        return config
    changed = _changed_by(environment, config, laid(cls, {"recipe": recipe or {}, **by_hand, VARIABLE: {}}, where))
    if changed and is_first_process():
        print(f"{kind or where}: {VARIABLE} sets {', '.join(changed)}", file=sys.stderr)
    return config.model_copy(update={"environment": tuple(changed)})


def _with_absolute_paths(config: Config) -> Config:
    values = {key: getattr(config, key) for key in config.paths}
    existing = {key: path for key, path in values.items() if path not in ("none", "reference") and os.path.exists(path)}
    return config.model_copy(update={key: os.path.abspath(path) for key, path in existing.items()})


def from_environment(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Read SIGHTLINE_SET="epochs=3 optim.lr=0.01": the layer between the file and `--set`."""
    return from_assignments((os.environ if environ is None else environ).get(VARIABLE, "").split())


def laid(cls: type[Frozen], layers: Mapping[str, Layer], where: str = "the configuration") -> dict[str, Any]:
    """Merge `layers` (name → values, weakest first) by the rules that `cls` and its blocks declare.

    Raises:
        ConfigError: a layer holds two keys of which one takes the other's place.
    """
    values: dict[str, Any] = {}
    for name, layer in layers.items():
        values = _lay(cls, values, layer, f"{where}, {name}")
    return values


def _lay(cls: type[Frozen], below: Layer, layer: Layer, where: str, prefix: str = "") -> dict[str, Any]:
    values = dict(below)
    for pair in cls.exclusive:
        _replace(cls, values, layer, pair, where, prefix)
    for key, value in layer.items():
        if key in cls.switches:
            value = {"name": value} if isinstance(value, str) else value
            if _renamed(cls, key, values.get(key), value):
                values.pop(key, None)
        old = values.get(key, {})
        if not isinstance(value, Mapping) or not isinstance(old, Mapping):
            values[key] = value
            continue
        block = cls.block(key, merge(old, value))
        values[key] = merge(old, value) if block is None else _lay(block, old, value, where, f"{prefix}{key}.")
    return values


def _replace(
    cls: type[Frozen], values: dict[str, Any], layer: Layer, pair: tuple[str, str], where: str, prefix: str
) -> None:
    """Take from `values` what a key of `layer` takes the place of."""
    given = [key for key in pair if layer.get(key) is not None]
    if len(given) == 2:
        # A configuration that was written out holds both, one of them at its default: that one says nothing.
        given = [key for key in given if layer[key] != cls.model_fields[key].default] or list(pair[1:])
    if len(given) == 2:
        first, second = given
        raise ConfigError(
            f"{where}: {prefix}{first} = {layer[first]!r} and {prefix}{second} = {layer[second]!r}: one takes the "
            "other's place; give one of them"
        )
    for key in pair:
        if given and key not in given:
            values.pop(key, None)


def _renamed(cls: type[Frozen], key: str, old: object, new: object) -> bool:
    default = cls.model_fields[key].get_default(call_default_factory=False)
    first = (old if isinstance(old, Mapping) else {}).get("name", getattr(default, "name", None))
    return isinstance(new, Mapping) and new.get("name", first) != first


def _refuse_void(config: Frozen, layer: Layer, where: str, prefix: str = "") -> None:
    """Refuse keys of `layer` that the resolved configuration makes void."""
    for key, value in layer.items():
        inner = getattr(config, key, None)
        if isinstance(value, Mapping) and isinstance(inner, Frozen):
            _refuse_void(inner, value, where, f"{prefix}{key}.")
        governor, values = type(config).effective.get(key, (key, ()))
        setting = getattr(config, governor, None)
        if values and setting not in values:
            allowed = " or ".join(str(entry) for entry in values)
            raise ConfigError(
                f"{where}: {prefix}{key} = {value!r} has no effect with {prefix}{governor} = {setting}; leave it out, "
                f"or set {prefix}{governor} to {allowed}"
            )


def _texts(layer: Layer, prefix: str = "") -> list[str]:
    """Return the layer's assignments, key=value each."""
    texts = []
    for key, value in layer.items():
        texts += _texts(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [f"{prefix}{key}={value}"]
    return texts


def _changed_by(environment: Layer, config: Frozen, without: Layer) -> list[str]:
    """Return those assignments of the environment without which the configuration would be another."""
    try:
        others: Layer = type(config).build(without).settled().to_dict()
    except ConfigError:
        others = {}
    return [text for text in _texts(environment) if _differs(from_assignments([text]), config.to_dict(), others)]


def _differs(assignment: Layer, values: Layer, others: Layer) -> bool:
    """Return whether the key of `assignment` has another value in `others` than in `values`."""
    ((key, value),) = assignment.items()
    mine, theirs = values.get(key), others.get(key)
    if isinstance(value, Mapping) and isinstance(mine, Mapping):
        return _differs(value, mine, theirs if isinstance(theirs, Mapping) else {})
    return mine != theirs
