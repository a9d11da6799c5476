"""A network described by running it once: stages, shapes, strides, skips, parameters, as plain data for JSON."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from sightline.models.libraries.base import RESNET_PARTS
from sightline.models.segmentation.segmenter import Segmenter
from sightline.models.segmentation.skipping import SkippingSegmenter, policy_of
from sightline.runs.architecture import ArchitectureDescription, Role, SkipDescription, StageDescription, State

SIZE = 256  # pixels of the image that is run: usual for a crop, and readable in every stage


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
