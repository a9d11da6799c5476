"""MLflow: a run in the store of MLFLOW_TRACKING_URI, by default MLflow's own in the working folder.

The experiment is MLFLOW_EXPERIMENT_NAME, else the run's group, else "sightline".
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Self

from sightline.engine.loggers.base import Entry, RunLogger

STATUS = {"done": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
LONGEST = 500  # characters of a parameter; older servers take no more
AT_ONCE = 100  # parameters that a server takes together
# What a name may not hold.
OTHER = re.compile(r"[^\w\-. /]")


class MLflow(RunLogger):
    """Speaks to MLflow by its client, which keeps no global state: several runs of one process do not meet."""

    def __init__(self, package: Any, client: Any) -> None:
        self._package, self._client = package, client

    @classmethod
    def open(cls, entry: Entry) -> Self:
        """Create a run, or go on with the one of `entry.id`."""
        # Sightline sends nothing of itself, and lets no other package do so for it.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        package = import_module("mlflow")
        logger = cls(package, package.MlflowClient())
        if entry.id:
            logger.id = entry.id
            logger._client.update_run(entry.id, status="RUNNING")
            return logger
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or entry.group or "sightline"
        experiment = logger._client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment is not None else logger._client.create_experiment(name)
        tags = {"sightline.kind": entry.kind, "sightline.group": entry.group, "sightline.folder": str(entry.folder)}
        logger.id = logger._client.create_run(number, run_name=entry.name, tags=tags).info.run_id
        logger._log_parameters(entry.config)
        return logger

    def _log_parameters(self, config: Mapping[str, Any]) -> None:
        make = self._package.entities.Param
        items = [make(OTHER.sub("_", key), str(value)[:LONGEST]) for key, value in config.items()]
        for begin in range(0, len(items), AT_ONCE):
            self._client.log_batch(self.id, params=items[begin : begin + AT_ONCE])

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log one point a name."""
        now, make = int(time.time() * 1000), self._package.entities.Metric
        metrics = [make(OTHER.sub("_", name), float(value), now, step) for name, value in values.items()]
        self._client.log_batch(self.id, metrics=metrics)

    def picture(self, name: str, path: Path, step: int) -> None:
        """Keep a picture among the artifacts."""
        del step
        self._client.log_artifact(self.id, str(path), name.partition("/")[0])

    def end(self, status: Literal["done", "failed", "interrupted"], result: Mapping[str, float]) -> None:
        """Log the result, and set the run's status."""
        if result:
            self.scalars(0, result)
        self._client.set_terminated(self.id, STATUS[status])
