"""Images in memory, in any usual form, as the engines take them."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from sightline.errors import DataError


def rgb_array(image: object) -> np.ndarray:
    """Return uint8 (H, W, 3), RGB.

    Args:
        image: a PIL image, turned upright as its EXIF says; or an array, uint8, (H, W) or (H, W, 1) gray, (H, W, 3)
            RGB, or (H, W, 4) RGB and alpha, of which alpha is left out.

    Raises:
        DataError: numbers that have no one meaning as 0–255, or another layout; the message says how to convert them.
    """
    if isinstance(image, Image.Image):
        return np.asarray((ImageOps.exif_transpose(image) or image).convert("RGB"))
    if not isinstance(image, np.ndarray):
        raise DataError(f"image of type {type(image).__name__}: give a path, a PIL image or a NumPy array")
    if image.dtype != np.uint8:
        raise DataError(f"image of {image.dtype}: expected uint8, 0–255; {_conversion(image.dtype)}")
    gray = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1)
    if not image.size or not (gray or (image.ndim == 3 and image.shape[2] in (3, 4))):
        swapped = image.ndim == 3 and image.shape[0] in (1, 3, 4)
        way_out = "; of channels first take image.transpose(1, 2, 0)" if swapped else ""
        raise DataError(
            f"image of shape {image.shape}: expected (height, width), or (height, width, channels) with 1, 3 or 4 "
            f"channels, not empty{way_out}"
        )
    if gray:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return image[..., :3]


def _conversion(dtype: np.dtype) -> str:
    if dtype.kind == "f":
        return "of floats in 0–1 take (image * 255).round().astype(np.uint8)"
    if dtype == np.bool_:
        return "of booleans take image.astype(np.uint8) * 255"
    return "of wider integers scale them first, for example (image // 257).astype(np.uint8) from 16 bits"
