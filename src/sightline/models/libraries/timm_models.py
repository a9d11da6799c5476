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
from sightline.models.libraries.base import RESNET_PARTS, Library, Pyramid


def _architecture(name: str) -> str:
    # timm names its published weights after a dot: resnet50.a1_in1k
    return name.partition(".")[0]


def _build(name: str) -> nn.Module:
    # Multi-crop brings several sizes: ViTs resample their positions, Swins drop their check; convolutions need neither.
    options: tuple[dict[str, Any], ...] = ({"dynamic_img_size": True}, {"strict_img_size": False})
    for option in options:
        try:
            return timm.create_model(name, pretrained=False, num_classes=0, **option)
        except TypeError:
            continue  # an architecture without this option
    return timm.create_model(name, pretrained=False, num_classes=0)


def _pyramid(inner: Any, name: str) -> Pyramid:
    """Take the last of timm's intermediates at each published stride from 2 on."""
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
