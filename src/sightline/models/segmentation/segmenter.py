"""The base of every segmentation network: images of any size in, logits of that size out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.backbones import Stem
from sightline.models.libraries import RGB

# Images whose sides are multiples of the stride → logits and stages.
Run = Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]]


@dataclass(frozen=True)
class SegmentationOutputs:
    """The logits of a network, and the named stages before them.

    Attributes:
        logits: (B, classes, H, W) of the images given.
        stages: by name, in the order they run: `encoder.I` (feature of index I), `skip.I` (what the decoder got of it,
            absent where nothing), `decoder.I` (the decoder at the resolution of feature I), or the parts of another
            architecture. They belong to the padded images, whose sides are multiples of the stride.
    """

    logits: Tensor
    stages: dict[str, Tensor]


class Segmenter(nn.Module, ABC):
    """A network from normalised images (B, in_chans, H, W) to logits (B, classes, H, W).

    Images of any size are taken: they are padded below and at the right to multiples of `stride`, by reflection (by
    repeating the border where an image is smaller than what is added), and the logits are cut back. A batch of one
    trains, whatever its size.

    Attributes:
        name: of the architecture.
        encoder_name: backbone's name, as for `build_backbone`.
        stem: published or 3x3.
        classes: number of classes.
        in_chans: channels of the images.
        stride: of which the network itself needs multiples.
        encoder: the part that a backbone's weights go into, and that a frozen setting holds still.
    """

    encoder: nn.Module
    stem: Stem

    def __init__(
        self, *, name: str, encoder_name: str, stem: Stem, classes: int, stride: int, in_chans: int = RGB
    ) -> None:
        super().__init__()
        self.name, self.encoder_name, self.stem, self.classes = name, encoder_name, stem, classes
        self.stride, self.in_chans = stride, in_chans

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, classes, H, W) of normalised images, float (B, 3, H, W)."""

    @abstractmethod
    def outputs(self, images: Tensor) -> SegmentationOutputs:
        """Return logits and named stages of the same images."""

    @abstractmethod
    def run(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return logits and stages of images whose sides are multiples of the stride. For `outputs` to call."""

    def run_padded(self, images: Tensor, run: Run) -> SegmentationOutputs:
        """Pad images of any size for `run`, and cut its logits back. For `outputs` to call."""
        height, width = images.shape[2:]
        # The whole network then runs channels last, which convolutions on a CPU want, and on a GPU those of autocast.
        padded = pad_to_multiple(images, self.stride).contiguous(memory_format=torch.channels_last)
        logits, stages = run(padded)
        return SegmentationOutputs(logits[:, :, :height, :width], stages)

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
