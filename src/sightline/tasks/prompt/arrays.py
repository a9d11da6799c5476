"""Images in memory, in any usual form, as the engines take them."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageOps

from sightline.errors import DataError

FULL_16 = 65535
TIMES_16 = 257  # 65535 / 255


def rgb_array(image: object) -> np.ndarray:
    """Return uint8 (H, W, 3), RGB.

    Args:
        image: a PIL image, turned upright as its EXIF says; or an array or list, (H, W) or (H, W, 1) gray, (H, W, 3)
            RGB, or (H, W, 4) RGB and alpha, of which alpha is left out; or a torch tensor, (H, W) or channels first as
            torch has them. Numbers mean, whatever their type: booleans black and white; up to 1 in floats, 0–1; up to
            255, 0–255; above that in uint16, 0–65535 (docs/decisions/0058).

    Raises:
        DataError: numbers that have no one meaning, or another layout; the message says how to convert them.
    """
    if isinstance(image, Image.Image):
        return np.asarray((ImageOps.exif_transpose(image) or image).convert("RGB"))
    pixels = _array(image)
    gray = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 1)
    if not pixels.size or not (gray or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        swapped = pixels.ndim == 3 and pixels.shape[0] in (1, 3, 4)
        way_out = "; of channels first take image.transpose(1, 2, 0)" if swapped else ""
        raise DataError(
            f"image of shape {pixels.shape}: expected (height, width), or (height, width, channels) with 1, 3 or 4 "
            f"channels, not empty{way_out}"
        )
    pixels = _bytes(pixels)
    if gray:
        return np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    return pixels[..., :3]


def _array(image: Any) -> np.ndarray:
    """Return an array of what is one, a tensor with its channels last."""
    if hasattr(image, "detach") and hasattr(image, "cpu"):  # a tensor; torch is not imported to ask
        pixels = np.asarray(image.detach().cpu())
        return pixels.transpose(1, 2, 0) if pixels.ndim == 3 and pixels.shape[0] in (1, 3, 4) else pixels
    if not isinstance(image, np.ndarray | list | tuple):
        raise DataError(f"image of type {type(image).__name__}: give a path, a PIL image, an array, a tensor or a list")
    try:
        return np.asarray(image)
    except ValueError as error:
        raise DataError(f"image as a list: its rows are not of one length ({error})") from None


def _bytes(pixels: np.ndarray) -> np.ndarray:
    """Return uint8, 0–255, of numbers of any type."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * 255
    if pixels.dtype.kind not in "iuf":
        raise DataError(f"image of {pixels.dtype}: expected numbers or booleans")
    low, high = pixels.min(), pixels.max()
    known = bool(np.isfinite(low) and np.isfinite(high) and low >= 0)
    if known and pixels.dtype.kind == "f" and high <= 1:
        return (pixels * 255).round().astype(np.uint8)
    if known and high <= 255:
        return pixels.round().astype(np.uint8) if pixels.dtype.kind == "f" else pixels.astype(np.uint8)
    if known and pixels.dtype == np.uint16:
        return (pixels // TIMES_16).astype(np.uint8)
    raise DataError(
        f"image of {pixels.dtype} from {low:g} to {high:g}: expected 0–1, 0–255, or 0–{FULL_16} in uint16, all finite; "
        "scale it first, for example (255 * (image - low) / (high - low)).astype(np.uint8)"
    )
