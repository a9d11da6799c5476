"""What becomes of a run of a study: it is done, it failed, or it could not be had; or whoever did it is gone."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sightline.errors import NotAvailable, SightlineError
from sightline.files import explained, keep_traceback
from sightline.runs import RunFolder, StudyFolder
from sightline.runs.kinds import import_dotted
from sightline.study.node import Node


@dataclass(frozen=True)
class Outcome:
    """What became of a node: done, failed or not run, and why."""

    status: Literal["done", "failed", "not run"]
    reason: str = ""


class Lost(Exception):
    """The process or the machine that did a run is gone; another may go on from its checkpoint.

    Attributes:
        final: whether it was tried often enough already.
    """

    def __init__(self, reason: str, final: bool = False) -> None:
        super().__init__(reason, final)
        self.reason, self.final = reason, final


def run_node(node: Node, folder: Path) -> Outcome:
    """Run one node in this process, going on from its checkpoint; errors of its own become its outcome.

    The traceback of one that nobody foresaw is kept in the run's folder, and the other nodes are run.
    """
    path = StudyFolder(folder).run_path(node.name)
    try:
        # Imported here, where torch is needed: planning and reporting do without.
        import_dotted(node.what.run)(node.settled(StudyFolder(folder)).config, path, resume=True)
    except NotAvailable as error:
        return Outcome("not run", str(error))
    except SightlineError as error:
        return Outcome("failed", str(error))
    except Exception as error:
        if known := explained(error):
            return Outcome("failed", known[0])
        with contextlib.suppress(OSError):
            return Outcome("failed", f"{_named(error)}; the traceback is in {keep_traceback(error, path)}")
        return Outcome("failed", _named(error))
    return Outcome("done")


def _named(error: Exception) -> str:
    return f"a fault of Sightline: {type(error).__name__}: {str(error).strip().partition(chr(10))[0][:300]}"


def recorded_outcome(node: Node, folder: Path) -> Outcome:
    """Return what the run folder itself says, for a node that was not asked to run now."""
    run = RunFolder(StudyFolder(folder).run_path(node.name))
    if not run.exists:
        return Outcome("not run", "left out by --only; the same command without it runs it")
    return Outcome("done") if run.is_done else Outcome("not run", f"its run is {run.status}")
