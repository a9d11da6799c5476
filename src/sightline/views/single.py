"""One view of each image: random crop, plain resize, resize and flip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sightline.views import parameters
from sightline.views.parameters import Recipe
from sightline.views.render import render, sizes_of


class RandomCrop:
    """Random resized crop and horizontal flip, bicubic and antialiased, as torchvision's RandomResizedCrop.

    Args:
        size: side of the view in pixels.
        scale: share of the source's area.
        ratio: width over height, drawn log-uniformly.
        flip: probability.
    """

    def __init__(
        self,
        size: int,
        scale: tuple[float, float] = (0.5, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        flip: float = 0.5,
    ) -> None:
        self.size = size
        self.recipe = Recipe(scale=scale, ratio=ratio, flip=flip)

    def __call__(self, images: Sequence[np.ndarray], keys: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return uint8 (B, size, size, 3) of B HWC uint8 images and B keys (see `MultiCrop`)."""
        sizes = sizes_of(images)
        table = parameters.draw([self.recipe], sizes, parameters.as_keys(keys, len(images)), "views/crop")
        return _rendered(images, table, self.size)


class Resize:
    """The image's central square at size × size: shorter side to size, centre crop, bicubic, antialiased."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return uint8 (B, size, size, 3) of B HWC uint8 images."""
        return _rendered(images, parameters.centered(sizes_of(images)), self.size)


class Flip:
    """`Resize` and a random horizontal flip.

    Args:
        size: side of the view in pixels.
        flip: probability.
    """

    def __init__(self, size: int, flip: float = 0.5) -> None:
        self.size = size
        self.recipe = Recipe(scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=flip)

    def __call__(self, images: Sequence[np.ndarray], keys: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return uint8 (B, size, size, 3) of B HWC uint8 images and B keys (see `MultiCrop`)."""
        sizes = sizes_of(images)
        drawn = parameters.draw([self.recipe], sizes, parameters.as_keys(keys, len(images)), "views/flip")
        table = parameters.centered(sizes)
        table[..., parameters.FLIP] = drawn[..., parameters.FLIP]
        return _rendered(images, table, self.size)


def _rendered(images: Sequence[np.ndarray], table: np.ndarray, size: int) -> np.ndarray:
    out = np.empty((1, len(images), size, size, 3), np.uint8)
    render(images, table, out)
    return out[0]
