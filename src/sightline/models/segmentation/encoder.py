"""A backbone's stage features, under the backbone's own tensor names, so that its weights fit as they are."""

from __future__ import annotations

import math
from typing import Any

import torch
import torchvision
from timm.models.resnet import ResNet as TimmResNet
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import ConfigError
from sightline.models.backbones import Stem, build_backbone

PROBE = 64  # pixels: a multiple of every stride up to 64
RESNET_STAGES = ("layer1", "layer2", "layer3", "layer4")


class Encoder(nn.Module):
    """Features of several strides by index; state names are those of the `Backbone` it was made from.

    Of a ResNet, index 1 is the stem before pooling, 2 to 5 are layer1 to layer4, whatever the stem; of others, the
    index is log2 of the stride.

    Attributes:
        name: as for `build_backbone`.
        stem: published or 3x3.
        channels: by index, shallowest first.
        strides: by index.
        unused: names of parameters that only the classifier's end of the backbone needs; they are kept for exact
            loading, and need no gradient.
    """

    stem: Stem

    def __init__(self, inner: nn.Module, name: str, stem: Stem) -> None:
        super().__init__()
        self.inner, self.name, self.stem = inner, name, stem
        self._taken: dict[int, int] = {}  # index → position among timm's intermediates
        if not is_resnet(inner):
            self._taken = _pyramid(inner, name)
        self.channels, self.strides, self.unused = self._probe()

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        """Return features (B, C, H / stride, W / stride) by index, shallowest first."""
        if not self._taken:
            return _resnet_features(self.inner, images)
        return dict(zip(self._taken, _intermediates(self.inner, images, list(self._taken.values())), strict=True))

    def _probe(self) -> tuple[dict[int, int], dict[int, int], tuple[str, ...]]:
        """Run one black image forward and back: the one sure way to know widths, strides and what is used."""
        self.inner.eval()
        with torch.enable_grad():
            found = self(torch.zeros(1, 3, PROBE, PROBE))
            torch.stack([feature.sum() for feature in found.values()]).sum().backward()
        self.inner.train()
        unused = tuple(name for name, value in self.inner.named_parameters() if value.grad is None)
        for name, value in self.inner.named_parameters():
            value.grad = None
            value.requires_grad_(name not in unused)
        channels = {index: feature.shape[1] for index, feature in found.items()}
        return channels, {index: PROBE // feature.shape[3] for index, feature in found.items()}, unused

    def parts(self) -> dict[str, nn.Module]:
        """Return modules by `encoder.INDEX`, of a ResNet."""
        if self._taken:
            return {}
        stem = nn.ModuleList([getattr(self.inner, name) for name in ("conv1", "bn1")])
        stages = [stem, *(getattr(self.inner, name) for name in RESNET_STAGES)]
        return {f"encoder.{index}": module for index, module in enumerate(stages, 1)}


def build_encoder(name: str, stem: Stem = "published", seed: int = 0) -> Encoder:
    """Build an encoder with the random weights of `build_backbone(name, stem, seed)`.

    Raises:
        ConfigError: no such backbone, or one without features of several strides.
    """
    return Encoder(build_backbone(name, stem, seed).inner, name, stem)


def is_resnet(inner: nn.Module) -> bool:
    """Return whether this is timm's or torchvision's ResNet class (ResNeXt, Wide ResNet, ResNet-D … included)."""
    return isinstance(inner, TimmResNet | torchvision.models.ResNet)


def _resnet_features(inner: Any, images: Tensor) -> dict[int, Tensor]:
    x = inner.bn1(inner.conv1(images))
    x = inner.act1(x) if isinstance(inner, TimmResNet) else inner.relu(x)
    if isinstance(inner.maxpool, nn.Sequential) and isinstance(inner.maxpool[-1], nn.ReLU):
        x = functional.relu(x)  # the backbone takes it after the pool, and the skip is before the pool
    features = {1: x}
    x = inner.maxpool(x)
    for index, name in enumerate(RESNET_STAGES, 2):
        features[index] = x = getattr(inner, name)(x)
    return features


def _intermediates(inner: Any, images: Tensor, positions: list[int]) -> list[Tensor]:
    return inner.forward_intermediates(images, indices=positions, intermediates_only=True, output_fmt="NCHW")


def _pyramid(inner: Any, name: str) -> dict[int, int]:
    """Return index → position of the last of timm's intermediates at each stride from 2 on."""
    reductions = [int(entry["reduction"]) for entry in getattr(inner, "feature_info", None) or []]
    last = {stride: position for position, stride in enumerate(reductions) if stride >= 2}
    if len(last) < 2 or not hasattr(inner, "forward_intermediates"):
        raise ConfigError(
            f"encoder = {name!r}: has no features of several strides that a U-Net could skip to; take a ResNet, or a "
            "timm ConvNeXt, EfficientNet, MobileNet, RegNet, DenseNet, Swin …"
        )
    if any(stride & (stride - 1) for stride in last):
        raise ConfigError(f"encoder = {name!r}: has the strides {sorted(last)}, and powers of two are needed")
    return {int(math.log2(stride)): last[stride] for stride in sorted(last)}
