"""A backbone's stage features, under the backbone's own tensor names, so that its weights fit as they are."""

from __future__ import annotations

import torch
import torchvision
from timm.models.resnet import ResNet as TimmResNet
from torch import Tensor, nn

from sightline.models.backbones import Stem, build_backbone, find_library
from sightline.models.libraries import RGB, Pyramid

PROBE = 64  # pixels: a multiple of every stride up to 64


class Encoder(nn.Module):
    """Features of several strides by index; state names are those of the `Backbone` it was made from.

    The index is log2 of the stride that a feature is published with. So of a ResNet 1 is the stem before pooling, and 2
    to 5 are layer1 to layer4, also under the 3×3 stem, which halves their strides.

    Attributes:
        name: as for `build_backbone`.
        stem: published or 3x3.
        in_chans: channels of the images.
        channels: by index, shallowest first.
        strides: by index.
        unused: names of parameters that only the classifier's end of the backbone needs; they are kept for exact
            loading, and need no gradient.
    """

    stem: Stem

    def __init__(self, pyramid: Pyramid, name: str, stem: Stem, in_chans: int = RGB) -> None:
        super().__init__()
        self.in_chans = in_chans
        self.inner, self.name, self.stem = pyramid.module, name, stem
        self._indices, self._run, self._parts = pyramid.indices, pyramid.run, pyramid.parts
        self.channels, self.strides, self.unused = self._probe()

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        """Return features (B, C, H / stride, W / stride) by index, shallowest first."""
        return dict(zip(self._indices, self._run(self.inner, images), strict=True))

    def _probe(self) -> tuple[dict[int, int], dict[int, int], tuple[str, ...]]:
        """Run one black image forward and back: the one sure way to know widths, strides and what is used."""
        self.inner.eval()
        with torch.enable_grad():
            features = self(torch.zeros(1, self.in_chans, PROBE, PROBE))
            torch.stack([feature.sum() for feature in features.values()]).sum().backward()
        self.inner.train()
        unused = tuple(name for name, value in self.inner.named_parameters() if value.grad is None)
        for name, value in self.inner.named_parameters():
            value.grad = None
            value.requires_grad_(name not in unused)
        channels = {index: feature.shape[1] for index, feature in features.items()}
        return channels, {index: PROBE // feature.shape[3] for index, feature in features.items()}, unused

    def parts(self) -> dict[str, nn.Module]:
        """Return modules by `encoder.INDEX`, where a feature has modules of its own, as a ResNet's have."""
        return {
            f"encoder.{index}": nn.ModuleList([self.inner.get_submodule(name) for name in names])
            for index, names in self._parts.items()
        }


def build_encoder(name: str, stem: Stem = "published", seed: int = 0, in_chans: int = RGB) -> Encoder:
    """Build an encoder with the random weights of `build_backbone(name, stem, seed, in_chans)`.

    Raises:
        ConfigError: no such backbone, or one without features of several strides.
    """
    inner = build_backbone(name, stem, seed, in_chans).inner
    library, _ = find_library(name)
    return Encoder(library.pyramid(inner, name, in_chans), name, stem, in_chans)


def is_resnet(inner: nn.Module) -> bool:
    """Return whether this is timm's or torchvision's ResNet class (ResNeXt, Wide ResNet, ResNet-D … included)."""
    return isinstance(inner, TimmResNet | torchvision.models.ResNet)
