"""What every segmentation network here is: images of any size in, logits of that size out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.backbones import Stem
from sightline.models.segmentation.skips import Intervention, SkipPolicy, check_kept


@dataclass(frozen=True)
class SegmentationOutputs:
    """What a network gives out, and what it went through.

    Attributes:
        logits: (B, classes, H, W) of the images given.
        stages: by name, in the order they run: `encoder.I` (feature of index I), `skip.I` (what the decoder got of it,
            absent where nothing), `decoder.I` (the decoder at the resolution of feature I), or the parts of another
            architecture. They belong to the padded images, whose sides are multiples of the stride.
    """

    logits: Tensor
    stages: dict[str, Tensor]


@dataclass(frozen=True)
class SkipChanges:
    """What happens to skips in one forward pass.

    Attributes:
        skips: of the network, the columns of `kept`.
        kept: bool (B, len(skips)), or None for all.
        intervention: on one skip, or None.
    """

    skips: tuple[int, ...]
    kept: Tensor | None = None
    intervention: Intervention | None = None

    def apply(self, index: int, feature: Tensor) -> Tensor:
        """Return what the decoder gets of the feature (B, C, H, W) of that index."""
        if self.intervention is not None and self.intervention.skip == index:
            feature = self.intervention.apply(feature)
        if self.kept is None:
            return feature
        kept = self.kept[:, self.skips.index(index), None, None, None]
        return feature * kept.to(feature)


class Segmenter(nn.Module, ABC):
    """A network from normalised images (B, 3, H, W) to logits (B, classes, H, W).

    Images of any size are taken: they are padded below and at the right to multiples of `stride`, by reflection (by
    repeating the border where an image is smaller than what is added), and the logits are cut back. A batch of one
    trains, whatever its size.

    Attributes:
        name: of the architecture.
        encoder_name: backbone's name, as for `build_backbone`.
        stem: published or 3x3.
        classes: number of classes.
        skips: indices of the encoder features that skip connections carry; () where none can be dropped.
        policy: which of them are dropped.
        dropped: indices that never reach the decoder.
        stride: of which the network itself needs multiples.
        encoder: the part that a backbone's weights go into, and that a frozen setting holds still.
    """

    encoder: nn.Module
    stem: Stem

    def __init__(
        self,
        *,
        name: str,
        encoder_name: str,
        stem: Stem,
        classes: int,
        skips: tuple[int, ...],
        policy: SkipPolicy,
        stride: int,
    ) -> None:
        super().__init__()
        self.name, self.encoder_name, self.stem, self.classes = name, encoder_name, stem, classes
        self.skips, self.policy, self.stride = skips, policy, stride
        self.dropped = policy.dropped(skips)

    def forward(self, images: Tensor, kept: Tensor | None = None, intervention: Intervention | None = None) -> Tensor:
        """Return logits (B, classes, H, W).

        Args:
            images: normalised, float (B, 3, H, W).
            kept: bool (B, len(skips)); False zeroes that sample's skip. What the policy drops stays dropped.
            intervention: on one skip, at test time.

        Raises:
            ConfigError: `kept` or `intervention` name skips that the network does not have.
        """
        return self.outputs(images, kept, intervention).logits

    def outputs(
        self, images: Tensor, kept: Tensor | None = None, intervention: Intervention | None = None
    ) -> SegmentationOutputs:
        """Return logits and named stages; arguments and errors as of `forward`."""
        if kept is not None:
            check_kept(kept, len(images), self.skips)
        if intervention is not None:
            intervention.check(self.skips, self.dropped)
        height, width = images.shape[2:]
        # The whole network then runs channels last, which convolutions on a CPU want, and on a GPU those of autocast.
        padded = pad_to_multiple(images, self.stride).contiguous(memory_format=torch.channels_last)
        logits, stages = self.run(padded, SkipChanges(self.skips, kept, intervention))
        return SegmentationOutputs(logits[:, :, :height, :width], stages)

    @abstractmethod
    def run(self, images: Tensor, changes: SkipChanges) -> tuple[Tensor, dict[str, Tensor]]:
        """Return logits and stages of images whose sides are multiples of the stride. For `outputs` to call."""

    @abstractmethod
    def encoder_tensors(self) -> dict[str, Tensor]:
        """Return the encoder's own tensors (not copies) by the names that its library gives them."""

    @abstractmethod
    def parts(self) -> Mapping[str, nn.Module]:
        """Return the modules behind the stages of `outputs`, where a stage has one of its own."""


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Return images (B, C, H, W) padded below and at the right to multiples, by reflection if large enough."""
    height, width = images.shape[2:]
    below, right = -height % multiple, -width % multiple
    if below == right == 0 and not torch.compiler.is_compiling():  # an exported graph must pad other sizes too
        return images
    mode = "reflect" if below < height and right < width else "replicate"
    return functional.pad(images, (0, right, 0, below), mode=mode)
