"""Backbones of timm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import timm
from timm.models.resnet import ResNet
from torch import Tensor, nn

from sightline.errors import ConfigError
from sightline.models.libraries.base import RESNET_PARTS, RGB, Library, Pyramid


def _architecture(name: str) -> str:
    # timm names its published weights after a dot: resnet50.a1_in1k
    return name.partition(".")[0]


def _build(name: str, in_chans: int) -> nn.Module:
    # Multi-crop brings several sizes: ViTs resample their positions, Swins drop their check; convolutions need neither.
    options: tuple[dict[str, Any], ...] = ({"dynamic_img_size": True}, {"strict_img_size": False})
    bands: dict[str, Any] = {} if in_chans == RGB else {"in_chans": in_chans}
    for option in options:
        try:
            return timm.create_model(name, pretrained=False, num_classes=0, **option, **bands)
        except TypeError:
            continue  # an architecture without this option
    try:
        return timm.create_model(name, pretrained=False, num_classes=0, **bands)
    except TypeError as error:
        if not bands:
            raise
        raise ConfigError(
            f"backbone = {name!r}: takes images of {RGB} channels only, and these have {in_chans} ({error}); take a "
            "ResNet, or choose three with data.bands"
        ) from error


def _pyramid(inner: Any, name: str, in_chans: int) -> Pyramid:
    """Take the last of timm's intermediates at each published stride from 2 on."""
    del in_chans  # what timm says of its models holds for any
    reductions = [int(entry["reduction"]) for entry in getattr(inner, "feature_info", None) or []]
    last = {stride: position for position, stride in enumerate(reductions) if stride >= 2}
    if len(last) < 2 or not hasattr(inner, "forward_intermediates"):
        raise ConfigError(
            f"encoder = {name!r}: has no features of several strides that a U-Net could skip to; take a ResNet, or a "
            "timm ConvNeXt, EfficientNet, MobileNet, RegNet, DenseNet, Swin …"
        )
    if any(stride & (stride - 1) for stride in last):
        raise ConfigError(f"encoder = {name!r}: has the strides {sorted(last)}, and powers of two are needed")
    strides = sorted(last)
    run = partial(_intermediates, positions=[last[stride] for stride in strides])
    parts = RESNET_PARTS if isinstance(inner, ResNet) else {}
    return Pyramid(inner, tuple(int(math.log2(stride)) for stride in strides), run, parts)


def _intermediates(module: Any, images: Tensor, positions: list[int]) -> Sequence[Tensor]:
    return module.forward_intermediates(images, indices=positions, intermediates_only=True, output_fmt="NCHW")


TIMM = Library(timm.list_models, _architecture, _build, _pyramid)
