"""Loggers: programs that a run is mirrored in while it goes on, by flag. metrics.jsonl stays the truth.

A logger is a `RunLogger` (base.py) in a file of its own and a line in `LOGGERS` (`config/loggers.py`). `mirrored` keeps
those of a run up with its metrics.jsonl.
"""

from sightline.engine.loggers.base import Entry, RunLogger
from sightline.engine.loggers.mirror import check_loggers, mirrored

__all__ = ["Entry", "RunLogger", "check_loggers", "mirrored"]
