"""Weights & Biases: a run of the project WANDB_PROJECT, else "sightline"; files in RUN/wandb.

WANDB_MODE=offline keeps all of it there, for `wandb sync RUN/wandb/offline-run-*`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Self

from sightline.engine.loggers.base import Entry, RunLogger

STEP = "step"  # the axis of every chart: steps of the optimizer, not calls of W&B


class WeightsAndBiases(RunLogger):
    """Logs by a run object of W&B; several can be open in one process."""

    def __init__(self, package: Any, run: Any) -> None:
        self._package, self._run = package, run

    @classmethod
    def open(cls, entry: Entry) -> Self:
        """Begin a run, or go on with the one of `entry.id`, in a study under its name as the group."""
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        package = import_module("wandb")
        # Of the folder and not by chance, so that a run whose state was lost does not appear twice.
        name = entry.id or hashlib.sha256(str(entry.folder.resolve()).encode()).hexdigest()[:12]
        run = package.init(
            project=os.environ.get("WANDB_PROJECT") or "sightline",
            name=entry.name,
            group=entry.group or None,
            job_type=entry.kind,
            config=dict(entry.config),
            dir=str(entry.folder),
            id=name,
            resume="allow",
            reinit="create_new",
            settings=package.Settings(silent=True, console="off"),
        )
        run.define_metric(STEP)
        run.define_metric("*", step_metric=STEP)
        logger = cls(package, run)
        logger.id = name
        return logger

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log one line of the history."""
        self._run.log({**values, STEP: step})

    def picture(self, name: str, path: Path, step: int) -> None:
        """Log a picture."""
        self._run.log({name: self._package.Image(str(path)), STEP: step})

    def end(self, status: Literal["done", "failed", "interrupted"], result: Mapping[str, float]) -> None:
        """Write the result into the summary, and wait until all is sent or written."""
        self._run.summary.update({**result, "status": status})
        self._run.finish(exit_code=0 if status == "done" else 1)
