"""What a run asks of the machine that does it."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.study.node import Node

CORES = 4  # of a run that names no threads: what reads and prepares images for one device


@dataclass(frozen=True)
class Resources:
    """What a run asks for.

    Attributes:
        gpus: devices of CUDA.
        cores: of processors.
    """

    gpus: int
    cores: int


def resources_of(node: Node) -> Resources:
    """Return what a run asks for: GPUs where its configuration says `device: cuda`, one for each of its processes."""
    config = node.config
    devices = config.devices if config.device == "cuda" else 0
    return Resources(gpus=devices, cores=config.devices * (config.threads or CORES))
