"""A number with its interval, as every result has it."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.runs.record import Number, Record


@dataclass(frozen=True, kw_only=True)
class Interval(Record):
    """A number with its 95 % interval and the samples it is of.

    Attributes:
        value: the number.
        low: lower end.
        high: upper end.
        n: samples.
        scenes: where the interval is over whole scenes, how many there are.
    """

    value: Number
    low: Number
    high: Number
    n: int
    scenes: int | None = None
