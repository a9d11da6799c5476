"""The keys that the configuration of every kind of run has."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from sightline.config.base import Resolved
from sightline.config.loggers import LoggerNames, logger_words
from sightline.config.types import Device, Positive, Precision, Threads, Weight

# Images at a time where nothing is trained: near the fastest on a CPU at 64 px and at 224 (docs/log.md).
FEATURE_BATCH = 96


class RunConfig(Resolved):
    """The base of the configuration of every kind of run: seed, device, precision, threads, checkpoints."""

    if TYPE_CHECKING:
        # Each kind of run declares its own, for example `kind: Literal["classify"] = "classify"`.
        kind: str = ""

    harmless: ClassVar[tuple[str, ...]] = (
        "workers", "checkpoint_minutes", "keep_checkpoint", "environment", "devices", "logger", "group",
    )  # fmt: skip

    seed: int = Field(default=0, description="Seed of every random draw of the run.")
    device: Device = Field(default="auto", description="Device to compute on: auto, cpu, cuda or mps.")
    devices: Positive = Field(
        default=1, description="Processes that train together, one a device; torchrun tells it by how many it starts."
    )
    precision: Precision = Field(
        default="auto",
        description="Precision of the arithmetic: 32-true or bf16-mixed; auto measures both once and says which won.",
    )
    # auto: all cores are busy where the CPU trains, and one thread more holds up each product that they share
    # (docs/log.md).
    workers: Threads | Literal["auto"] = Field(
        default="auto",
        description="Threads that prepare batches ahead; 0 prepares them in the loop; auto takes 1 beside a GPU and 0 "
        "where the CPU trains.",
    )
    threads: Threads = Field(default=0, description="Threads of torch on a CPU; 0 leaves torch's own choice.")
    checkpoint_minutes: Weight = Field(
        default=5.0, description="Minutes between checkpoints: at most this much work is lost to a crash."
    )
    keep_checkpoint: bool = Field(
        default=False,
        description="Whether a finished run keeps its last checkpoint, optimizer state and all; its weights stay.",
    )
    log_every: Positive = Field(default=10, description="Steps between two lines of metrics.jsonl.")
    logger: LoggerNames = Field(
        default=(), description=f"Programs that the run is mirrored in beside metrics.jsonl: {logger_words()}."
    )
    group: str = Field(
        default="", description="Name under which a logger shows this run with others; a study gives its own."
    )
