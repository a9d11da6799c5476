"""A 3×3 convolution of a map enlarged twice by repetition: same numbers, without making the enlarged map.

Repeating each pixel 2×2 and convolving 3×3 (padding 1) reads, for every output pixel, only 2×2 different input pixels;
the nine weights fall together into four. Written down for all four output phases that is a transposed convolution of
stride 2 with a 4×4 kernel, the 3×3 kernel convolved with a 2×2 box: 16 products for an input pixel in place of 36, and
neither the enlarged map nor its concatenation with the skip is written or read. Exact but for rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.cpu.small_maps import LARGEST
from sightline.models.segmentation.unet import DecoderBlock, concatenate_enlarged

# Above this many channels oneDNN's transposed convolution is the slower way (bf16, one core, 512 → 256 at 8×8:
# 113 ms against 34; 256 → 128 at 16×16: 28 against 30; 64 → 32 at 64×64: 46 against 129; forward and backward).
MOST_CHANNELS = 256


class EnlargingBlock(DecoderBlock):
    """A U-Net's decoder block whose first convolution reads the small map, where that is faster.

    Parameters and their names are those of the block it stands for.
    """

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        """Return (B, out, scale·H, scale·W), as `DecoderBlock` does."""
        convolution, norm, activation = self.conv1
        assert isinstance(convolution, nn.Conv2d)
        return self.conv2(activation(norm(convolve_enlarged(convolution, x, skip, self.scale))))


def convolve_enlarged(convolution: nn.Conv2d, x: Tensor, skip: Tensor | None, scale: int) -> Tensor:
    """Return convolution(concatenate(enlarge(x), skip)).

    Args:
        convolution: 3×3, stride 1, padding 1, no bias, on the channels of `x` and then of the skip.
        x: (B, C, H, W).
        skip: (B, S, scale·H, scale·W); None stands for zeros where the convolution has channels for a skip.
        scale: whole number; 1 leaves `x` as it is.
    """
    if not _faster(x, scale):
        # By the module, not on a slice of its weight: on small maps it is one that computes bf16 gradients rightly.
        return convolution(concatenate_enlarged(x, skip, scale, convolution.in_channels))
    weight = convolution.weight
    y = functional.conv_transpose2d(x, box_weight(weight[:, : x.shape[1]]), stride=2, padding=1)
    if skip is not None:
        y += functional.conv2d(skip, weight[:, x.shape[1] :], padding=1)
    return y


def box_weight(weight: Tensor) -> Tensor:
    """Return the kernel (in, out, 4, 4) of the transposed convolution, for a kernel (out, in, 3, 3)."""
    padded = functional.pad(weight, (1, 1, 1, 1))
    rows = padded[:, :, :-1] + padded[:, :, 1:]
    both = rows[..., :-1] + rows[..., 1:]
    return both.flip(2, 3).transpose(0, 1)


def _faster(x: Tensor, scale: int) -> bool:
    suited = scale == 2 and x.shape[1] <= MOST_CHANNELS and min(x.shape[2:]) > LARGEST
    return x.device.type == "cpu" and not torch.compiler.is_compiling() and suited
