"""What keeps the loggers of a run up with its metrics.jsonl, and keeps the run from their faults.

How far each logger has come stands in RUN/loggers/NAME.json. A resumed run writes lines anew that its checkpoint did
not hold; they are the same, and a logger that has them is not told again. One that lacks lines, as it was added or
failed before, is told them from the file. The state is written before the line is logged: a kill between the two leaves
a line out, and never doubles one.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Literal

from sightline.config import LOGGERS, RunConfig
from sightline.engine.loggers.base import Entry, Plain, RunLogger
from sightline.errors import NotAvailable, extra_commands
from sightline.runs import RunFolder, artifacts
from sightline.runs.record import Record

Say = Callable[[str], object]
MOST_PICTURES = 16  # of one run: a mirror is looked at, the folder has them all


@dataclass(frozen=True, kw_only=True)
class LoggerState(Record):
    """How far a logger has come: what it calls the run, and the lines of metrics.jsonl that it was told."""

    id: str
    lines: int = 0


def check_loggers(names: Sequence[str]) -> None:
    """Look whether the packages of loggers are here, before anything is trained.

    Raises:
        NotAvailable: one is not; the message names its extra.
    """
    for name in names:
        package = LOGGERS[name].package
        if find_spec(package) is None:
            raise NotAvailable(
                f"--logger {name}: the package {package} is not installed; {extra_commands(name)} brings it, "
                "and without the flag metrics.jsonl holds the same lines"
            )


@contextmanager
def mirrored(run: RunFolder, config: RunConfig, say: Say) -> Iterator[None]:
    """Mirror a run, while it goes on, in the loggers of its configuration; on the first process only.

    How it ended is told from what leaves the block: nothing, an interruption, or an error.
    """
    mirrors = [_Mirror(name, run, config, say) for name in config.logger]
    for mirror in mirrors:
        run.follow(mirror.line)
    status: Literal["done", "failed", "interrupted"] = "failed"
    try:
        yield
        status = "done"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        for mirror in mirrors:
            mirror.end(status)


class _Mirror:
    """One logger of a run; after its first error it is left alone until the run is begun again."""

    def __init__(self, name: str, run: RunFolder, config: RunConfig, say: Say) -> None:
        self._name, self._run, self._say = name, run, say
        self._logger: RunLogger | None = None
        self._path = run.path / artifacts.LOGGERS / f"{name}.json"
        self._state = LoggerState(id="")
        self._attempt(lambda: self._open(config))

    def line(self, number: int, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Log a line of metrics.jsonl, its number counted from 1, and those before it that the logger lacks."""
        if self._logger is None or number <= self._state.lines:
            return
        lines = [{"step": step, "epoch": epoch, **values}]
        if number > self._state.lines + 1:
            lines = self._run.metrics()[self._state.lines : number]
        self._attempt(lambda: [self._log(line) for line in lines])

    def end(self, status: Literal["done", "failed", "interrupted"]) -> None:
        """Log pictures and numbers of the result, where there is one, and close the logger."""
        self._attempt(lambda: self._end(status))
        self._logger = None

    def _open(self, config: RunConfig) -> None:
        if self._path.is_file():
            self._state = LoggerState.read(self._path)
        entry = Entry(
            folder=self._run.path,
            name=self._run.path.name,
            group=config.group,
            kind=config.kind,
            config=flat(config.to_dict()),
            id=self._state.id,
        )
        self._logger = resolve_name(LOGGERS[self._name].path).open(entry)
        assert self._logger is not None
        self._keep(replace(self._state, id=self._logger.id))

    def _log(self, line: Mapping[str, Any]) -> None:
        assert self._logger is not None
        self._keep(replace(self._state, lines=self._state.lines + 1))
        self._logger.scalars(line["step"], {name: value for name, value in line.items() if name != "step"})

    def _end(self, status: Literal["done", "failed", "interrupted"]) -> None:
        if self._logger is None:
            return
        result: dict[str, float] = {}
        if status == "done":
            lines = self._run.metrics()
            for line in lines[self._state.lines :]:
                self._log(line)
            step = lines[-1]["step"] if lines else 0
            for path in self._pictures()[:MOST_PICTURES]:
                self._logger.picture(path.relative_to(self._run.path).with_suffix("").as_posix(), path, step)
            numbers = flat(self._run.result())
            result = {f"result/{key}": float(v) for key, v in numbers.items() if isinstance(v, int | float)}
        self._logger.end(status, result)
        self._run.drop_note(self._note)

    def _pictures(self) -> list[Path]:
        """Return the figures of the run, the strips of its mask history and the tiles of an engine that is judged."""
        folders = ((artifacts.FIGURES, "*.png"), (artifacts.PROGRESS, "*-strip.png"), (artifacts.PICTURES, "*.png"))
        return [path for folder, pattern in folders for path in sorted((self._run.path / folder).glob(pattern))]

    def _keep(self, state: LoggerState) -> None:
        state.write(self._path)
        self._state = state

    @property
    def _note(self) -> str:
        return f"logger {self._name}"

    def _attempt(self, work: Callable[[], object]) -> None:
        """Do something that a run can do without; an error becomes a note, and the logger is not asked again."""
        try:
            work()
        except Exception as error:  # whatever it is, the run is worth more
            self._logger = None
            words = f"{type(error).__name__}: {error}"
            path = self._run.write_note(self._note, words, traceback.format_exc())
            name = self._run.path.name
            self._say(f"! {name}: {self._note} failed, the run goes on without it: {words} (traceback in {path})")


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Plain]:
    """Return nested mappings by dotted key; lists become texts."""
    flattened: dict[str, Plain] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flattened |= flat(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            flattened[f"{prefix}{key}"] = ", ".join(map(str, value))
        else:
            flattened[f"{prefix}{key}"] = value
    return flattened
