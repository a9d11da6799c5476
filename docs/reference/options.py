"""Write docs/reference/options.md: every key of every configuration, from the fields that declare them.

uv run python docs/reference/options.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from sightline.cli.classify import classify
from sightline.cli.embed import embed
from sightline.cli.pretrain import pretrain
from sightline.cli.segment import segment
from sightline.cli.study import study
from sightline.config import (
    METHODS,
    ClassifyConfig,
    EmbedConfig,
    Frozen,
    PretrainConfig,
    PromptConfig,
    SegmentConfig,
    StudyConfig,
)

PAGE = Path(__file__).with_name("options.md")
HEAD = """# Every option

Written by `uv run python docs/reference/options.py` from the fields of the configurations.

A key is given by its flag where it has one, by `--set KEY=VALUE` otherwise (`--set optim.lr=0.001`), in Python as a
keyword (`sl.pretrain("photos/", out="runs/dino", optim={"lr": 0.001})`), and in a study file below `set:`. Values are
YAML. A flag or Python keyword beats `--set`, that beats the environment (`SIGHTLINE_SET="epochs=3 optim.lr=0.01"`), the
file, the recipe and the default. What a run resolved all its keys to stands in its `config.yaml`. An unknown key is
refused with its nearest match, and so is a key that another one makes void.
"""


@dataclass(frozen=True)
class Group:
    """The keys of one configuration: its heading, and the command whose flags set some of them."""

    title: str
    words: str
    config: type[Frozen]
    command: Any = None


GROUPS = (
    Group(
        "pretrain",
        "Of `sightline pretrain` and `sl.pretrain`. The defaults are those of the configuration; without `--recipe` "
        "the command takes `dino-small`, whose values stand in [the recipes](recipes.md).",
        PretrainConfig,
        pretrain,
    ),
    Group("classify", "Of `sightline classify` and `sl.classify`.", ClassifyConfig, classify),
    Group("segment", "Of `sightline segment` and `sl.segment`.", SegmentConfig, segment),
    Group("embed", "Of `sightline embed` and `sl.embed`.", EmbedConfig, embed),
    Group(
        "prompt",
        "Of the `config.yaml` of an arm `sam`, which judges a promptable engine on labelled masks; a study sets "
        "[its `prompt` block](#study).",
        PromptConfig,
    ),
    Group("study", "Of a study file.", StudyConfig, study),
)


def page() -> str:
    """Return the page as Markdown, the same for the same configurations."""
    parts = [HEAD]
    for group in GROUPS:
        parts.append(f"## {group.title}\n\n{group.words}\n\n" + _table(group.config, _flags(group)))
    for name, method in sorted(METHODS.items()):
        parts.append(
            f"## Method {name}\n\nKeys below `method` with `--method {name}`. {_first(method.config)}\n\n"
            + _table(method.config, {}, "method.")
        )
    return "\n".join(parts)


def _flags(group: Group) -> dict[str, str]:
    """Return the flag of each key that has one: a flag is the last part of its key, the shortest key with that end."""
    if group.command is None:
        return {}
    names = {key: name for name, key in group.config.keywords.items()}
    keys = sorted((key for key, _ in _fields(group.config)), key=lambda key: key.count("."))
    flags: dict[str, str] = {}
    for name in group.command.__signature__.parameters:
        key = next((key for key in keys if names.get(key, key.rpartition(".")[2]) == name), None)
        if key is not None and key != "data":
            flags[key] = f"--{name.replace('_', '-')}"
    return flags


def _fields(cls: type[Frozen], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield each key with its field, those of blocks below them; a block whose class goes by its name is one key."""
    for name, field in cls.model_fields.items():
        if name in ("kind", "environment"):
            continue
        key = prefix + name
        block = None if name in cls.switches else cls.block(name, {})
        if block is None or block is cls:
            yield key, field
        else:
            yield from _fields(block, f"{key}.")


def _table(cls: type[Frozen], flags: dict[str, str], prefix: str = "") -> str:
    fields = [(key, field) for key, field in _fields(cls, prefix) if not (prefix and key == f"{prefix}name")]
    lines = [f"| {'key, and its flag' if flags else 'key'} | values | default | what it is |", "|---|---|---|---|"]
    for key, field in fields:
        flag = f" `{flags[key]}`" if key in flags else ""
        text = (field.description or "").replace("|", "\\|").replace("*", "\\*")
        lines.append(f"| `{key}`{flag} | {_type(field)} | {_default(field)} | {text} |")
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return f"`{_value(field.get_default(call_default_factory=True))}`"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Frozen):
        return str(getattr(value, "name", "{}"))
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_value, value))}]"
    if value is None:
        return "null"
    return f"{value:g}" if isinstance(value, float) else str(value) or '""'


def _type(field: FieldInfo) -> str:
    text = _words(field.annotation, field.metadata)
    return text.replace("|", "\\|")


def _words(annotation: Any, metadata: Any = ()) -> str:
    """Return a type in words, with the bounds of its values."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _words(inner, more)
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(dict.fromkeys(_words(part, metadata) for part in get_args(annotation)))
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{_value(value)}`" for value in get_args(annotation))
    if get_origin(annotation) is tuple:
        parts = get_args(annotation)
        if parts[-1] is Ellipsis:
            return f"list of {_words(parts[0])}"
        return f"{len(parts)} × {_words(parts[0])}"
    if get_origin(annotation) is dict or annotation is dict:
        return "mapping"
    names = {int: "integer", float: "number", bool: "true, false", str: "text", type(None): "null"}
    if annotation not in names:
        return "a name, or a mapping"
    return names[annotation] + (_bounds(metadata) if annotation in (int, float) else "")


def _bounds(metadata: Any) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    rules = [rule for entry in metadata for rule in (entry, *getattr(entry, "metadata", ()))]
    bounds = [
        f"{sign} {getattr(rule, name):g}" for rule in rules for name, sign in signs.items() if hasattr(rule, name)
    ]
    return f" {', '.join(dict.fromkeys(bounds))}" if bounds else ""


def _first(cls: type) -> str:
    return (cls.__doc__ or "").partition("\n")[0]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.name)
