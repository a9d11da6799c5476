"""One file → every arm of the comparison, its statistics, its pictures.

What opens images or trains is imported when it is first asked for: reading and planning a study then answer at once.
"""

from typing import TYPE_CHECKING

from sightline.later import later
from sightline.study.plan import Node, expand, read_study, with_split

if TYPE_CHECKING:
    from sightline.study.sources import check_sources
    from sightline.study.study import run_study

__all__ = ["Node", "check_sources", "expand", "read_study", "run_study", "with_split"]

__getattr__ = later(__name__, sources=["check_sources"], study=["run_study"])
