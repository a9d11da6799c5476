"""Freezing of a backbone: nothing of it is trained, its last stage, or all."""

from __future__ import annotations

from typing import Any

from torch import nn

from sightline.config.types import Train

NORMS = ("BatchNorm", "LayerNorm", "GroupNorm", "RMSNorm")
# A child that holds more of the parameters than this is the trunk, not a stage of it: a ResNet's last stage holds 65 to
# 75 %, a `features` or an `encoder` nearly all.
TRUNK = 0.9


def freeze(backbone: nn.Module, train: Train) -> None:
    """Let only what `train` names be learned, in place; the rest stands still from now on.

    Args:
        backbone: a `Backbone`.
        train: head (nothing of the backbone), last-stage, or all.
    """
    if train == "all":
        return
    backbone.requires_grad_(False)
    if train == "last-stage":
        names = [name for name, _ in backbone.named_parameters()]
        stage = f"{last_stage(backbone)}."
        first = next(index for index, name in enumerate(names) if name.startswith(stage))
        for _, parameter in list(backbone.named_parameters())[first:]:
            parameter.requires_grad_(True)
    hold_still(backbone)


def is_frozen(module: nn.Module) -> bool:
    """Return whether nothing of `module` is learned."""
    return not any(parameter.requires_grad for parameter in module.parameters())


def hold_still(module: nn.Module) -> None:
    """Put every part of which nothing is learned into evaluation mode: its batch norms keep their statistics."""
    parts = list(module.children())
    if is_frozen(module):
        module.eval()
        return
    for part in parts:
        if next(part.parameters(), None) is not None:
            hold_still(part)


def last_stage(backbone: nn.Module) -> str:
    """Return the name of the module from which on the last stage of a backbone begins.

    It is what timm's `feature_info` names last: layer4 of a ResNet, the last stage of a ConvNeXt, the last block of a
    ViT. Elsewhere it is the last child of the trunk, norms left out: torchvision's layer4, features.7 of a ConvNeXt,
    the last layer of a ViT's encoder. All that a backbone registers after it, for example a last norm, is trained
    with it.
    """
    inner: Any = backbone.inner
    names = [entry["module"] for entry in getattr(inner, "feature_info", None) or []]
    named = dict(inner.named_modules())
    # Of a DenseNet it names the last norm, of a VGG a pooling: neither is a stage.
    if names and names[-1] in named and _size(named[names[-1]]):
        return f"inner.{names[-1]}"
    path, module, whole = "inner", inner, _size(inner)
    while True:
        stages = [(name, child) for name, child in module.named_children() if _size(child)]
        if not stages:
            return path
        name, child = stages[-1]
        path, module = f"{path}.{name}", child
        if _size(child) <= TRUNK * whole:
            return path


def _size(module: nn.Module) -> int:
    """Return how many parameters there are, those of norms left out."""
    return sum(
        parameter.numel()
        for part in module.modules()
        if not any(norm in type(part).__name__ for norm in NORMS)
        for parameter in part.parameters(recurse=False)
    )
