"""The run folder: the only thing passed between parts."""

from __future__ import annotations

import contextlib
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from sightline.config import Frozen, RunConfig, read_yaml
from sightline.errors import ConfigError, RunError
from sightline.files import TRACEBACK, atomic_path, json_text, named, sweep, write_json, write_text
from sightline.files.atomic import sweep_of
from sightline.files.lock import holder_of
from sightline.runs import artifacts
from sightline.runs.artifacts import CONFIG, INFO, PREDICTIONS, RESULT, STUDY
from sightline.runs.info import FIT_SECONDS, GOES_ON, Memory, RunInfo
from sightline.runs.provenance import hardware, versions
from sightline.runs.record import WAY_OUT, Record, json_object, read_json

SHOWN_DIFFERENCES = 5
# (number of the line, from 1; step; epoch; values)
Listener = Callable[[int, int, int, Mapping[str, float]], None]

R = TypeVar("R", bound=Record)


class RunFolder:
    """A run on disk.

    Attributes:
        path: the folder.
        memory: asked for the memory that the run took, when it is done; None where nobody watches it.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._listeners: list[Listener] = []
        self._lines: int | None = None
        self.memory: Callable[[], Memory] | None = None

    # -- opening
    @classmethod
    def create(
        cls,
        path: Path,
        config: Frozen,
        *,
        kind: str,
        fingerprint: str,
        resume: bool = False,
        notes: Mapping[str, Any] | None = None,
    ) -> Self:
        """Begin a run in `path`, or with `resume` go on with the one that is there.

        `notes` are further entries of run.json, written when the run begins.

        Raises:
            RunError: `path` holds something else, another run, or the same one without `resume`.
        """
        run = cls(path)
        values = config.to_dict()
        if run.exists:
            run._check_same(values, kind, fingerprint, resume, config.harmless)
            if not run.is_done:
                sweep(run.path, alone=True)
                (run.path / TRACEBACK).unlink(missing_ok=True)
                run._update(status="running", reason="")
            return run
        if run.path.is_dir():
            run._check_empty(values, resume, config.harmless)
        run.path.mkdir(parents=True, exist_ok=True)
        write_text(run.path / CONFIG, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
        info = {
            "kind": kind,
            "status": "running",
            "reason": "",
            "fingerprint": fingerprint,
            "seed": values.get("seed", 0),
        }
        info |= {"versions": versions(), "hardware": hardware(), "timings": {}, "started": _now(), "finished": ""}
        info |= notes or {}
        write_json(run.path / INFO, info)
        return run

    @classmethod
    def check_vacant(cls, path: Path, *, resume: bool) -> None:
        """Refuse a folder that no run can begin in, as far as its files alone tell.

        Raises:
            RunError: `path` holds something else, or a run and `resume` is not given.
        """
        run = cls(path)
        if run.exists:
            run._check_asked(resume)
        elif run.path.is_dir() and not (run.path / CONFIG).is_file():
            run._check_empty({}, resume, ())

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a run that is there.

        Raises:
            RunError: `path` holds no run.
        """
        if not (Path(path) / INFO).is_file():
            if (Path(path) / STUDY).is_file():
                raise RunError(f"{path}: holds a study and is no run; give one of its runs, {path}/runs/NAME")
            raise RunError(f"{path}: holds no run (no {INFO}); give the folder that a run was written to with --out")
        return cls(path)

    def differences(self, config: RunConfig) -> list[str]:
        """Return the settings that change results in which this run and `config` differ, each with both values.

        A precision that is still to be settled differs from none.
        """
        keys = (*config.harmless, *(("precision",) if config.precision == "auto" else ()))
        return _differences(_without(self.config(), keys), _without(config.to_dict(), keys))

    def _check_empty(self, values: dict[str, Any], resume: bool, harmless: tuple[str, ...]) -> None:
        """Raise unless the folder is empty, or holds no more than a run that was killed as it began."""
        for name in (CONFIG, INFO):
            sweep_of(self.path / name)
        known = (artifacts.LOCK, artifacts.SAID, TRACEBACK)
        left = [path.name for path in self.path.iterdir() if path.name not in known]
        if not left:
            return
        if left == [CONFIG]:
            with contextlib.suppress(ConfigError):
                if not _differences(_without(self.config(), harmless), _without(values, harmless)):
                    if resume:
                        return
                    raise RunError(f"{self.path}: holds a run that has just begun; add --resume to go on with it")
        raise RunError(f"{self.path}: is not empty and holds no run; give a new or empty folder")

    def _check_asked(self, resume: bool) -> None:
        if not resume:
            info = self.info()
            raise RunError(
                f"{self.path}: holds a {info.kind} run ({info.status}); "
                "add --resume (in Python resume=True) to go on with it, or give another --out"
            )

    def _check_same(
        self, values: dict[str, Any], kind: str, fingerprint: str, resume: bool, harmless: tuple[str, ...]
    ) -> None:
        self._check_asked(resume)
        info = self.info()
        differences = _differences(_without(self.config(), harmless), _without(values, harmless))
        if info.kind != kind:
            differences.insert(0, f"kind: {info.kind} there, {kind} now")
        if info.fingerprint != fingerprint:
            differences.append("the data, or the weights it starts from, have changed")
        if differences:
            more = f"; and {len(differences) - SHOWN_DIFFERENCES} more" if len(differences) > SHOWN_DIFFERENCES else ""
            named = "; ".join(differences[:SHOWN_DIFFERENCES]) + more
            raise RunError(f"{self.path}: holds another run: {named}. Give another --out")

    # -- reading
    @property
    def exists(self) -> bool:
        """Whether the folder holds a run."""
        return (self.path / INFO).is_file()

    def info(self) -> RunInfo:
        """Return run.json."""
        return RunInfo.read(self.path / INFO)

    def config(self) -> dict[str, Any]:
        """Return config.yaml."""
        return read_yaml(self.path / CONFIG)

    @property
    def status(self) -> str:
        """running, interrupted, done or failed, as run.json has it."""
        return self.info().status

    @property
    def state(self) -> tuple[str, str]:
        """The status and its reason, with the lock's help: a run whose process is gone is not running.

        Of a process on another host nobody here can say whether it lives; the reason names it.
        """
        info = self.info()
        if info.status != "running":
            return info.status, info.reason
        holder = holder_of(self.path / artifacts.LOCK)
        if holder is None or holder.state == "dead":
            return "interrupted", f"its process is gone; {GOES_ON}"
        return "running", str(holder)

    @property
    def is_done(self) -> bool:
        """Whether the run has finished."""
        return self.status == "done"

    def result(self) -> dict[str, Any]:
        """Return result.json.

        Raises:
            RunError: the run has not finished.
        """
        if not (self.path / RESULT).is_file():
            raise RunError(f"{self.path}: has no result, its status is {self.status}; let it finish with --resume")
        return read_json(self.path / RESULT)

    def result_as(self, cls: type[R]) -> R:
        """Return result.json as the class of the run's kind, or as another of its fields.

        Raises:
            RunError: the run has not finished, or has another result.
        """
        return cls.from_dict(self.result(), where=str(self.path / RESULT))

    def record(self, name: str, cls: type[R]) -> R | None:
        """Return a further JSON file of the run; None where the run has none.

        Args:
            name: one of `artifacts`, relative to the run.
            cls: what it holds.

        Raises:
            RunError: it is damaged.
        """
        return cls.read(self.path / name) if (self.path / name).is_file() else None

    def metrics(self) -> list[dict[str, Any]]:
        """Return the lines of metrics.jsonl; a last line cut by a crash is left out."""
        path = self.path / artifacts.LOG
        if not path.is_file():
            return []
        # What follows the last newline is unfinished.
        whole = path.read_bytes().split(b"\n")[:-1]
        lines = [json_object(line, f"{path}, line {i}") for i, line in enumerate(whole, 1)]
        if wrong := [i for i, line in enumerate(lines, 1) if not isinstance(line.get("step"), int)]:
            raise RunError(f"{path}: damaged, line {wrong[0]} names no step; {WAY_OUT}")
        return [{name: _number(value) for name, value in line.items()} for line in lines]

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays of an .npz file of the run, by name.

        Raises:
            RunError: the run has no such file.
        """
        path = self.path / name
        if not path.is_file():
            raise RunError(f"{path}: no such file; the run's status is {self.status}")
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
                return dict(content)
        except (ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            raise RunError(f"{path}: damaged ({error}); {WAY_OUT}") from None

    def predictions(self) -> pa.Table:
        """Return predictions.parquet.

        Raises:
            RunError: the run has none.
        """
        path = self.path / PREDICTIONS
        if not path.is_file():
            raise RunError(f"{self.path}: has no predictions; its status is {self.status}")
        try:
            return pq.read_table(path)
        except (pa.ArrowException, OSError) as error:
            raise RunError(f"{path}: damaged ({error}); {WAY_OUT}") from None

    # -- writing
    def follow(self, listener: Listener) -> None:
        """Let `listener` be told each line of metrics.jsonl that this process writes, once it is in the file."""
        self._listeners.append(listener)

    def append_metrics(self, *, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Append one line: step, epoch and values."""
        line = json_text({"step": step, "epoch": epoch, **values})
        path = self.path / artifacts.LOG
        with named(path), path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        if self._listeners:
            self._lines = len(self.metrics()) if self._lines is None else self._lines + 1
            for listener in self._listeners:
                listener(self._lines, step, epoch, values)

    def truncate_metrics(self, step: int) -> None:
        """Drop lines of steps after `step`: a resumed run writes them again."""
        lines = [line for line in self.metrics() if line["step"] <= step]
        if (self.path / artifacts.LOG).is_file():
            write_text(self.path / artifacts.LOG, "".join(json_text(line) + "\n" for line in lines))
        self._lines = len(lines)

    def write_predictions(self, columns: Mapping[str, list[Any] | np.ndarray]) -> None:
        """Write predictions.parquet, one row a sample."""
        with atomic_path(self.path / PREDICTIONS) as temporary:
            pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), temporary)

    def write_arrays(self, name: str, *, compressed: bool = True, **arrays: np.ndarray | int) -> Path:
        """Write arrays by name to an .npz file of the run, and return its path.

        Args:
            name: one of `artifacts`, relative to the run.
            compressed: counts shrink to a tenth, features hardly at all.
            **arrays: of any shape and type but objects.
        """
        with atomic_path(self.path / name) as temporary, temporary.open("wb") as file:
            (np.savez_compressed if compressed else np.savez)(file, **arrays)  # pyright: ignore[reportArgumentType]
        return self.path / name

    def finish(self, result: Record, timings: Mapping[str, float]) -> None:
        """Write result.json, with the notes of what failed on the way, then mark the run done."""
        write_json(self.path / RESULT, self._noted(result.to_dict()))
        memory = {"memory": self.memory().to_dict()} if self.memory is not None else {}
        self._update(status="done", reason="", timings=dict(timings), finished=_now(), **memory)

    def amend(self, entries: Mapping[str, Any], made: str | None = None) -> None:
        """Add entries to result.json of a finished run, and the notes as they stand; then name the extra `made`."""
        write_json(self.path / RESULT, self._noted(self.result() | dict(entries)))
        if made is not None:
            self._update(extras=[*self.info().extras, made])

    def write_note(self, name: str, words: str, details: str) -> Path:
        """Note that something failed which the run can do without; return the file that keeps the details."""
        path = self._note_path(name)
        write_text(path, f"{name}: {' '.join(words.split())}\n\n{details}")
        return path

    def drop_note(self, name: str) -> None:
        """Take back the note of something that was done after all."""
        self._note_path(name).unlink(missing_ok=True)

    def notes(self) -> list[str]:
        """Return what failed and the run did without, a line each that names the file with the details."""
        paths = sorted((self.path / artifacts.NOTES).glob("[!.]*.txt"))
        first = {path: path.read_text(encoding="utf-8").partition("\n")[0] for path in paths}
        return [f"{line} (details in {path.relative_to(self.path)})" for path, line in first.items()]

    def _noted(self, result: Mapping[str, Any]) -> dict[str, Any]:
        notes = self.notes()
        others = {key: value for key, value in result.items() if key != "notes"}
        return {**others, "notes": notes} if notes else others

    def _note_path(self, name: str) -> Path:
        return self.path / artifacts.NOTES / f"{name.replace(' ', '-')}.txt"

    def drop_checkpoint(self) -> None:
        """Remove the last checkpoint, of a run that has finished: nothing goes on from it."""
        shutil.rmtree(self.checkpoint.parent, ignore_errors=True)

    def interrupt(self) -> None:
        """Mark the run interrupted, by Ctrl-C or a scheduler; `--resume` goes on with it."""
        self._update(status="interrupted", reason=f"stopped by a signal; {GOES_ON}", finished=_now())

    def keep_seconds(self, seconds: float) -> None:
        """Note in run.json how long training took so far, for a run that goes on from here."""
        self._update(timings={FIT_SECONDS: seconds})

    def fail(self, reason: str) -> None:
        """Mark the run failed; what it wrote stays."""
        self._update(status="failed", reason=reason, finished=_now())

    def _update(self, **changes: Any) -> None:
        # As it stands in the file, with the notes that `RunInfo` does not know.
        write_json(self.path / INFO, read_json(self.path / INFO) | changes)

    # -- places
    @property
    def figures(self) -> Path:
        """Where figures go."""
        return self.path / artifacts.FIGURES

    @property
    def checkpoint(self) -> Path:
        """Where the last checkpoint is."""
        return self.path / artifacts.CHECKPOINT

    @property
    def checkpoint_step(self) -> int:
        """The step that the last checkpoint was written after; -1 where there is none, or it cannot be read."""
        try:
            return int(read_json(self.checkpoint / artifacts.MANIFEST)["step"])
        except (OSError, KeyError, RunError):
            return -1

    @property
    def weights(self) -> Path:
        """What a user takes away: tensors."""
        return self.path / artifacts.WEIGHTS

    @property
    def model_json(self) -> Path:
        """What a user takes away: how to build the model, and its preprocessing."""
        return self.path / artifacts.MODEL


def _number(value: Any) -> Any:
    """Return NaN for null: a value that was not finite when it was logged."""
    return float("nan") if value is None else value


def _without(values: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in keys}


def _differences(before: Any, now: Any, key: str = "") -> list[str]:
    """Name the keys in which two configurations differ, with both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = dict.fromkeys([*before, *now])
        return [d for k in keys for d in _differences(before.get(k), now.get(k), f"{key}.{k}" if key else k)]
    return [] if before == now or _same_place(before, now) else [f"{key}: {before!r} there, {now!r} now"]


def _same_place(before: Any, now: Any) -> bool:
    """Whether two values are paths of one file or folder, however each is written."""
    paths = [value for value in (before, now) if isinstance(value, str) and value and os.path.exists(value)]
    return len(paths) == 2 and os.path.samefile(*paths)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
