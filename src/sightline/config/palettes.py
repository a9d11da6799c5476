"""Classes as a user names them: each with the value or the color that it has in the masks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sightline.config.base import is_no_utf8
from sightline.errors import nearest

Color = tuple[int, int, int]
Code = int | Color
# Palettes that are known by name.
PALETTES = ("auto", "deepglobe", "voc")
PALETTE_SUFFIXES = (".json", ".yaml", ".yml", ".txt", ".csv", ".tsv")
# Names of what neither teaches nor counts, as CamVid's, DeepGlobe's and labelme's class lists have them.
IGNORED_NAMES = frozenset({"ignore", "ignored", "void", "unknown", "unlabeled", "unlabelled", "__ignore__"})
MOST_CLASSES = 254
LARGEST = 65535
_HEX = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")


def palette_entries(palette: Mapping[str, Any]) -> dict[str, tuple[Code, ...]]:
    """Return the values, or the colors, of each name; a class has one, what is ignored may have several.

    Args:
        palette: name → a value (0 to 65535), a color as [r, g, b] or "#rrggbb"; under a name of IGNORED_NAMES also a
            list of these.

    Raises:
        ValueError: names the entry and the rule that it breaks.
    """
    entries = {name: _codes(name, value) for name, value in palette.items()}
    classes = [name for name in entries if not is_ignored(name)]
    if not 1 <= len(classes) <= MOST_CLASSES:
        raise ValueError(f"names {len(classes)} classes; a palette has 1 to {MOST_CLASSES}")
    kinds = {name: isinstance(code, int) for name, codes in entries.items() for code in codes}
    if len(set(kinds.values())) > 1:
        value, color = (next(name for name in kinds if kinds[name] is kind) for kind in (True, False))
        raise ValueError(f"{value} has a value and {color} a color; give values alone, or colors alone")
    owner: dict[Code, str] = {}
    for name, codes in entries.items():
        for code in codes:
            if (other := owner.setdefault(code, name)) != name:
                raise ValueError(f"{other} and {name} are both {code_text(code)}; each class has its own")
    return entries


def is_ignored(name: str) -> bool:
    """Return whether a name is one of what neither teaches nor counts."""
    return name.strip().lower() in IGNORED_NAMES


def code_text(code: Code) -> str:
    """Return a value or a color as people write it."""
    return str(code) if isinstance(code, int) else "#{:02x}{:02x}{:02x}".format(*code)


def checked_palette(palette: Any) -> Any:
    """Return what `data.palette` was given, after looking at it; files are opened later.

    Raises:
        ValueError: neither a known name, nor a file of a known kind, nor a mapping of names to values or colors.
    """
    if isinstance(palette, Mapping):
        palette_entries(palette)
    elif not isinstance(palette, str):
        raise ValueError("give auto, deepglobe, voc, a file, or a mapping of class names to values or colors")
    elif palette not in PALETTES and not palette.lower().endswith(PALETTE_SUFFIXES):
        raise ValueError(
            f"no palette of this name.{nearest(palette, PALETTES)} Known: {', '.join(PALETTES)}, a file "
            f"({', '.join(PALETTE_SUFFIXES)}), or a mapping of class names to values or colors"
        )
    return palette


def _codes(name: str, value: Any) -> tuple[Code, ...]:
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"{name!r}: a class has a name")
    if is_no_utf8(name):
        raise ValueError(f"{name!r}: not UTF-8 text, which a class's name is")
    if is_ignored(name) and isinstance(value, list | tuple) and not _is_color(value):
        if not value:
            raise ValueError(f"{name} = []: give a value or a color, or leave the entry out")
        return tuple(_code(name, part) for part in value)
    return (_code(name, value),)


def _is_color(value: Any) -> bool:
    return len(value) == 3 and all(type(part) is int for part in value)


def _code(name: str, value: Any) -> Code:
    if isinstance(value, str) and (match := _HEX.fullmatch(value.strip())):
        digits = match[1] if len(match[1]) == 6 else "".join(digit * 2 for digit in match[1])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    if type(value) is int and 0 <= value <= LARGEST:
        return value
    if isinstance(value, list | tuple) and _is_color(value) and all(0 <= part <= 255 for part in value):
        return value[0], value[1], value[2]
    raise ValueError(
        f"{name} = {value!r}: give a value of 0 to {LARGEST}, or a color as [red, green, blue] of 0 to 255 each or as "
        "'#rrggbb'"
    )
