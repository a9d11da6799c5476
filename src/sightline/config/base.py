"""Frozen, strict configuration: one value per key, each key known, each mistake named with its nearest match."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from sightline.errors import ConfigError, nearest

Pairs = tuple[tuple[str, str], ...]
Effects = Mapping[str, tuple[str, tuple[object, ...]]]
# Of what is written in YAML. The largest packaged study has 2 kB; an alias bomb of 400 bytes stands for gigabytes.
MOST_BYTES, MOST_VALUES, MOST_DEPTH = 1 << 20, 20_000, 40
SHOWN = 80  # characters of a value in an error
# The type of the error that holds the mistakes of a block whose class depends on its content.
NESTED = "nested_block"
# How pydantic calls the types of a value that may have several.
TYPE = re.compile(r"(constrained-|function-|nullable|literal|tuple|list|dict|int|str|float|bool|none)(\b|\[)")


class Frozen(BaseModel):
    """The base of every configuration: immutable, no unknown keys, no silent conversion of types.

    A subclass declares how its keys depend on each other, for `sightline.config.resolve`:

    Attributes:
        exclusive: pairs of keys of which one takes the other's place.
        effective: key → (another key, its values under which the first has an effect).
        harmless: keys that change no result: a run is resumed whatever they are.
        paths: keys whose value, where it is the path of something that is there, is kept absolute.
        switches: keys of blocks that are told apart by `name`; another name sets aside the block's weaker values.
        keywords: name of a flag and Python keyword → the key that it sets, for keys of blocks whose last part alone
            would not say what is meant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    exclusive: ClassVar[Pairs] = ()
    effective: ClassVar[Effects] = {}
    harmless: ClassVar[tuple[str, ...]] = ()
    paths: ClassVar[tuple[str, ...]] = ()
    switches: ClassVar[tuple[str, ...]] = ()
    keywords: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def build(cls, *layers: Mapping[str, Any], where: str = "the configuration") -> Self:
        """Merge `layers` (weakest first) and validate.

        Raises:
            ConfigError: names each bad key, its value, the rule, and for an unknown key the nearest known one.
        """
        merged: dict[str, Any] = {}
        for layer in layers:
            merged = merge(merged, layer)
        check_plain(merged, where)
        try:
            # Through JSON, where strict still lets a list stand for a tuple and 1 for 1.0.
            return cls.model_validate_json(json.dumps(merged))
        except ValidationError as error:
            raise ConfigError(describe(cls, error, where)) from None

    @classmethod
    def block(cls, key: str, value: object) -> type[Frozen] | None:
        """Return the configuration class of the block under `key`, None where `key` holds a plain value.

        Args:
            key: a field's name, or an unknown key.
            value: the block's content, for a block whose class depends on it.
        """
        del value
        field = cls.model_fields.get(key)
        if field is None:
            return None
        candidates = (field.annotation, *get_args(field.annotation))
        return next((c for c in candidates if isinstance(c, type) and issubclass(c, Frozen)), None)

    def settled(self) -> Self:
        """Return this with every value filled in that follows from others."""
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, dicts, numbers and strings, ready for YAML or JSON."""
        return self.model_dump(mode="json")


Block = TypeVar("Block", bound=Frozen)


class Resolved(Frozen):
    """A configuration that a command resolves: it says what the environment changed."""

    environment: tuple[str, ...] = Field(
        default=(), description="Settings that the variable SIGHTLINE_SET changed; none by default."
    )


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


def from_keywords(cls: type[Frozen], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return Python keywords as a layer of `cls`: its keys, and names that its `keywords` give to keys of blocks.

    Raises:
        ConfigError: a key is given twice, by its name and in its block.
    """
    layer: dict[str, Any] = {name: value for name, value in keywords.items() if name not in cls.keywords}
    for name in keywords.keys() & cls.keywords.keys():
        path = cls.keywords[name].split(".")
        if lookup(layer, path)[0]:
            raise ConfigError(f"{name} and {cls.keywords[name]}: are the same setting; give one of them")
        layer = merge(layer, nested(path, keywords[name]))
    return layer


def lookup(layer: Mapping[str, Any], path: Sequence[str]) -> tuple[bool, Any]:
    """Return whether `layer` holds a value under `path` ("a", "b"), and the value."""
    value: Any = layer
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return False, None
        value = value[key]
    return True, value


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
        layer = merge(layer, nested(key.split("."), parse_scalar(value, key)))
    return layer


def parse_scalar(text: str, key: str) -> Any:
    """Read YAML, and also 1e-3, which YAML 1.1 takes for a string.

    Args:
        text: the value.
        key: that it is for, in an error.

    Raises:
        ConfigError: it is no YAML, or more than a configuration can hold.
    """
    value = _from_yaml(text, key)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping from a YAML file.

    Raises:
        ConfigError: the file is missing, is no YAML, or holds no mapping.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; give the path of a YAML file")
    with path.open("rb") as file:
        raw = file.read(MOST_BYTES + 1)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text ({error}); save it as UTF-8") from None
    content = _from_yaml(text, str(path))
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping of keys to values, found {type(content).__name__}")
    return content


def check_plain(value: object, where: str) -> None:
    """Refuse what a configuration cannot hold: anything but finite numbers of 64 bits, texts, lists and mappings.

    Raises:
        ConfigError: names the key and the value.
    """
    left = [(value, "", 0)]
    for _ in range(MOST_VALUES):
        if not left:
            return
        entry, key, depth = left.pop()
        if depth > MOST_DEPTH:
            raise ConfigError(f"{where}: {key[:SHOWN]}: nested more than {MOST_DEPTH} deep, or in itself")
        if isinstance(entry, Mapping):
            if wrong := [name for name in entry if not isinstance(name, str | int | float | bool)]:
                raise ConfigError(f"{where}: {key}: the key {_short(wrong[0])} is no word")
            if wrong := [name for name in entry if isinstance(name, str) and is_no_utf8(name)]:
                raise ConfigError(f"{where}: {f'{key}: ' * bool(key)}the key {_short(wrong[0])} is not UTF-8 text")
            left += [(inner, f"{key}.{name}" if key else str(name), depth + 1) for name, inner in entry.items()]
        elif isinstance(entry, list | tuple):
            left += [(inner, f"{key}.{i}", depth + 1) for i, inner in enumerate(entry)]
        elif isinstance(entry, float) and not math.isfinite(entry):
            raise ConfigError(f"{where}: {key or 'the value'} = {entry!r}: expected a finite number")
        elif isinstance(entry, int) and not -(1 << 63) <= entry < 1 << 63:
            raise ConfigError(f"{where}: {key or 'the value'}: an integer of {entry.bit_length()} bits; 64 hold any")
        elif isinstance(entry, str) and is_no_utf8(entry):
            raise ConfigError(f"{where}: {key or 'the value'} = {_short(entry)}: not UTF-8 text")
        elif not (entry is None or isinstance(entry, str | int | float)):
            raise ConfigError(
                f"{where}: {key or 'the value'} = {_short(entry)}: a {type(entry).__name__}; expected a number, a "
                'text, a list or a mapping. What looks like a date is a text in quotes: "2024-01-01"'
            )
    raise ConfigError(f"{where}: more than {MOST_VALUES:,} values; a configuration has fewer")


def is_no_utf8(text: str) -> bool:
    """Return whether a text holds half a character ("\\ud800"), which no file of UTF-8 can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _from_yaml(text: str, where: str) -> Any:
    """Read YAML of plain values.

    Raises:
        ConfigError: it is no YAML, or holds more, deeper, or other things than a configuration can.
    """
    value = load_yaml(text, where)
    check_plain(value, where)
    return value


def load_yaml(text: str, where: str) -> Any:
    """Read YAML of anything but objects: what a configuration, a palette or a list of classes is written in.

    Raises:
        ConfigError: it is no YAML, or is longer, or deeper, or stands for more than such a file does.
    """
    if len(text) > MOST_BYTES:
        raise ConfigError(f"{where}: longer than {MOST_BYTES:,} bytes, and no configuration")
    try:
        return yaml.load(text, Loader=_Loader)
    except Exception as error:  # PyYAML's constructors meet a wrong tag or number with nearly any exception there is
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"{where}: not valid YAML: {reason[:300]}") from None


def validated_block(cls: type[Block], value: Mapping[str, Any]) -> Block:
    """Validate a block whose class depends on its content, within the validation of the whole.

    Raises:
        PydanticCustomError: of type `NESTED`; `describe` unfolds it into the block's own mistakes.
    """
    try:
        return cls.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise PydanticCustomError(NESTED, "not valid", {"class": cls, "errors": error.errors()}) from None


def describe(cls: type[BaseModel], error: ValidationError, where: str) -> str:
    """Turn pydantic's findings into one line each: the key, the value, the rule, the nearest known key."""
    return f"{where}: " + "; ".join(_lines(cls, error.errors(), ""))


def _lines(cls: type[BaseModel], errors: Sequence[Any], prefix: str) -> list[str]:
    lines = []
    for item in errors:
        location = item["loc"]
        # Of several types that a value may have, pydantic names each as if it were a key.
        key = prefix + ".".join(str(part) for part in location if not (isinstance(part, str) and TYPE.match(part)))
        if item["type"] == NESTED:
            lines += _lines(item["ctx"]["class"], item["ctx"]["errors"], f"{key}.")
        elif item["type"] == "extra_forbidden":
            known = _fields_at(cls, location[:-1])
            lines.append(f"{key}: no such key.{nearest(str(location[-1]), known)} Known: {', '.join(sorted(known))}")
        elif item["type"] == "missing":
            lines.append(f"{key}: required, and not given")
        else:
            rule = str(item["msg"]).removeprefix("Value error, ")
            # A rule of the whole names its keys itself.
            begin = f"{key} = {_short(item['input'])}: "
            if location and lines and lines[-1].startswith(begin):
                lines[-1] += f", or {rule}"
            else:
                lines.append(begin + rule if location else prefix + rule)
    return lines


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
    """SafeLoader that reads 1e-3 as a float, as YAML 1.2 does, and bounds what `<<` copies and how deep it goes."""

    depth = copied = 0

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        before = len(node.value)
        super().flatten_mapping(node)
        self.copied += max(0, len(node.value) - before)
        if self.copied > MOST_VALUES:
            raise yaml.YAMLError(f"its merge keys stand for more than {MOST_VALUES:,} values")

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise yaml.YAMLError(f"nested more than {MOST_DEPTH} deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+0123456789."),
)
