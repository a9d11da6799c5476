"""The interface of a library of backbones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

# Channels of the images that every published backbone was made for.
RGB = 3
# Of every library's ResNets: the modules behind the stem (index 1) and the four stages (indices 2 to 5).
RESNET_PARTS: dict[int, tuple[str, ...]] = {
    1: ("conv1", "bn1"), 2: ("layer1",), 3: ("layer2",), 4: ("layer3",), 5: ("layer4",),
}  # fmt: skip


@dataclass(frozen=True)
class Pyramid:
    """A backbone that returns features of several strides.

    Attributes:
        module: to run; its tensors have the backbone's names.
        indices: of the features, shallowest first: log2 of the stride that each is published with.
        run: (module, images (B, C, H, W)) → features (B, C, H', W') in the order of `indices`.
        parts: names of the modules behind a feature, by index; empty where none stands for one.
    """

    module: nn.Module
    indices: tuple[int, ...]
    run: Callable[[nn.Module, Tensor], Sequence[Tensor]]
    parts: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Library:
    """A library of backbones.

    Attributes:
        names: of all its architectures.
        architecture: name as it was asked for → name among `names`; they differ where weights have tags.
        build: (name, in_chans) → model with random weights from torch's generator as it stands, from images
            (B, in_chans, H, W) to pooled features, its classifier taken away; ConfigError where it takes RGB only.
        pyramid: (model, name, in_chans) → its features of several strides; ConfigError where it has none.
    """

    names: Callable[[], list[str]]
    architecture: Callable[[str], str]
    build: Callable[[str, int], nn.Module]
    pyramid: Callable[[nn.Module, str, int], Pyramid]
