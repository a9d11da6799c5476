"""The multi-crop of DINO (Caron et al. 2021): two large and several small views of each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sightline.config import ViewsConfig
from sightline.views import parameters
from sightline.views.bands import rendered
from sightline.views.parameters import Recipe
from sightline.views.render import sizes_of

PURPOSE = "views"
GLOBALS = 2
_SIGMA_SIDE = 224  # `blur_sigma` is told in pixels of a view of this side


class Crops(NamedTuple):
    """The views of B images: uint8 (2, B, G, G, C) and (L, B, l, l, C)."""

    globals: np.ndarray
    locals: np.ndarray


def recipes(config: ViewsConfig) -> tuple[list[Recipe], list[Recipe]]:
    """Return the recipes of the global and of the local views."""

    def recipe(scale: tuple[float, float], size: int, blur: float, solarize: float) -> Recipe:
        low, high = config.blur_sigma
        return Recipe(
            scale=scale,
            ratio=config.ratio,
            flip=config.flip,
            jitter=config.jitter,
            brightness=config.brightness,
            contrast=config.contrast,
            saturation=config.saturation,
            hue=config.hue,
            gray=config.gray,
            blur=blur,
            sigma=(low * size / _SIGMA_SIDE, high * size / _SIGMA_SIDE),
            solarize=solarize,
        )

    first = recipe(config.global_scale, config.global_size, config.blur[0], 0.0)
    second = recipe(config.global_scale, config.global_size, config.blur[1], config.solarize)
    local = recipe(config.local_scale, config.local_size, config.blur[2], 0.0)
    return [first, second], [local] * config.local_crops


class MultiCrop:
    """Make the views of a batch of images; what is drawn for an image depends on its key and size alone.

    Distribution: random resized crop (bicubic, antialiased), flip, colour jitter (brightness, contrast, saturation
    and HSV hue in random order, each clipped, contrast about the crop's mean grey), grey, Gaussian blur, solarize of
    the second global view, as the official DINO code with torchvision and Pillow. What differs from it, pixel by
    pixel and not in what is drawn:

    - Nothing is rounded to uint8 between operations; Pillow rounds after each.
    - Colours change before the resize where the crop has fewer pixels than the view. The two commute but for clipping.
    - The Gaussian is a true one, cut at 3 sigma; Pillow's is three box means. Sigma scales with the view's side.
    - A crop of at least eight times the view's side is first shrunk by an area mean, to no less than four times.

    Args:
        config: what to draw; the defaults are the paper's for ResNet-50.
        **overrides: fields of `ViewsConfig` that differ from `config`.

    Raises:
        ConfigError: an override that `ViewsConfig` does not know or allow.
    """

    def __init__(self, config: ViewsConfig | None = None, **overrides: Any) -> None:
        base = config if config is not None else ViewsConfig()
        self.config = ViewsConfig.build(base.to_dict(), overrides, where="MultiCrop") if overrides else base
        self.recipes = recipes(self.config)

    def __repr__(self) -> str:
        settings = ", ".join(f"{key}={value!r}" for key, value in self.config)
        return f"MultiCrop({settings})"

    def draw(self, sizes: np.ndarray, keys: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the parameter tables of the global and of the local views, as `parameters.draw` describes them.

        Args:
            sizes: int (B, 2), height and width of the sources.
            keys: B integers, or (B, 3) of seed, epoch, sample.
        """
        global_, local = self.recipes
        table = parameters.draw([*global_, *local], sizes, parameters.as_keys(keys, len(sizes)), PURPOSE)
        return table[:, :GLOBALS], table[:, GLOBALS:]

    def __call__(self, images: Sequence[np.ndarray], keys: Sequence[int] | np.ndarray) -> Crops:
        """Return the views of B images.

        Args:
            images: B arrays HWC uint8, of any sizes: RGB, or C other bands, whose colors `bands` describes.
            keys: B integers, or B (seed, epoch, sample).

        Raises:
            DataError: an image is not HWC uint8, or keys and images differ in number.
        """
        keys = parameters.as_keys(keys, len(images))
        tables, sides = self.draw(sizes_of(images), keys), (self.config.global_size, self.config.local_size)
        return Crops(
            *(
                rendered(images, table, side, keys, f"{PURPOSE}/{name}")
                for table, side, name in zip(tables, sides, Crops._fields, strict=True)
            )
        )
