"""The random parameters of each view: one table of numbers that every backend renders from.

A table is float64 (B, V, COLUMNS): B images, V views. It is drawn for a whole batch in a few array operations, yet
each row is a function of the image's key and size alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sightline.errors import ConfigError, DataError
from sightline.views.philox import uniforms

# Columns of a table. Box: pixels of the source. ORDER: row of PERMUTATIONS, -1 leaves the colours alone.
# SIGMA: pixels of the view, 0 for no blur. FLIP, GREY, SOLARIZE: 0 or 1. HUE: turns. The rest: torchvision's factors.
TOP, LEFT, HEIGHT, WIDTH, FLIP, ORDER, BRIGHTNESS, CONTRAST, SATURATION, HUE, GRAY, SIGMA, SOLARIZE = range(13)
COLUMNS = 13

# The four jitter operations (0 brightness, 1 contrast, 2 saturation, 3 hue) in each order torchvision may apply them.
PERMUTATIONS = np.array(list(itertools.permutations(range(4))), dtype=np.int64)

TRIES = 10  # of area and ratio before the central crop is taken, as torchvision
# Uniform numbers of one view: area and ratio of each try, then the single ones below.
_TOP, _LEFT, _FLIP, _JITTER, _ORDER, _BRIGHTNESS, _CONTRAST, _SATURATION, _HUE, _GRAY, _BLUR, _SIGMA, _SOLARIZE = range(
    2 * TRIES, 2 * TRIES + 13
)
DRAWS = 36  # a whole number of Philox blocks

_KEY_COLUMNS = 3


@dataclass(frozen=True)
class Recipe:
    """The distribution of one kind of view; probabilities in 0–1, `sigma` in pixels of the view."""

    scale: tuple[float, float]
    ratio: tuple[float, float]
    flip: float = 0.0
    jitter: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    gray: float = 0.0
    blur: float = 0.0
    sigma: tuple[float, float] = (0.1, 2.0)
    solarize: float = 0.0

    def __post_init__(self) -> None:
        """Refuse ranges that no crop can satisfy."""
        for name, (low, high), top in (("scale", self.scale, 1.0), ("ratio", self.ratio, math.inf)):
            if not 0 < low <= high <= top:
                raise ConfigError(f"{name} = ({low}, {high}): needs 0 < low <= high{' <= 1' if top == 1 else ''}")
        if not 0 <= self.sigma[0] <= self.sigma[1]:
            raise ConfigError(f"blur_sigma = {self.sigma}: needs 0 <= low <= high, in pixels of a 224-pixel view")


def as_keys(keys: Sequence[int] | Sequence[Sequence[int]] | np.ndarray, count: int) -> np.ndarray:
    """Return int64 (B, 3) of B integers (sample; seed and epoch 0) or B (seed, epoch, sample).

    Raises:
        DataError: there is not one key for each of the `count` images.
    """
    array = np.asarray(keys, dtype=np.int64)
    if array.ndim == 1 and array.size == count:
        table = np.zeros((count, _KEY_COLUMNS), np.int64)
        table[:, 2] = array
        return table
    if array.shape != (count, _KEY_COLUMNS):
        raise DataError(
            f"keys of shape {array.shape} for {count} images: give one integer or (seed, epoch, sample) each"
        )
    return array


def draw(recipes: Sequence[Recipe], sizes: np.ndarray, keys: np.ndarray, purpose: str) -> np.ndarray:
    """Return the table (B, V, COLUMNS) of V recipes for B images.

    Args:
        recipes: one for each view.
        sizes: int (B, 2), height and width of each source image in pixels.
        keys: int64 (B, 3), seed, epoch, sample.
        purpose: separates these numbers from other draws under the same key.
    """
    batch, views = len(sizes), len(recipes)
    numbers = uniforms(keys, purpose, views * DRAWS).reshape(batch, views, DRAWS)
    columns = {name: np.array([getattr(recipe, name) for recipe in recipes]) for name in Recipe.__dataclass_fields__}
    table = np.empty((batch, views, COLUMNS))
    _boxes(table, numbers, sizes.astype(np.float64), columns["scale"], columns["ratio"])
    table[..., FLIP] = numbers[..., _FLIP] < columns["flip"]
    order = (numbers[..., _ORDER] * len(PERMUTATIONS)).astype(np.int64)
    table[..., ORDER] = np.where(numbers[..., _JITTER] < columns["jitter"], order, -1)
    for column, at, name in (
        (BRIGHTNESS, _BRIGHTNESS, "brightness"),
        (CONTRAST, _CONTRAST, "contrast"),
        (SATURATION, _SATURATION, "saturation"),
    ):
        table[..., column] = _between(numbers[..., at], np.maximum(0, 1 - columns[name]), 1 + columns[name])
    table[..., HUE] = _between(numbers[..., _HUE], -columns["hue"], columns["hue"])
    table[..., GRAY] = numbers[..., _GRAY] < columns["gray"]
    sigma = _between(numbers[..., _SIGMA], columns["sigma"][:, 0], columns["sigma"][:, 1])
    table[..., SIGMA] = np.where(numbers[..., _BLUR] < columns["blur"], sigma, 0)
    table[..., SOLARIZE] = numbers[..., _SOLARIZE] < columns["solarize"]
    return table


def centered(sizes: np.ndarray) -> np.ndarray:
    """Return the table (B, 1, COLUMNS) of each image's largest central square, otherwise unchanged."""
    table = np.zeros((len(sizes), 1, COLUMNS))
    side = sizes.min(axis=1)
    table[:, 0, TOP] = (sizes[:, 0] - side) // 2
    table[:, 0, LEFT] = (sizes[:, 1] - side) // 2
    table[:, 0, HEIGHT] = table[:, 0, WIDTH] = side
    table[..., ORDER] = -1
    return table


def _between(number: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return low + number * (high - low)


def _boxes(table: np.ndarray, numbers: np.ndarray, sizes: np.ndarray, scale: np.ndarray, ratio: np.ndarray) -> None:
    """Write TOP, LEFT, HEIGHT, WIDTH as torchvision's RandomResizedCrop draws them."""
    height, width = sizes[:, 0, None, None], sizes[:, 1, None, None]
    area = height * width * _between(numbers[..., :TRIES], scale[:, :1], scale[:, 1:])
    logs = np.log(ratio)
    aspect = np.exp(_between(numbers[..., TRIES : 2 * TRIES], logs[:, :1], logs[:, 1:]))
    widths, heights = np.rint(np.sqrt(area * aspect)), np.rint(np.sqrt(area / aspect))
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    first = fits.argmax(axis=2)[..., None]
    fits_any = np.take_along_axis(fits, first, 2)[..., 0]
    height, width = height[..., 0], width[..., 0]
    central_height, central_width = _central(height, width, ratio)
    box_height = np.where(fits_any, np.take_along_axis(heights, first, 2)[..., 0], central_height)
    box_width = np.where(fits_any, np.take_along_axis(widths, first, 2)[..., 0], central_width)
    top = np.floor(numbers[..., _TOP] * (height - box_height + 1))
    left = np.floor(numbers[..., _LEFT] * (width - box_width + 1))
    table[..., TOP] = np.where(fits_any, top, (height - box_height) // 2)
    table[..., LEFT] = np.where(fits_any, left, (width - box_width) // 2)
    table[..., HEIGHT], table[..., WIDTH] = box_height, box_width


def _central(height: np.ndarray, width: np.ndarray, ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest box within the ratio's range, at least one pixel."""
    low, high = ratio[:, 0], ratio[:, 1]
    aspect = width / height
    box_width = np.where(aspect > high, np.rint(height * high), width)
    box_height = np.where(aspect < low, np.rint(width / low), height)
    return np.clip(box_height, 1, height), np.clip(box_width, 1, width)
