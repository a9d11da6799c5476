"""architecture.json, typed: a network as it was when one image was run through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sightline.runs.record import Record

Role = Literal["encoder", "context", "decoder", "head"]
State = Literal["kept", "zeroed", "removed", "random", "fixed"]
# What readers call a segmentation model; one that is not here is called by its name.
TITLES = {"unet": "U-Net", "deeplabv3plus": "DeepLabV3+"}


@dataclass(frozen=True, kw_only=True)
class StageDescription(Record):
    """One stage.

    Attributes:
        name: as in `Segmenter.outputs`.
        label: for a reader: the module's name where it has one.
        role: encoder, context (DeepLabV3+'s pyramid), decoder or head.
        index: of the encoder feature at whose resolution it is; None where there is none.
        channels: that it gives out.
        height: of its map, in pixels.
        width: likewise.
        stride: image pixels to one of its own.
        parameters: of its module; None where it has no module of its own.
    """

    name: str
    label: str
    role: Role
    index: int | None
    channels: int
    height: int
    width: int
    stride: int
    parameters: int | None


@dataclass(frozen=True, kw_only=True)
class SkipDescription(Record):
    """One skip connection.

    Attributes:
        index: of the encoder feature.
        source: stage that it leaves.
        target: stage that it enters.
        channels: that it carries.
        stride: of its map.
        state: kept; zeroed or removed, as the policy drops it; random, where training drops one a sample; fixed, where
            the architecture has it and it cannot be dropped.
    """

    index: int
    source: str
    target: str
    channels: int
    stride: int
    state: State


@dataclass(frozen=True, kw_only=True)
class ArchitectureDescription(Record):
    """architecture.json: a whole network.

    Attributes:
        model: name of the architecture.
        encoder: name of the backbone.
        stem: published or 3x3.
        classes: number of classes.
        height: of the image that was run, padded to what the network needs.
        width: likewise.
        parameters: of the whole network.
        encoder_parameters: of its encoder.
        stages: in the order they run.
        skips: shallowest first.
        aspp_rates: dilations of the spatial pyramid; () without one.
        drop: what the policy drops, as it was asked for.
        mode: zero or structural.
        match_parameters: whether blocks were widened in return.
    """

    model: str
    encoder: str
    stem: str
    classes: int
    height: int
    width: int
    parameters: int
    encoder_parameters: int
    stages: tuple[StageDescription, ...]
    skips: tuple[SkipDescription, ...]
    aspp_rates: tuple[int, ...]
    drop: str | int | None
    mode: str
    match_parameters: bool


def network_title(model: str) -> str:
    """Return what a reader calls a segmentation model, "U-Net" for unet."""
    return TITLES.get(model, model)
