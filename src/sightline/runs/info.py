"""run.json, typed: what a run is, how it stands, and what it ran on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sightline.runs.record import Record
from sightline.runs.results import MethodReport

FIT_SECONDS = "fit_seconds"  # of timings: of training, or of judging what is not trained
GOES_ON = "the same command with --resume goes on"  # of a run that was stopped


@dataclass(frozen=True, kw_only=True)
class Hardware(Record):
    """The machine; memory in GiB, 0 where it could not be read."""

    processor: str
    cores: int
    memory_gib: int
    platform: str


@dataclass(frozen=True, kw_only=True)
class Provenance(Record):
    """What numbers were made with."""

    versions: Mapping[str, str] = field(default_factory=dict)
    hardware: Hardware | None = None


@dataclass(frozen=True, kw_only=True)
class Precision(Record):
    """Which precision a run computes in, why, and the seconds of a step that spoke for it, by precision."""

    chosen: str
    reason: str
    seconds: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Memory(Record):
    """The most memory that a run took, in bytes, in the call that finished it; of several processes of the first.

    Attributes:
        host: resident set of the process, files that it maps included; None where the system does not tell.
        device: of the GPU, as torch allocated it; None on a CPU.
    """

    host: int | None = None
    device: int | None = None


@dataclass(frozen=True, kw_only=True)
class RunInfo(Provenance):
    """run.json.

    Attributes:
        kind: a name of `KINDS`.
        status: running, interrupted, done or failed.
        reason: why it failed or was interrupted, else "".
        fingerprint: of the data and of the weights it starts from.
        seed: of every random draw.
        timings: seconds by what was timed.
        started: ISO time.
        finished: ISO time, "" until it is.
        precision: of a run that trains.
        method: of a pretrain run, what its method tells of itself.
        extras: what was made after the result, by name.
        memory: that it took; None of a run that is not finished, or of an earlier version.
    """

    kind: str
    status: str
    reason: str
    fingerprint: str
    seed: int
    timings: Mapping[str, float]
    started: str
    finished: str
    precision: Precision | None = None
    method: MethodReport | None = None
    extras: tuple[str, ...] = ()
    memory: Memory | None = None

    @property
    def fit_seconds(self) -> float:
        """How long training, or the judging of what is not trained, took."""
        return self.timings[FIT_SECONDS]
