"""Views of images that are no RGB: one band, two, or many. Their geometry is that of RGB; their colors are not.

A band has no hue and no gray, so that jitter is a gain of each band's own, a common contrast, and noise as of a sensor.
What is drawn is a function of the same keys. The kernels of `render` are for three channels and stay as they are; here
each axis is one dense matrix (bicubic, antialiased, then a Gaussian), and a view two products.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import cv2
import numpy as np

from sightline.randomness import generator
from sightline.views import parameters as p
from sightline.views.philox import uniforms
from sightline.views.render import REDUCE_FROM, render

NOISE = 0.02  # of full scale, the largest standard deviation drawn: that of a dim frame of an 8-bit camera
_TRUNCATE = 3.0  # sigmas at which the Gaussian ends, as in the kernels
_GROUP = 4  # channels that OpenCV takes at once
RGB = 3  # channels


def rendered(images: Sequence[np.ndarray], table: np.ndarray, size: int, keys: np.ndarray, purpose: str) -> np.ndarray:
    """Return views uint8 (V, B, size, size, C) of B images by a table (B, V, COLUMNS): of RGB by the kernels.

    Args:
        images: B arrays HWC uint8 of any sizes, all of C channels.
        table: of `parameters.draw`.
        size: side of the views.
        keys: int64 (B, 3); see `render_bands`.
        purpose: likewise.
    """
    channels = images[0].shape[2] if len(images) else RGB
    out = np.empty((table.shape[1], len(images), size, size, channels), np.uint8)
    if channels == RGB:
        render(images, table, out)
    else:
        render_bands(images, table, out, keys, purpose)
    return out


def render_bands(
    images: Sequence[np.ndarray], table: np.ndarray, out: np.ndarray, keys: np.ndarray, purpose: str
) -> None:
    """Render view v of image b to out[v, b].

    Args:
        images: B arrays HWC uint8, of any sizes and as many channels as `out`.
        table: float64 (B, V, COLUMNS) of `parameters.draw`; saturation, hue, gray and solarize are passed over.
        out: uint8 (V, B, S, S, C); every byte is written.
        keys: int64 (B, 3), seed, epoch, sample: gains and noise are drawn by them.
        purpose: separates these draws from others under the same keys.
    """
    views, channels = out.shape[0], out.shape[-1]
    drawn = uniforms(keys, f"{purpose}/bands", views * (channels + 1)).reshape(len(images), views, channels + 1)
    for index, image in enumerate(images):
        noise = generator(int(keys[index, 0]), f"{purpose}/noise", int(keys[index, 1]), int(keys[index, 2]))
        for view in range(views):
            row = table[index, view]
            seen = _geometry(image, row, out.shape[2])
            if row[p.ORDER] >= 0:
                # What was drawn as brightness is how far the gains reach, up or down.
                reach = abs(row[p.BRIGHTNESS] - 1)
                gains = 1 + reach * (2 * drawn[index, view, :channels] - 1)
                seen = jittered(seen, gains, row[p.CONTRAST], drawn[index, view, channels], noise)
            out[view, index] = (seen.clip(0, 255) + 0.5).astype(np.uint8)


def jittered(
    pixels: np.ndarray, gains: np.ndarray, contrast: float, noise: float, random: np.random.Generator
) -> np.ndarray:
    """Return pixels, float32 (H, W, C), with a gain a band, contrast about each band's mean, and noise.

    Args:
        pixels: in 0–255.
        gains: (C,).
        contrast: factor.
        noise: in 0–1: the noise's standard deviation, as a share of `NOISE`.
        random: where it is drawn.
    """
    gained = pixels * gains.astype(np.float32)
    mean = gained.mean(axis=(0, 1), dtype=np.float32)
    grain = random.standard_normal(pixels.shape, np.float32) * np.float32(255 * NOISE * noise)
    return np.float32(contrast) * (gained - mean) + mean + grain


def _geometry(image: np.ndarray, row: np.ndarray, size: int) -> np.ndarray:
    """Return crop, flip, bicubic resize and blur of one view, float32 (size, size, C)."""
    top, left, height, width = (int(row[column]) for column in (p.TOP, p.LEFT, p.HEIGHT, p.WIDTH))
    box = image[top : top + height, left : left + width]
    down, across = max(height // (REDUCE_FROM * size), 1), max(width // (REDUCE_FROM * size), 1)
    if down > 1 or across > 1:
        box = in_groups(
            box, lambda part: cv2.resize(part, (width // across, height // down), interpolation=cv2.INTER_AREA)
        )
    sigma = float(row[p.SIGMA])
    vertical, horizontal = _matrix(box.shape[0], size, sigma), _matrix(box.shape[1], size, sigma)
    if row[p.FLIP] > 0:
        horizontal = horizontal[::-1]
    rows = (vertical @ box.reshape(len(box), -1).astype(np.float32)).reshape(size, box.shape[1], -1)
    return np.matmul(horizontal, rows)


def in_groups(image: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return an image (H, W, C) through a function of OpenCV, some channels at a time, with its axis of channels."""
    parts = [function(np.ascontiguousarray(image[..., i : i + _GROUP])) for i in range(0, image.shape[2], _GROUP)]
    return np.dstack(parts)


@lru_cache(maxsize=64)
def _plain(length: int, size: int) -> np.ndarray:
    """Return float64 (size, length): antialiased bicubic (Keys, a = -0.5) of one axis."""
    scale = length / size
    stretch = max(scale, 1.0)
    center = (np.arange(size)[:, None] + 0.5) * scale
    at = np.arange(length)[None]
    low, high = (
        np.maximum(np.trunc(center - 2 * stretch + 0.5), 0),
        np.minimum(np.trunc(center + 2 * stretch + 0.5), length),
    )
    x = np.abs((at - center + 0.5) / stretch)
    weights = np.where(x < 1, (1.5 * x - 2.5) * x * x + 1, np.where(x < 2, ((-0.5 * x + 2.5) * x - 4) * x + 2, 0))
    weights = np.where((at >= low) & (at < high), weights, 0)
    return weights / weights.sum(axis=1, keepdims=True)


def _matrix(length: int, size: int, sigma: float) -> np.ndarray:
    """Return float32 (size, length): the resize of one axis, then a Gaussian of `sigma` pixels of the view."""
    resize = _plain(length, size)
    if sigma <= 0:
        return resize.astype(np.float32)
    radius = int(np.ceil(_TRUNCATE * sigma))
    offsets = np.arange(-radius, radius + 1)
    gauss = np.exp(-0.5 * (offsets / sigma) ** 2)
    near = np.clip(np.arange(size)[:, None] + offsets, 0, size - 1)  # the edge goes on
    return np.einsum("k,ikl->il", gauss / gauss.sum(), resize[near]).astype(np.float32)
