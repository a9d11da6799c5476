"""A network described by running it once: stages, shapes, strides, skips, parameters, as plain data for JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from sightline.models.libraries.base import RESNET_PARTS
from sightline.models.segmentation.segmenter import Segmenter
from sightline.models.segmentation.skipping import SkippingSegmenter, policy_of

SIZE = 256  # pixels of the image that is run: usual for a crop, and readable in every stage
Role = Literal["encoder", "context", "decoder", "head"]
State = Literal["kept", "zeroed", "removed", "random", "fixed"]


@dataclass(frozen=True)
class StageDescription:
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


@dataclass(frozen=True)
class SkipDescription:
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


@dataclass(frozen=True)
class ArchitectureDescription:
    """A whole network; `dataclasses.asdict` of it is JSON.

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


@torch.no_grad()
def describe(segmenter: Segmenter, height: int = SIZE, width: int = SIZE) -> ArchitectureDescription:
    """Run one black image of that size, in evaluation mode, and describe what happened; the network stays as it was."""
    training, device = segmenter.training, next(segmenter.parameters()).device
    segmenter.eval()
    outputs = segmenter.outputs(torch.zeros(1, segmenter.in_chans, height, width, device=device))
    segmenter.train(training)
    stages = {name: value for name, value in outputs.stages.items() if not name.startswith("skip.")}
    stages["logits"] = outputs.logits
    padded = height + -height % segmenter.stride, width + -width % segmenter.stride
    parts, policy = segmenter.parts(), policy_of(segmenter)
    return ArchitectureDescription(
        model=segmenter.name,
        encoder=segmenter.encoder_name,
        stem=segmenter.stem,
        classes=segmenter.classes,
        height=padded[0],
        width=padded[1],
        parameters=_count([segmenter]),
        encoder_parameters=_count([segmenter.encoder]),
        stages=tuple(_stage(segmenter, name, value, padded, parts.get(name)) for name, value in stages.items()),
        skips=_skips(segmenter, stages, padded[1]),
        aspp_rates=_aspp_rates(parts.get("aspp")),
        drop=policy.drop,
        mode=policy.mode,
        match_parameters=policy.match_parameters,
    )


def _stage(
    segmenter: Segmenter, name: str, value: Tensor, padded: tuple[int, int], part: nn.Module | None
) -> StageDescription:
    kind, _, number = name.partition(".")
    index = int(number) if number.isdigit() else None
    roles: dict[str, Role] = {"encoder": "encoder", "aspp": "context", "low_level": "context", "logits": "head"}
    height, width = padded if name == "logits" else value.shape[2:]
    return StageDescription(
        name=name,
        label=_label(segmenter, name, index),
        role=roles.get(kind, "decoder"),
        index=index,
        channels=value.shape[1],
        height=height,
        width=width,
        stride=padded[1] // width,
        parameters=None if part is None else _count([part]),
    )


def _label(segmenter: Segmenter, name: str, index: int | None) -> str:
    fixed = {"aspp": "ASPP", "low_level": "1×1 conv", "fused": "decoder", "decoder": "decoder", "logits": "head"}
    if name in fixed:
        return fixed[name]
    if name.startswith("encoder.") and index is not None and name in segmenter.parts():
        return "stem" if index == 1 else RESNET_PARTS[index][0]
    if name.startswith("encoder."):
        return f"stage {index}"
    return name if index is None else f"up {index}"


def _skips(segmenter: Segmenter, stages: dict[str, Tensor], width: int) -> tuple[SkipDescription, ...]:
    skips: list[tuple[int, str, State]] = []
    if isinstance(segmenter, SkippingSegmenter):
        gone: State = "zeroed" if segmenter.policy.mode == "zero" else "removed"
        other: State = "random" if segmenter.policy.drop == "random" else "kept"
        skips = [(i, f"decoder.{i}", other if i in segmenter.carried else gone) for i in segmenter.skips]
    if "low_level" in stages:
        skips.append((2, "low_level", "fixed"))
    return tuple(
        SkipDescription(
            index=index,
            source=f"encoder.{index}",
            target=target,
            channels=stages[f"encoder.{index}"].shape[1],
            stride=width // stages[f"encoder.{index}"].shape[3],
            state=state,
        )
        for index, target, state in skips
    )


def _aspp_rates(aspp: nn.Module | None) -> tuple[int, ...]:
    if aspp is None:
        return ()
    convolutions = [module for module in aspp.modules() if isinstance(module, nn.Conv2d)]
    return tuple(int(c.dilation[0]) for c in convolutions if c.dilation[0] > 1)


def _count(modules: Iterable[nn.Module]) -> int:
    return sum(value.numel() for module in modules for value in module.parameters())
