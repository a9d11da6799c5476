"""The report of a study or a run: one page, every number of which is read from files. Imports no torch."""

from sightline.report.build import write

__all__ = ["write"]
