"""Write docs/reference/python.md: the public names of `sightline`, from their docstrings.

uv run python docs/reference/surface.py
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import sightline
from sightline import errors

PAGE = Path(__file__).with_name("python.md")
HEAD = """# From Python

Written by `uv run python docs/reference/surface.py` from the docstrings of `sightline.__all__`, which is all that is
public.

```python
import sightline as sl
```

Each call does what [the command of its name](commands.md) does, takes [the same keys](options.md) as keywords, and
raises the same errors. `Source` is a path, or what has one: a `Run`, a `StudyFolder`. `Data` is a source of images, or
a mapping with the keys below `data`. `import sightline` loads no torch; a name loads what it needs when it is first
used.
"""
WIDTH = 100  # of a signature on one line
SECTION = re.compile(r"^(Args|Returns|Raises|Attributes|Yields):$")
TITLES = {"Args": "Arguments", "Returns": "Returns", "Raises": "Raises", "Attributes": "Attributes", "Yields": "Yields"}


def page() -> str:
    """Return the page as Markdown, the same for the same docstrings."""
    names = [name for name in sightline.__all__ if not name.startswith("__")]
    functions = {name: value for name in names if inspect.isfunction(value := getattr(sightline, name))}
    parts = [HEAD, "## Functions\n"]
    parts += [_function(f"sl.{name}", value, "###") for name, value in functions.items()]
    parts.append("## What they return\n")
    parts += [_class(cls, cls.__name__) for cls in _returned(functions)]
    parts.append(f"## Views\n\n`sl.views`: {_prose(inspect.getdoc(sightline.views) or '')}\n")
    parts += [_class(getattr(sightline.views, name), f"sl.views.{name}") for name in sightline.views.__all__]
    parts.append("## Errors\n")
    parts.append(f"```text\n{_tree()}\n```\n")
    parts += [
        f"- `sl.{name}`: {_summary(getattr(sightline, name))}"
        for name in names
        if isinstance(getattr(sightline, name), type)
    ]
    return "\n".join(parts).rstrip() + "\n"


def _returned(functions: dict[str, Any]) -> list[type]:
    """Return the classes of ours that the functions give back or take, in the order in which they are met."""
    met: dict[type, None] = {}
    for function in functions.values():
        hints = typing.get_type_hints(function)
        for name in ("return", *hints):
            for cls in _members(hints[name]):
                if cls.__module__.startswith("sightline.") and "config" not in cls.__module__:
                    met[cls] = None
    return list(met)


def _members(hint: Any) -> Iterator[type]:
    if get_origin(hint) in (Union, UnionType, tuple) or get_args(hint):
        for part in get_args(hint):
            yield from _members(part)
    elif isinstance(hint, type):
        yield hint


def _function(name: str, function: Any, level: str) -> str:
    signature = inspect.signature(function)
    given: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in given:
            given.append("*")
        stars = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        given.append(f"{stars}{parameter.name}: {parameter.annotation}{default}")
    one = f"{name}({', '.join(given)}) -> {signature.return_annotation}"
    if len(one) > WIDTH:
        one = "\n".join([f"{name}(", *(f"    {text}," for text in given), f") -> {signature.return_annotation}"])
    return f"{level} {name.rpartition('.')[2]}\n\n```text\n{one}\n```\n\n{_doc(inspect.getdoc(function) or '')}"


def _class(cls: type, name: str) -> str:
    parts = [f"### {name.rpartition('.')[2]}\n", _doc(inspect.getdoc(cls) or "")]
    rows = []
    for attribute, value in vars(cls).items():
        if attribute.startswith("_"):
            continue
        if isinstance(value, property):
            rows.append(f"- `{attribute}`: {_summary(value.fget)}")
        elif inspect.isfunction(value) or isinstance(value, classmethod | staticmethod):
            rows.append(f"- `{attribute}()`: {_summary(value)}")
    if rows:
        parts.append("**Beside these**\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _summary(value: Any) -> str:
    text = inspect.getdoc(value) or ""
    return _prose(" ".join(text.partition("\n\n")[0].split()))


def _doc(text: str) -> str:
    """Return a docstring of Google's form as Markdown: prose, then a list for each of its sections."""
    title, blocks = "", {"": []}
    for line in text.splitlines():
        if match := SECTION.match(line):
            title = match[1]
            blocks[title] = []
        else:
            blocks[title].append(line)
    prose = _prose("\n".join(blocks.pop("")).strip())
    parts = [prose, *(f"**{TITLES[name]}**\n\n{_entries(name, lines)}" for name, lines in blocks.items())]
    return "\n\n".join(parts) + "\n"


def _entries(title: str, lines: list[str]) -> str:
    if title in ("Returns", "Yields"):
        return _prose(" ".join(" ".join(lines).split()))
    entries: list[str] = []
    for line in filter(str.strip, lines):
        if line.startswith("    ") and not line.startswith("     "):
            entries.append(line.strip())
        else:
            entries[-1] += f" {line.strip()}"
    named = [entry.partition(": ") for entry in entries]
    return "\n".join(f"- `{name}`: {_prose(words)}" if words else f"- {_prose(name)}" for name, _, words in named)


def _prose(text: str) -> str:
    """Return prose whose stars, angle brackets and bars are no Markdown, but for those within backticks."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*<>])", r"\\\1", part) for part in parts)


def _tree() -> str:
    """Return the tree of errors as the module of errors draws it."""
    text = inspect.getdoc(errors) or ""
    return text[text.index("SightlineError") :]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.name)
