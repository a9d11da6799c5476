"""Backbones: any classification model of a library, without its classifier, with pooled features."""

from __future__ import annotations

from functools import cache
from typing import Literal

import torch
from timm.models import adapt_input_conv
from torch import Tensor, nn

from sightline.errors import ConfigError, nearest
from sightline.models.libraries import BACKBONE_LIBRARIES, RGB, Library

Stem = Literal["published", "3x3"]


class Backbone(nn.Module):
    """A model from normalised images (B, in_chans, H, W) to pooled features (B, dim); tensors have the library's names.

    Attributes:
        name: as it was asked for; with `stem` all that is needed to build it again.
        stem: published or 3x3.
        dim: length of the pooled features.
        in_chans: channels of the images, as timm calls them.
    """

    def __init__(self, inner: nn.Module, name: str, stem: Stem, dim: int, in_chans: int = RGB) -> None:
        super().__init__()
        self.inner = inner
        self.name, self.dim, self.in_chans = name, dim, in_chans
        self.stem: Stem = stem

    def forward(self, images: Tensor) -> Tensor:
        """Return pooled features (B, dim).

        Raises:
            ConfigError: an architecture of fixed input size was given another one.
        """
        try:
            return self.inner(images).flatten(1)
        except AssertionError as error:  # how timm and torchvision refuse a size
            raise ConfigError(
                f"backbone = {self.name!r}: refuses images of {images.shape[2]}×{images.shape[3]} pixels ({error}); "
                "give it sizes that it takes, or take a ResNet, which takes any"
            ) from error


def build_backbone(name: str, stem: Stem = "published", seed: int = 0, in_chans: int = RGB) -> Backbone:
    """Build a backbone with random weights, a function of the arguments; torch's own generator stays as it was.

    Args:
        name: a timm or torchvision name; "timm/NAME" or "torchvision/NAME" takes that library's, a bare name timm's
            where it has one.
        stem: "3x3" replaces a ResNet's 7×7 stride-2 convolution and max-pool by one 3×3 stride-2 convolution, so
            that stages see twice the published resolution: for inputs of 64 px and less, where the published stem
            leaves 16×16 positions to the first stage and 2×2 to the last.
        seed: of the weights.
        in_chans: channels of the images that it takes.

    Raises:
        ConfigError: no such model, one without such a stem, or one that takes RGB only.
    """
    library, bare = find_library(name)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        inner = library.build(bare, in_chans)
        if stem == "3x3":
            use_small_stem(inner, name)
    return Backbone(inner, name, stem, _width(inner, in_chans), in_chans)


def for_bands(backbone: Backbone, in_chans: int) -> Backbone:
    """Return a backbone with the same weights for images of other channels; its own where they are the same.

    What read red, green and blue is adapted by timm's rule (`adapt_input_conv`): its filters go round over the bands,
    times 3 / in_chans, so that what they give keeps its size; one channel takes their sum.

    Raises:
        ConfigError: the weights are not those of RGB.
    """
    if in_chans == backbone.in_chans:
        return backbone
    if backbone.in_chans != RGB:
        raise ConfigError(
            f"{backbone.name}: these weights see {backbone.in_chans} bands, and the images have {in_chans}; choose as "
            "many with data.bands"
        )
    other = build_backbone(backbone.name, backbone.stem, in_chans=in_chans)
    state, shapes = backbone.state_dict(), other.state_dict()
    for name, value in state.items():
        if value.shape != shapes[name].shape:
            state[name] = adapt_input_conv(in_chans, value)
    other.load_state_dict(state)
    return other


def find_library(name: str) -> tuple[Library, str]:
    """Return the library that has the backbone `name`, and its name there.

    Raises:
        ConfigError: no library has it.
    """
    prefix, slash, bare = name.partition("/")
    if slash and prefix in BACKBONE_LIBRARIES:
        candidates = [(BACKBONE_LIBRARIES[prefix], bare)]
    else:
        candidates = [(library, name) for library in BACKBONE_LIBRARIES.values()]
    for library, model in candidates:
        if library.architecture(model) in names_of(library):
            return library, model
    word = name.rpartition("/")[2].partition(".")[0]
    known = [model for library in BACKBONE_LIBRARIES.values() for model in library.names()]
    raise ConfigError(
        f"backbone = {name!r}: neither {' nor '.join(BACKBONE_LIBRARIES)} has it.{nearest(word, known)} "
        "All names: timm.list_models(), torchvision.models.list_models()"
    )


@cache
def names_of(library: Library) -> frozenset[str]:
    """Return the names of a library: it lists them anew each time."""
    return frozenset(library.names())


@torch.no_grad()
def _width(inner: nn.Module, in_chans: int) -> int:
    """Return the length of pooled features by running one black image: the one sure way for any architecture."""
    config = getattr(inner, "pretrained_cfg", None) or {}
    _, height, width = config.get("input_size", (3, 224, 224))
    inner.eval()
    features = inner(torch.zeros(1, in_chans, height, width)).flatten(1)
    inner.train()
    return features.shape[1]


def use_small_stem(inner: nn.Module, name: str) -> None:
    """Replace, in place, a ResNet's stem by the 3×3 one; random weights come from torch's generator as it stands.

    Raises:
        ConfigError: `inner` has no such stem; `name` is for the message.
    """
    convolution, pool = getattr(inner, "conv1", None), getattr(inner, "maxpool", None)
    if not isinstance(convolution, nn.Conv2d) or not isinstance(pool, nn.Module):
        raise ConfigError(
            f"stem = '3x3': {name} has no ResNet stem (conv1 and maxpool) to replace; "
            "take a ResNet or stem = 'published'"
        )
    replacement = nn.Conv2d(convolution.in_channels, convolution.out_channels, 3, stride=2, padding=1, bias=False)
    nn.init.kaiming_normal_(replacement.weight, mode="fan_out", nonlinearity="relu")
    inner.conv1, inner.maxpool = replacement, nn.Identity()
