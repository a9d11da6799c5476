"""An image as the authors' own predictors give it to their models.

transformers' processors round what they resize as torchvision does; the authors resize with Pillow (SAM,
`ResizeLongestSide`) or resize fractions that are never rounded (SAM 2, `SAM2Transforms`). On an image that is made
smaller the difference is one gray level in 500 values, and after the encoder a thousandth of a logit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional


def padded_pixels(
    image: np.ndarray, size: tuple[int, int], side: int, mean: Sequence[float], std: Sequence[float]
) -> Tensor:
    """Return float32 (1, 3, side, side): resized by Pillow, normalized, with zeros below or to the right.

    Args:
        image: uint8 (H, W, 3).
        size: height and width of the resized image, neither above `side`.
        side: of the model's input.
        mean: of each channel, in 0–1.
        std: likewise.
    """
    height, width = size
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    values = torch.from_numpy(np.array(resized)).permute(2, 0, 1).float()
    normalized = (values - _channels(mean) * 255) / (_channels(std) * 255)
    return functional.pad(normalized, (0, side - width, 0, side - height))[None]


def stretched_pixels(image: np.ndarray, size: tuple[int, int], mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return float32 (1, 3, height, width) of `size`: fractions resized with antialiasing, then normalized.

    Args:
        image: uint8 (H, W, 3).
        size: height and width of the model's input.
        mean: of each channel, in 0–1.
        std: likewise.
    """
    fractions = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    resized = functional.interpolate(fractions, size=size, mode="bilinear", align_corners=False, antialias=True)
    return (resized - _channels(mean)) / _channels(std)


def _channels(values: Sequence[float]) -> Tensor:
    return torch.tensor(values)[:, None, None]
