"""Opening a run: process group, run folder on the first process only, and an honest end whatever happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from sightline.config import RunConfig
from sightline.runs import RunFolder


@contextmanager
def recorded_run(
    fabric: Fabric,
    out: Path,
    config: RunConfig,
    *,
    kind: str,
    fingerprint: str,
    resume: bool,
    notes: Mapping[str, Any] | None = None,
) -> Iterator[RunFolder]:
    """Yield the run folder; on an error its status becomes failed with the reason, on an interruption it stays running.

    `notes` are further entries of run.json, written when the run begins.

    Raises:
        RunError: `out` holds another run, or one with other settings or data.
    """
    if fabric.is_global_zero:
        RunFolder.create(out, config, kind=kind, fingerprint=fingerprint, resume=resume, notes=notes)
    fabric.barrier()
    run = RunFolder.open(out)
    try:
        yield run
    except Exception as error:
        if fabric.is_global_zero:
            run.fail(f"{type(error).__name__}: {error}")
        raise
