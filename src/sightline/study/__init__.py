"""One file → every arm of the comparison, its statistics, its pictures.

`run_study` is imported when it is first asked for: reading and planning a study then answer at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sightline.study.plan import Node, expand, read_study

if TYPE_CHECKING:
    from sightline.study.study import run_study

__all__ = ["Node", "expand", "read_study", "run_study"]


def __getattr__(name: str) -> Any:
    if name == "run_study":
        return import_module("sightline.study.study").run_study
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
