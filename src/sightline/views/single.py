"""One view of each image: random crop, plain resize, resize and flip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sightline.views import parameters
from sightline.views.bands import rendered
from sightline.views.parameters import Recipe
from sightline.views.render import sizes_of


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
        """Return uint8 (B, size, size, C) of B HWC uint8 images and B keys (see `MultiCrop`)."""
        sizes = sizes_of(images)
        keys = parameters.as_keys(keys, len(images))
        table = parameters.draw([self.recipe], sizes, keys, "views/crop")
        return rendered(images, table, self.size, keys, "views/crop")[0]


class Resize:
    """The image's central square at size × size: shorter side to size, centre crop, bicubic, antialiased."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return uint8 (B, size, size, C) of B HWC uint8 images."""
        keys = parameters.as_keys(range(len(images)), len(images))  # nothing is drawn
        return rendered(images, parameters.centered(sizes_of(images)), self.size, keys, "views/resize")[0]


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
        """Return uint8 (B, size, size, C) of B HWC uint8 images and B keys (see `MultiCrop`)."""
        sizes = sizes_of(images)
        keys = parameters.as_keys(keys, len(images))
        drawn = parameters.draw([self.recipe], sizes, keys, "views/flip")
        table = parameters.centered(sizes)
        table[..., parameters.FLIP] = drawn[..., parameters.FLIP]
        return rendered(images, table, self.size, keys, "views/flip")[0]
