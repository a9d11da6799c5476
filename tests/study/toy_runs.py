"""Runs of a study that take no time: what they do stands in their name."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from sightline.config import ClassifyConfig, RunConfig
from sightline.errors import DataError
from sightline.files import locked
from sightline.study.node import Node


@dataclass(frozen=True)
class ToyNode(Node):
    """A run that writes its process's number.

    `bad…` fails, `long…` takes long, `dies…` is killed, `dies-once…` the first time only, `kills…` kills its parent.
    """

    @property
    def what(self):
        return SimpleNamespace(run="toy_runs:run")


def toy(name: str, *needs: str, **keys: object) -> ToyNode:
    return ToyNode(name, "classify", ClassifyConfig.build({"data": {"source": "photos"}, **keys}), needs, name)


def run(config: RunConfig, path: Path, resume: bool) -> None:
    assert resume
    del config
    with locked(path / ".lock", str(path)):
        print(f"toy {path.name} on stdout")
        with (path / "begun.txt").open("a") as file:
            file.write(f"{os.getpid()}\n")
        begun = len((path / "begun.txt").read_text().splitlines())
        if path.name.startswith("bad"):
            raise DataError("photos: no such folder")
        if path.name.startswith("dies") and ("once" not in path.name or begun == 1):
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        if path.name.startswith("kills"):
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(600)
        if path.name.startswith("long"):
            time.sleep(600)
