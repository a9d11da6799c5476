"""The one call that makes a network fast on a CPU, and the one that brings a network to its device."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from sightline.models.cpu.enlarging import EnlargingBlock
from sightline.models.cpu.small_maps import SmallMapConv2d, fits
from sightline.models.cpu.stem import pool_before_relu
from sightline.models.recast import recast
from sightline.models.segmentation.unet import DecoderBlock

M = TypeVar("M", bound=nn.Module)

# (which modules, what takes their place): the whole list of what a CPU has in other forms, but for a ResNet's stem.
FORMS: tuple[tuple[Callable[[nn.Module], bool], type[nn.Module]], ...] = (
    (fits, SmallMapConv2d),
    (lambda module: type(module) is DecoderBlock, EnlargingBlock),
)


def for_cpu(model: M) -> M:
    """Exchange, in place, the modules below `model` that a CPU has faster forms of; call it last.

    Values are equal within rounding, tensors and their names are the same. A second call changes nothing. Returns the
    model.
    """
    pool_before_relu(model)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            for suits, form in FORMS:
                if suits(child):
                    setattr(parent, name, recast(child, form))
    return model


def place(model: M, device: torch.device) -> M:
    """Bring a finished network to the device that it is to run on, its convolutions channels last.

    Args:
        model: changed in place; on a CPU as by `for_cpu`.
        device: of training or inference.
    """
    if device.type == "cpu":
        for_cpu(model)
    # Convolutions then reorder no weights: on a CPU they all want it so, on a GPU those of autocast.
    return model.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
