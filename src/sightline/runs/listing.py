"""The runs and studies below a folder: how each stands, what it scored, how old and how large it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.errors import SightlineError
from sightline.files.lock import holder_of
from sightline.runs import artifacts
from sightline.runs.folder import RunFolder
from sightline.runs.kinds import kind_named
from sightline.runs.metrics import metric_named
from sightline.runs.results import Interval
from sightline.runs.study_folder import StudyFolder

STUDY = "study"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A run or a study, as its files tell.

    Attributes:
        path: its folder.
        kind: of the run, or "study".
        state: running, interrupted, done, failed, or damaged.
        reason: of that state; of a run that goes on, who works on it.
        epoch: of a run that trains, the last that was logged, from 1; 0 before.
        epochs: of them in all; 0 where the run has none.
        metric: of its score; "" without one.
        score: on the test part; None without one.
        runs: of a study, those that are done and those that have begun.
        changed: seconds since 1970 of the last change of its state or its log.
        bytes: of all its files.
    """

    path: Path
    kind: str
    state: str
    reason: str = ""
    epoch: int = 0
    epochs: int = 0
    metric: str = ""
    score: Interval | None = None
    runs: tuple[int, int] = (0, 0)
    changed: float = 0.0
    bytes: int = 0

    @property
    def score_text(self) -> str:
        """Return "68.4 % (65.3 to 71.4 %)", "5 of 9 runs done" of a study, or ""."""
        if self.kind == STUDY:
            return f"{self.runs[0]} of {self.runs[1]} runs done"
        if self.score is None:
            return ""
        metric = metric_named(self.metric)
        return f"{metric.score(self.score.value)} ({metric.interval(self.score.low, self.score.high)})"

    @property
    def state_text(self) -> str:
        """Return the state, of a run that goes on with its epoch: "running, epoch 3 of 20"."""
        if self.state == "running" and self.epochs:
            return f"running, epoch {max(1, self.epoch)} of {self.epochs}"
        return self.state

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a program."""
        score = None if self.score is None else self.score.to_dict()
        values = {"path": str(self.path), "kind": self.kind, "state": self.state, "reason": self.reason}
        values |= {"epoch": self.epoch, "epochs": self.epochs, "metric": self.metric, "score": score}
        return values | {"runs": list(self.runs), "changed": self.changed, "bytes": self.bytes}


def list_runs(folder: Path) -> list[Listed]:
    """Return what is below a folder, itself included, by path; trials inside of a run belong to it."""
    return [_study(path) if is_study else _run(path) for path, is_study in _folders(Path(folder))]


def _folders(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the folders of studies and runs, and whether each is a study."""
    for root, names, files in os.walk(folder):
        names.sort()
        path = Path(root)
        if artifacts.STUDY in files:
            yield path, True
            names[:] = [name for name in names if name == artifacts.RUNS]
        elif artifacts.INFO in files:
            yield path, False
            names.clear()


def _run(path: Path) -> Listed:
    run = RunFolder(path)
    common = {"path": path, "changed": _changed(path, artifacts.INFO, artifacts.LOG), "bytes": _size(path)}
    try:
        info, (state, reason) = run.info(), run.state
        kind = kind_named(info.kind)
        result = run.result_as(kind.result) if state == "done" else None
        score = getattr(result, kind.metric, None) if kind.metric else None
        lines = run.metrics() if state == "running" else []
        epochs = int(run.config().get("epochs", 0)) if state == "running" else 0
    except (SightlineError, ValueError, TypeError) as error:
        return Listed(kind="run", state="damaged", reason=str(error), **common)
    epoch = int(lines[-1].get("epoch", 0)) + 1 if lines else 0
    return Listed(
        kind=info.kind, state=state, reason=reason, epoch=epoch, epochs=epochs, score=score,
        metric=kind.metric if score is not None else "", **common,
    )  # fmt: skip


def _study(path: Path) -> Listed:
    study, holder = StudyFolder(path), holder_of(path / artifacts.LOCK)
    common = {"path": path, "kind": STUDY, "bytes": _size(path)}
    changed = [_changed(run.path, artifacts.INFO, artifacts.LOG) for run in study.runs().values()]
    common["changed"] = max([_changed(path, artifacts.STUDY, artifacts.RESULT), *changed])
    try:
        states = [run.state[0] for run in study.runs().values()]
        failed = [arm.arm for arm in study.result.arms if arm.status == "failed"] if study.has_result else []
    except SightlineError as error:
        return Listed(state="damaged", reason=str(error), **common)
    runs = (states.count("done"), len(states))
    if holder is not None and holder.state != "dead":
        return Listed(state="running", reason=str(holder), runs=runs, **common)
    if not study.has_result:
        return Listed(state="interrupted", reason="the same command goes on with it", runs=runs, **common)
    reason = f"arm {', '.join(failed)} failed" if failed else ""
    return Listed(state="failed" if failed else "done", reason=reason, runs=runs, **common)


def _changed(path: Path, *names: str) -> float:
    return max((file.stat().st_mtime for name in names if (file := path / name).is_file()), default=0.0)


def _size(path: Path) -> int:
    """Return the bytes of all files; one that goes meanwhile, as a checkpoint that is replaced, counts as none."""
    total = 0
    for root, _, files in os.walk(path):
        for name in files:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except FileNotFoundError:
                continue
    return total
