"""Flags made from a configuration's fields: their types, descriptions and defaults stand there, once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from cyclopts import Parameter
from pydantic.fields import FieldInfo

from sightline.cli.common import PathOrName
from sightline.config import DataConfig, Frozen, RunConfig, merge, types
from sightline.config.base import lookup, nested, parse_scalar

# The parameter of a command that receives what its generated flags were given.
FLAGS = "flags"
# Keys whose value may be a path, beside a name: shells complete files for these.
PATHS = ("init", "reference", "split_file")


def config_flags(
    cls: type[Frozen], *keys: str, recipe: Mapping[str, Any] | None = None, recipe_name: str = ""
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command one flag for each of `keys`, in place of its parameter `flags`.

    The command gets what was given, and nothing else, as a layer of `cls`.

    Args:
        cls: the configuration.
        keys: its fields, those of a block with a dot; the flag's name is the last part ("optim.lr" is --lr), or what
            the `keywords` of `cls` say ("skips.drop" is --drop-skip).
        recipe: values that stand before the defaults where nothing is given.
        recipe_name: how the help calls it.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        flags = {_flag_name(cls, key): key for key in keys}
        generated = [_parameter(cls, key, recipe or {}, recipe_name) for key in keys]
        signature = inspect.signature(command, eval_str=True)
        parameters = []
        for parameter in signature.parameters.values():
            parameters += generated if parameter.name == FLAGS else [parameter]

        def run(*arguments: Any, **values: Any) -> None:
            layer: dict[str, Any] = {}
            for name, key in flags.items():
                value = values.pop(name, None)
                if value is not None:
                    layer = merge(layer, nested(key.split("."), _value(key, _field(cls, key), value)))
            command(*arguments, **values, flags=layer)

        run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
        run.__signature__ = signature.replace(parameters=parameters)  # pyright: ignore[reportFunctionMemberAccess]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


def description(cls: type[Frozen], key: str) -> str:
    """Return what a field's description says, for a flag that is written by hand."""
    return _field(cls, key).description or ""


def run_layer(source: str, flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the strongest layer of a run: what its flags were given, and the source of its data."""
    return merge(flags, {"data": {"source": source}})


def _parameter(cls: type[Frozen], key: str, recipe: Mapping[str, Any], recipe_name: str) -> inspect.Parameter:
    field, name = _field(cls, key), _flag_name(cls, key)
    text, default = field.description or "", _text(field.get_default(call_default_factory=True))
    if _lists(field):
        text = text.rstrip(".") + "; separated by commas."
    present, value = lookup(recipe, key.split("."))
    if present:
        default = f"{_text(value)} in {recipe_name}"
    shown = Parameter(
        name=f"--{name.replace('_', '-')}", help=text, show_default=(lambda _: default) if default else False
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[_flag_type(name, field) | None, shown]
    )


def _flag_name(cls: type[Frozen], key: str) -> str:
    given = {key: name for name, key in cls.keywords.items()}
    return given.get(key, key.rpartition(".")[2])


def _field(cls: type[Frozen], key: str) -> FieldInfo:
    *path, name = key.split(".")
    for part in path:
        block = cls.block(part, {})
        assert block is not None, f"{key}: {part} is no block of {cls.__name__}"
        cls = block
    return cls.model_fields[name]


def _flag_type(name: str, field: FieldInfo) -> Any:
    """Return what the command line reads; rules beyond the type are the configuration's to check."""
    kinds = [kind for kind in _members(field.annotation) if kind is not type(None)]
    if name in PATHS:
        return PathOrName
    if len(kinds) == 1 and (kinds[0] in (int, float, bool, str) or get_origin(kinds[0]) is Literal):
        return kinds[0]
    return str


def _members(annotation: Any) -> list[Any]:
    """Return the types that an annotation allows, without their constraints."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [kind for part in get_args(annotation) for kind in _members(part)]
    return [annotation]


def _lists(field: FieldInfo) -> list[Any]:
    """Return those of the types that an annotation allows that are lists."""
    return [kind for kind in _members(field.annotation) if get_origin(kind) is tuple]


def _value(key: str, field: FieldInfo, value: Any) -> Any:
    """Return what the flag of a key was given as the configuration takes it: "4,3,2" as a list, "auto" as it is."""
    lists = _lists(field)
    words = [word for kind in _members(field.annotation) if get_origin(kind) is Literal for word in get_args(kind)]
    if not lists or not isinstance(value, str) or value in words:
        return value
    if any(get_args(kind)[0] is str for kind in lists):
        return [part.strip() for part in value.split(",")]
    numbers = parse_scalar(f"[{value}]", key)
    # Whoever is used to YAML writes the brackets.
    return numbers[0] if len(numbers) == 1 and isinstance(numbers[0], list) else numbers


def _text(value: Any) -> str:
    """Return a default as the help shows it; nothing where there is none."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, tuple):
        return ", ".join(map(_text, value or ()))
    if isinstance(value, Frozen | Mapping):
        return str(value["name"] if isinstance(value, Mapping) else getattr(value, "name", ""))
    return f"{value:g}" if isinstance(value, float) else str(value)


# Flags of verbs that have no configuration of their own.
Layout = Annotated[
    Literal[types.Layout, types.MaskLayout] | None,
    Parameter(
        name="--layout",
        help="Layout of the source: folder, list, classes, styles or csv, and with masks pairs, folders, labelme, coco "
        "or yolo; by default it is detected.",
    ),
]
Style = Annotated[str | None, Parameter(name="--style", help=description(DataConfig, "style"))]
Device = Annotated[types.Device, Parameter(name="--device", help=description(RunConfig, "device"))]
