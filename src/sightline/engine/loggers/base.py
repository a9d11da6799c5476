"""The interface of every logger."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

Plain = str | int | float | bool | None


@dataclass(frozen=True)
class Entry:
    """What a logger is told of a run when it begins, or goes on.

    Attributes:
        folder: of the run; files of a logger go into a folder of its own name there.
        name: of the run.
        group: the runs that it belongs to, a study's name for example; "" for a run by itself.
        kind: pretrain, classify, segment or prompt.
        config: by dotted key, "optim.lr"; lists are texts.
        id: under which the logger knows the run from an earlier process; "" for a new run.
    """

    folder: Path
    name: str
    group: str
    kind: str
    config: Mapping[str, Plain]
    id: str = ""


class RunLogger(ABC):
    """Mirrors one run. Whatever it raises, the run goes on without it.

    Attributes:
        id: under which the logger knows the run; given back in the `Entry` of a process that goes on with it.
    """

    id: str = ""

    @classmethod
    @abstractmethod
    def open(cls, entry: Entry) -> Self:
        """Begin the mirror of a run, or go on with that of `entry.id`."""

    @abstractmethod
    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log a line of metrics.jsonl; each comes once, in the order of the file."""

    @abstractmethod
    def picture(self, name: str, path: Path, step: int) -> None:
        """Log a PNG that the run made."""

    @abstractmethod
    def end(self, status: Literal["done", "failed", "interrupted"], result: Mapping[str, float]) -> None:
        """End: the numbers of result.json of a run that is done, none of another one, which may go on later."""
