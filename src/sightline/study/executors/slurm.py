"""Runs as jobs of SLURM, by submitit."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from submitit import AutoExecutor, Job
from submitit.core.utils import FailedJobError, UncompletedJobError
from submitit.helpers import DelayedSubmission

from sightline.errors import ConfigError
from sightline.runs import artifacts
from sightline.study.apart import PARTING, Order, run_apart, stop_processes
from sightline.study.executors.resources import resources_of
from sightline.study.node import Node
from sightline.study.outcome import Lost, Outcome

MANY = 1000  # SLURM has a queue of its own
MINUTES = 12 * 60  # a job is submitted again when its time is over, and goes on from its checkpoint


class Work:
    """A run as submitit takes it: called on a node of the cluster, asked for a checkpoint when its time is over."""

    def __init__(self, order: Order) -> None:
        self.order = order

    def __call__(self) -> Outcome:
        """Do the run."""
        return run_apart(self.order)

    def checkpoint(self, *_: Any) -> DelayedSubmission:
        """Let the run write its checkpoint, and return what is to be submitted again."""
        until = time.monotonic() + PARTING
        while stop_processes(str(self.order.folder)) and time.monotonic() < until:
            time.sleep(0.5)
        return DelayedSubmission(self)


@dataclass(frozen=True)
class Submitted:
    """A job."""

    job: Job[Outcome]

    def done(self) -> bool:
        """Whether it has ended."""
        return self.job.done()

    def result(self) -> Outcome:
        """Return what became of the run.

        Raises:
            Lost: the job ended without an outcome.
        """
        try:
            return self.job.result()
        except (FailedJobError, UncompletedJobError):
            raise Lost(f"job {self.job.job_id} ended as {self.job.state}, {self.job.paths.stderr} tells more") from None


class Slurm:
    """A partition of a cluster. SBATCH_ variables (SBATCH_TIMELIMIT, SBATCH_ACCOUNT) stand above what is asked here.

    Args:
        partition: its name.
        cluster: "slurm"; or "local", processes of this machine that stand for jobs.
        slots: jobs at a time.

    Raises:
        ConfigError: SLURM is not on this machine.
    """

    poll, aside = 1.0, True

    def __init__(self, partition: str, cluster: str = "slurm", slots: int = MANY) -> None:
        if cluster == "slurm" and shutil.which("srun") is None:
            raise ConfigError(f"--slurm {partition}: no srun here; run it on a machine that SLURM takes jobs from")
        self._partition, self._cluster, self.slots = partition, cluster, slots
        self._jobs: list[Job[Outcome]] = []

    def submit(self, node: Node, folder: Path) -> Submitted:
        """Submit a run as a job."""
        executor = AutoExecutor(folder / artifacts.JOBS / "%j", cluster=self._cluster)
        asked = resources_of(node)
        executor.update_parameters(
            name=f"{folder.name}-{node.name}", timeout_min=MINUTES, gpus_per_node=asked.gpus,
            cpus_per_task=asked.cores, slurm_partition=self._partition,
        )  # fmt: skip
        job = executor.submit(Work(Order(node, folder, os.getcwd())))
        self._jobs.append(job)
        return Submitted(job)

    def stop(self) -> None:
        """Cancel the jobs, and wait until their runs have written their checkpoints."""
        jobs = [job for job in self._jobs if not job.done()]
        for job in jobs:
            job.cancel(check=False)
        until = time.monotonic() + PARTING
        while not all(job.done() for job in jobs) and time.monotonic() < until:
            time.sleep(self.poll)

    def close(self) -> None:
        """Do nothing: jobs end by themselves."""
