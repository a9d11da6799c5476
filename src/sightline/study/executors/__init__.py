"""Where the runs of a study are done: one table, and a file for each entry, imported only when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sightline.errors import ConfigError, extra_commands
from sightline.runs.kinds import import_dotted
from sightline.study.node import Node
from sightline.study.outcome import Outcome


class Ticket(Protocol):
    """A run that was handed over."""

    def done(self) -> bool:
        """Whether it has ended, well or not."""
        ...

    def result(self) -> Outcome:
        """Return what became of it, once it is done.

        Raises:
            Lost: the process or machine that did it is gone.
        """
        ...


class Executor(Protocol):
    """Does runs, each in its folder under its lock; it keeps nothing that a run folder does not say.

    Attributes:
        poll: seconds between two looks at what it does.
        aside: whether runs write to a log of their own, so that this terminal is free.
    """

    poll: float
    aside: bool

    @property
    def slots(self) -> int:
        """How many runs it takes at a time now."""
        ...

    def submit(self, node: Node, folder: Path) -> Ticket:
        """Begin a run of the study in `folder`."""
        ...

    def stop(self) -> None:
        """End what runs, each with a checkpoint, and wait for that."""
        ...

    def close(self) -> None:
        """Give back what it holds; nothing runs any more."""
        ...


@dataclass(frozen=True)
class ExecutorEntry:
    """An entry of the table.

    Attributes:
        make: `(where) -> Executor`, "module:name".
        extra: of Sightline that it needs; "" for none.
    """

    make: str
    extra: str = ""


EXECUTORS = {
    "local": ExecutorEntry("sightline.study.executors.local:Processes"),
    "dask": ExecutorEntry("sightline.study.executors.dask:Cluster", "cluster"),
    "slurm": ExecutorEntry("sightline.study.executors.slurm:Slurm", "slurm"),
}


def open_executor(name: str, where: Any) -> Executor:
    """Return an executor of the table.

    Args:
        name: of it.
        where: what it takes: a number of processes, the address of a scheduler, the name of a partition.

    Raises:
        ConfigError: what it needs is not installed, or `where` cannot be reached.
    """
    entry = EXECUTORS[name]
    try:
        make = import_dotted(entry.make)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{name}: needs {error.name}, which is not installed: {extra_commands(entry.extra)}"
        ) from None
    return make(where)


def asked_executor(jobs: int, cluster: str, slurm: str) -> Executor | None:
    """Return the executor of the options of `study`; None for one run after the other in this process.

    Raises:
        ConfigError: more than one is asked for, or `jobs` is below 1, or as `open_executor`.
    """
    asked = {"--jobs": ("local", jobs) if jobs > 1 else None, "--cluster": ("dask", cluster) if cluster else None,
             "--slurm": ("slurm", slurm) if slurm else None}  # fmt: skip
    given = {flag: entry for flag, entry in asked.items() if entry is not None}
    if jobs < 1:
        raise ConfigError(f"--jobs {jobs}: runs at a time; give 1 or more")
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)}: runs are done in one place; give one of them")
    return open_executor(*next(iter(given.values()))) if given else None
