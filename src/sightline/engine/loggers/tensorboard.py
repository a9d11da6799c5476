"""TensorBoard: event files in RUN/tensorboard, so that `tensorboard --logdir runs` shows each run by its path."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from PIL import Image

from sightline.engine.loggers.base import Entry, RunLogger


class TensorBoard(RunLogger):
    """Writes event files by torch's own writer."""

    def __init__(self, writer: Any) -> None:
        self._writer, self._step = writer, 0

    @classmethod
    def open(cls, entry: Entry) -> Self:
        """Open a further event file; TensorBoard reads all of a folder as one run."""
        # Imported by name: without its extra the package is not there.
        package = import_module("torch.utils.tensorboard")
        logger = cls(package.SummaryWriter(str(entry.folder / "tensorboard")))
        logger.id = "tensorboard"
        if not entry.id:
            summary = import_module("torch.utils.tensorboard.summary")
            known = {key: value for key, value in entry.config.items() if value is not None}
            # Into this run's own folder; `add_hparams` would begin another one beside it.
            for part in summary.hparams(known, {}):
                logger._writer.file_writer.add_summary(part)
            if entry.group:
                logger._writer.add_text("group", entry.group)
        return logger

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log one point a name, and flush: a run that is killed has lost nothing."""
        self._step = step
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def picture(self, name: str, path: Path, step: int) -> None:
        """Log a picture."""
        with Image.open(path) as image:
            self._writer.add_image(name, np.asarray(image.convert("RGB")), step, dataformats="HWC")

    def end(self, status: Literal["done", "failed", "interrupted"], result: Mapping[str, float]) -> None:
        """Log the result as last points, and close the file."""
        for name, value in result.items():
            self._writer.add_scalar(name, value, self._step)
        self._writer.add_text("status", status, self._step)
        self._writer.close()
