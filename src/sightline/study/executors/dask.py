"""Runs on the workers of a dask cluster."""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker

from sightline.errors import ConfigError, TrainingFailed
from sightline.study.apart import Order, run_apart, stop_processes
from sightline.study.executors.resources import resources_of
from sightline.study.node import Node
from sightline.study.outcome import Lost, Outcome

CONNECT = 30.0  # seconds for a scheduler to answer
PARTING = 120.0  # seconds for runs that were stopped to write their checkpoints


@dataclass(frozen=True)
class Task:
    """A run that a worker was asked for."""

    future: Future

    def done(self) -> bool:
        """Whether it has ended, or is not there any more."""
        return self.future.status in ("finished", "error", "cancelled", "lost")

    def result(self) -> Outcome:
        """Return what became of it.

        Raises:
            Lost: its worker is gone; dask has then tried others.
        """
        if self.future.status in ("cancelled", "lost"):
            raise Lost("the scheduler of the cluster dropped it")
        error = self.future.exception()
        if isinstance(error, KilledWorker):
            raise Lost(f"the workers that began it died, {error.allowed_failures + 1} of them", final=True)
        if isinstance(error, Lost):
            raise error
        if error is not None:
            return Outcome("failed", f"a worker could not begin it: {type(error).__name__}: {error}")
        return self.future.result()


class Cluster:
    """The workers of a cluster; each does as many runs at a time as it has threads.

    Args:
        address: of the scheduler, `tcp://HOST:8786`, or a scheduler file.

    Raises:
        ConfigError: no scheduler answers there.
    """

    poll, aside = 0.5, True

    def __init__(self, address: str) -> None:
        where: dict[str, Any] = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
        try:
            self._client: Any = Client(**where, timeout=CONNECT, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            words = " ".join(str(error).split()) or type(error).__name__
            raise ConfigError(
                f"--cluster {address}: no scheduler answers there ({words}); "
                "`dask scheduler` prints its address as it begins"
            ) from None
        self._address, self._folder = address, ""
        self._futures: list[Future] = []

    @property
    def slots(self) -> int:
        """The threads of all workers; one where none has come yet."""
        return max(1, sum(self._client.nthreads().values()))

    def submit(self, node: Node, folder: Path) -> Task:
        """Ask the cluster for a run.

        Raises:
            TrainingFailed: the scheduler is gone.
        """
        if self._client.status != "running":
            raise TrainingFailed(
                f"the scheduler at {self._address} is gone; what is done stays done, and the same command goes on"
            )
        self._folder = str(folder)
        gpus = resources_of(node).gpus
        future = self._client.submit(
            run_apart,
            Order(node, folder, os.getcwd()),
            key=f"{node.name}-{uuid.uuid4().hex[:8]}",
            resources={"GPU": gpus} if gpus else None,
            pure=False,
        )
        self._futures.append(future)
        return Task(future)

    def stop(self) -> None:
        """Let the workers' runs write their checkpoints and end."""
        self._client.cancel(self._futures, force=True)
        until = time.monotonic() + PARTING
        while any(self._client.run(stop_processes, self._folder).values()) and time.monotonic() < until:
            time.sleep(self.poll)

    def close(self) -> None:
        """Leave the cluster; it goes on."""
        self._client.close()
