"""A ResNet's stem with the maximum before the ReLU: the two commute, and a quarter of the pixels are left for it."""

from __future__ import annotations

from typing import Any

import timm
import torchvision
from torch import nn

from sightline.models.backbones import Backbone

# The ReLU between a ResNet's first convolution and its pool, by library.
ACTIVATIONS = {torchvision.models.ResNet: "relu", timm.models.ResNet: "act1"}


def pool_before_relu(model: nn.Module) -> None:
    """Exchange ReLU and pool in the stem of each ResNet backbone in `model`, in place.

    An encoder's stem stays as it is: a U-Net's shallowest skip reads what the ReLU gives before the pool.
    """
    for module in model.modules():
        if isinstance(module, Backbone):
            _exchange(module.inner)


def _exchange(inner: Any) -> None:
    name = next((name for cls, name in ACTIVATIONS.items() if isinstance(inner, cls)), None)
    if name is None:
        return
    relu, pool = getattr(inner, name), inner.maxpool
    if isinstance(relu, nn.ReLU) and isinstance(pool, nn.MaxPool2d):
        setattr(inner, name, nn.Identity())
        inner.maxpool = nn.Sequential(pool, relu)
