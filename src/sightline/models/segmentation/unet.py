"""Model A: a U-Net (Ronneberger et al. 2015) on any backbone, its skip connections in plain sight.

The decoder is that of segmentation-models-pytorch's `Unet`, layer by layer and name by name, so that a trained network
can be handed to that library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import ConfigError
from sightline.models.segmentation.encoder import Encoder
from sightline.models.segmentation.skipping import SkippingSegmenter
from sightline.models.segmentation.skips import Intervention, SkipPolicy

WIDTHS = (256, 128, 64, 32, 16)  # of the decoder's blocks, as segmentation-models-pytorch has them
TOLERANCE = 0.01  # of the parameters, for a structural control that matches them


@dataclass(frozen=True)
class BlockPlan:
    """How one decoder block is built.

    Attributes:
        index: of the encoder feature at whose resolution it works; 0 is the image's.
        scale: its input is enlarged by this.
        channels: of its input.
        skip_channels: of the skip concatenated to it; 0 without.
        middle: channels between its two convolutions.
        out: channels that it gives.
    """

    index: int
    scale: int
    channels: int
    skip_channels: int
    middle: int
    out: int

    @property
    def parameters(self) -> int:
        """Two 3×3 convolutions without bias, each with a batch norm."""
        first = 9 * (self.channels + self.skip_channels) * self.middle + 2 * self.middle
        return first + 9 * self.middle * self.out + 2 * self.out


class DecoderBlock(nn.Module):
    """Enlarge, concatenate the skip, and twice convolution, batch norm, ReLU."""

    def __init__(self, plan: BlockPlan) -> None:
        super().__init__()
        self.scale = plan.scale
        self.conv1 = _convolution(plan.channels + plan.skip_channels, plan.middle)
        self.conv2 = _convolution(plan.middle, plan.out)

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        """Return (B, out, scale·H, scale·W); a skip of None is zeros where the block was built for one."""
        convolution = self.conv1[0]
        assert isinstance(convolution, nn.Conv2d)
        return self.conv2(self.conv1(concatenate_enlarged(x, skip, self.scale, convolution.in_channels)))


def concatenate_enlarged(x: Tensor, skip: Tensor | None, scale: int, channels: int) -> Tensor:
    """Return `x` (B, C, H, W), each pixel repeated scale×scale times, and the skip: (B, channels, scale·H, scale·W).

    Zeros stand in a missing skip's place.
    """
    if scale > 1:
        x = functional.interpolate(x, scale_factor=float(scale), mode="nearest")
    if skip is None and channels > x.shape[1]:
        skip = x.new_zeros(x.shape[0], channels - x.shape[1], *x.shape[2:])
    return x if skip is None else torch.cat([x, skip], dim=1)


class UnetDecoder(nn.Module):
    """Blocks from the deepest feature up to the image's resolution."""

    def __init__(self, plans: Sequence[BlockPlan]) -> None:
        super().__init__()
        self.plans = tuple(plans)
        self.blocks = nn.ModuleList([DecoderBlock(plan) for plan in plans])


class Unet(SkippingSegmenter):
    """Encoder, decoder with skip connections, and a 3×3 convolution to logits."""

    def __init__(self, encoder: Encoder, classes: int, policy: SkipPolicy) -> None:
        skips = tuple(sorted(encoder.channels))[:-1]
        super().__init__(
            name="unet",
            encoder_name=encoder.name,
            stem=encoder.stem,
            classes=classes,
            stride=max(encoder.strides.values()),
            in_chans=encoder.in_chans,
            skips=skips,
            policy=policy,
        )
        self.encoder: Encoder = encoder
        self.decoder = UnetDecoder(plan_decoder(encoder, policy, self.dropped))
        self.segmentation_head = nn.Sequential(nn.Conv2d(self.decoder.plans[-1].out, classes, 3, padding=1))
        _initialize(self)

    def encoder_tensors(self) -> dict[str, Tensor]:
        """Return the encoder's own tensors by the names that timm or torchvision give them."""
        return self.encoder.inner.state_dict(keep_vars=True)

    def parts(self) -> Mapping[str, nn.Module]:
        """Return encoder stages, decoder blocks and head."""
        blocks = zip(self.decoder.plans, self.decoder.blocks, strict=True)
        decoder = {f"decoder.{plan.index}": block for plan, block in blocks}
        return {**self.encoder.parts(), **decoder, "logits": self.segmentation_head}

    def run(
        self, images: Tensor, keep_mask: Tensor | None = None, intervention: Intervention | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return logits and the stages `encoder.I`, `skip.I`, `decoder.I`."""
        features = self.encoder(images)
        stages = {f"encoder.{index}": feature for index, feature in features.items()}
        x = features[max(features)]
        for plan, block in zip(self.decoder.plans, self.decoder.blocks, strict=True):
            skip = None
            if plan.index in self.carried:
                skip = self.carry(plan.index, features[plan.index], keep_mask, intervention)
                stages[f"skip.{plan.index}"] = skip
            stages[f"decoder.{plan.index}"] = x = block(x, skip)
        return self.segmentation_head(x), stages


def plan_decoder(encoder: Encoder, policy: SkipPolicy, dropped: Sequence[int]) -> tuple[BlockPlan, ...]:
    """Return the blocks of a decoder: one for each step of the strides, down to 1, and one for each skip."""
    full = _full_plan(encoder)
    if policy.mode == "zero" or not dropped:
        return full
    if not policy.match_parameters:
        return tuple(_without_skip(plan, plan.middle) if plan.index in dropped else plan for plan in full)
    encoder_parameters = sum(value.numel() for value in encoder.parameters())
    budget = encoder_parameters + _parameters(full)
    for step in (8, 1):  # multiples of eight suit the vector units; single channels come nearer
        matched = tuple(_matched(plan, step) if plan.index in dropped else plan for plan in full)
        if abs(encoder_parameters + _parameters(matched) - budget) <= TOLERANCE * budget:
            return matched
    raise ConfigError(
        f"skips.match_parameters = True: no width makes up for the skips {list(dropped)} of {encoder.name} within "
        f"{TOLERANCE:.0%}; take a larger encoder, or skips.match_parameters = False"
    )


def _full_plan(encoder: Encoder) -> tuple[BlockPlan, ...]:
    """Return the blocks with all skips; where strides are more than twice apart, blocks without a skip lie between."""
    steps: list[tuple[int, int, int]] = []  # index, scale, channels of the skip
    deepest, *skips = sorted(encoder.channels, reverse=True)
    stride = encoder.strides[deepest]
    for index in skips:
        while stride > 2 * encoder.strides[index]:
            stride //= 2
            steps.append((_free_index(stride), 2, 0))
        steps.append((index, stride // encoder.strides[index], encoder.channels[index]))
        stride = encoder.strides[index]
    while stride > 1:
        stride //= 2
        steps.append((_free_index(stride), 2, 0))
    widths = ((WIDTHS[0],) * max(0, len(steps) - len(WIDTHS)) + WIDTHS)[-len(steps) :]
    inputs = (encoder.channels[deepest], *widths[:-1])
    return tuple(
        BlockPlan(index, scale, channels, skip_channels, width, width)
        for (index, scale, skip_channels), channels, width in zip(steps, inputs, widths, strict=True)
    )


def _free_index(stride: int) -> int:
    return stride.bit_length() - 1


def _without_skip(plan: BlockPlan, middle: int) -> BlockPlan:
    return BlockPlan(plan.index, plan.scale, plan.channels, 0, middle, plan.out)


def _matched(plan: BlockPlan, step: int) -> BlockPlan:
    """Return the block without its skip, its middle widened to the parameters that it had."""
    each = 9 * plan.channels + 2 + 9 * plan.out
    exact = (plan.parameters - 2 * plan.out) / each
    return _without_skip(plan, max(step, round(exact / step) * step))


def _parameters(plans: Sequence[BlockPlan]) -> int:
    return sum(plan.parameters for plan in plans)


def _convolution(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True))


def _initialize(unet: Unet) -> None:
    """Set the decoder's and the head's random weights as segmentation-models-pytorch does."""
    for module in unet.decoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, mode="fan_in", nonlinearity="relu")
    head = unet.segmentation_head[0]
    assert isinstance(head, nn.Conv2d)
    assert head.bias is not None
    nn.init.xavier_uniform_(head.weight)
    nn.init.zeros_(head.bias)
