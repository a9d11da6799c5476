"""The loggers that a run can be mirrored in, by name. To add one: a file in `engine/loggers/` and a line here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from sightline.errors import nearest


@dataclass(frozen=True)
class LoggerEntry:
    """A program that people watch their runs in.

    Attributes:
        path: "module:Class" of the `RunLogger`; imported when it is asked for, as this room loads no package.
        package: that it imports; the extra that brings it has the logger's name.
        words: what it is, for help.
    """

    path: str
    package: str
    words: str


_ROOM = "sightline.engine.loggers"
LOGGERS: dict[str, LoggerEntry] = {
    "tensorboard": LoggerEntry(f"{_ROOM}.tensorboard:TensorBoard", "tensorboard", "event files in RUN/tensorboard"),
    "mlflow": LoggerEntry(f"{_ROOM}.mlflow:MLflow", "mlflow", "MLflow, where MLFLOW_TRACKING_URI says"),
    "wandb": LoggerEntry(f"{_ROOM}.wandb:WeightsAndBiases", "wandb", "Weights & Biases; offline by WANDB_MODE=offline"),
}  # fmt: skip


def logger_words() -> str:
    """Return all loggers by name, with what they are: for help."""
    return ", ".join(f"{name} ({entry.words})" for name, entry in LOGGERS.items())


def _checked(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in LOGGERS:
            raise ValueError(f"{name!r} is no logger; expected {', '.join(LOGGERS)}.{nearest(name, LOGGERS)}")
    return tuple(dict.fromkeys(names))


LoggerNames = Annotated[tuple[str, ...], AfterValidator(_checked)]
