"""Run folders: the only thing passed between parts. Imports no torch.

A folder's class is loaded when first used: names of files (`runs.artifacts`) are wanted by commands that answer a
mistyped key before NumPy and Arrow are there.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.runs.folder import RunFolder
    from sightline.runs.record import read_json
    from sightline.runs.study_folder import StudyFolder

__all__ = ["RunFolder", "StudyFolder", "read_json"]

_HOMES = {"RunFolder": "folder", "StudyFolder": "study_folder", "read_json": "record"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"sightline.runs.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
