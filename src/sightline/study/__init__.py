"""One file → every arm of the comparison, its statistics, its pictures."""

from sightline.study.plan import Node, expand, read_study
from sightline.study.sources import check_sources
from sightline.study.study import run_study

__all__ = ["Node", "check_sources", "expand", "read_study", "run_study"]
