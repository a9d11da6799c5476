"""Whether a library has a backbone of a name: read from the libraries' sources, for importing them takes seconds."""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from sightline.errors import nearest

LIBRARIES = ("timm", "torchvision")
REGISTERED = re.compile(rb"@register_model\((?:.|\n)*?\)?\s*\ndef (\w+)\(|@register_model\s*\ndef (\w+)\(")


def known_backbone(name: str) -> str:
    """Return the name, unless no library knows its word; whether it is a backbone is told when it is built.

    Raises:
        ValueError: its word is nowhere in the sources of timm and torchvision.
    """
    word = name.rpartition("/")[2].partition(".")[0]
    # Where they are imported already, a program may have registered networks of its own.
    if any(library in sys.modules for library in LIBRARIES) or word.encode() in _sources():
        return name
    names = [(a or b).decode() for a, b in REGISTERED.findall(_sources())]
    raise ValueError(
        f"neither {' nor '.join(LIBRARIES)} has it.{nearest(word, names)} All names: timm.list_models(), "
        "torchvision.models.list_models()"
    )


BackboneName = Annotated[str, AfterValidator(known_backbone)]


@cache
def _sources() -> bytes:
    folders = [Path(spec.origin).parent / "models" for name in LIBRARIES if (spec := find_spec(name)) and spec.origin]
    return b"\n".join(path.read_bytes() for folder in folders for path in sorted(folder.rglob("*.py")))
