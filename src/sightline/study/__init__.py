"""One file → every arm of the comparison, its statistics, its pictures.

What opens images or trains is imported when it is first asked for: reading and planning a study then answer at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sightline.study.plan import Node, expand, read_study, with_split

if TYPE_CHECKING:
    from sightline.study.sources import check_sources
    from sightline.study.study import run_study

__all__ = ["Node", "check_sources", "expand", "read_study", "run_study", "with_split"]
LATER = {"check_sources": "sightline.study.sources", "run_study": "sightline.study.study"}


def __getattr__(name: str) -> Any:
    if name in LATER:
        return getattr(import_module(LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
