"""Classes and their colours: from a mask's pixels to class indices, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sightline.config import IGNORE_INDEX
from sightline.errors import DataError

MOST_CLASSES = 64  # a mask with more colours than this is a photograph, or was saved as JPEG
LOOKED_AT = 20  # masks from which a palette is found out


@dataclass(frozen=True)
class Palette:
    """Names and colours of classes.

    Attributes:
        classes: names by class index; they count.
        rgb: a colour for each, 0–255.
        ignored: colours whose pixels become `IGNORE_INDEX`.
        indexed: masks hold class indices themselves, and `rgb` is for showing only.
    """

    classes: tuple[str, ...]
    rgb: tuple[tuple[int, int, int], ...]
    ignored: tuple[tuple[int, int, int], ...] = ()
    indexed: bool = False

    @property
    def colors(self) -> np.ndarray:
        """uint8 (K, 3)."""
        return np.array(self.rgb, np.uint8)

    @property
    def binary(self) -> bool:
        """Whether all channels are 0 or 255: masks are then read by thresholding at 128 (the graders' rule)."""
        return all(value in (0, 255) for color in (*self.rgb, *self.ignored) for value in color)

    @property
    def ignored_color(self) -> tuple[int, int, int]:
        """Color of pixels that are ignored or hold no data: the first ignored one, else one that no class has."""
        free = ((0, 0, 0), (255, 255, 255), (224, 224, 192))  # black, white, and PASCAL VOC's "void"
        return self.ignored[0] if self.ignored else next(color for color in free if color not in self.rgb)

    @property
    def ignored_gray(self) -> int | None:
        """Value of that color where it is gray and no channel of a class has it, so that it can be a no-data value."""
        first, *rest = set(self.ignored_color)
        return None if rest or any(first in color for color in self.rgb) else first

    def encode(self, mask: np.ndarray) -> tuple[np.ndarray, int]:
        """Return class indices uint8 (H, W), else `IGNORE_INDEX`, and how many pixels no colour explains.

        Args:
            mask: uint8 (H, W, 3), or (H, W) of an index mask.
        """
        if self.indexed:
            plane = mask if mask.ndim == 2 else mask[..., 0]
            off = (plane >= len(self.classes)) & (plane != IGNORE_INDEX)
            return np.where(off, np.uint8(IGNORE_INDEX), plane), int(off.sum())
        if self.binary:
            mask = np.where(mask >= 128, np.uint8(255), np.uint8(0))
        keys = _key(mask)
        codes = np.array([_key(np.array(color, np.uint8)) for color in (*self.rgb, *self.ignored)], np.int32)
        values = np.array([*range(len(self.classes)), *[IGNORE_INDEX] * len(self.ignored)], np.uint8)
        order = np.argsort(codes)
        at = np.searchsorted(codes[order], keys).clip(max=len(codes) - 1)
        known = codes[order][at] == keys
        return np.where(known, values[order][at], np.uint8(IGNORE_INDEX)), int((~known).sum())

    def decode(self, indices: np.ndarray) -> np.ndarray:
        """Return colours uint8 (H, W, 3) of class indices; ignored pixels get `ignored_color`."""
        table = np.zeros((256, 3), np.uint8)
        table[: len(self.rgb)] = self.colors
        table[IGNORE_INDEX] = self.ignored_color
        return table[indices]

    def to_dict(self) -> dict[str, Any]:
        """Return the palette as JSON."""
        return {
            "classes": list(self.classes),
            "rgb": [list(color) for color in self.rgb],
            "ignored": [list(color) for color in self.ignored],
            "indexed": self.indexed,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Palette:
        """Return the palette that `to_dict` wrote."""
        rgb, ignored = (tuple((int(r), int(g), int(b)) for r, g, b in values[key]) for key in ("rgb", "ignored"))
        return cls(tuple(values["classes"]), rgb, ignored, bool(values["indexed"]))


DEEPGLOBE = Palette(
    classes=("urban", "agriculture", "rangeland", "forest", "water", "barren"),
    rgb=((0, 255, 255), (255, 255, 0), (255, 0, 255), (0, 255, 0), (0, 0, 255), (255, 255, 255)),
    ignored=((0, 0, 0),),  # "unknown": clouds and the edge of a scene
)


def find_palette(masks: Sequence[Path]) -> Palette:
    """Find out what the masks of a data set hold: DeepGlobe's colours, a palette PNG, class indices, or a few colours.

    Raises:
        DataError: more colours than classes can have; the masks were blurred or saved with loss.
    """
    step = max(1, len(masks) // LOOKED_AT)
    chosen = masks[::step][:LOOKED_AT]
    palettes: list[bytes] = []
    used: Counter[tuple[int, ...]] = Counter()
    for path in chosen:
        with Image.open(path) as image:
            image.load()
            if image.mode == "P":
                palettes.append(bytes(image.getpalette("RGB") or b""))
                used.update((int(v),) for v in np.unique(np.asarray(image)))
            elif image.mode in ("L", "1", "I", "I;16"):
                used.update((int(v),) for v in np.unique(np.asarray(image)))
            else:
                pixels = np.asarray(image.convert("RGB"))
                for key, count in zip(*np.unique(_key(pixels), return_counts=True), strict=True):
                    used[(int(key) >> 16, int(key) >> 8 & 255, int(key) & 255)] += int(count)
    if palettes or all(len(color) == 1 for color in used):
        return _indexed(sorted(color[0] for color in used if len(color) == 1), palettes)
    return _colored(used)


def _indexed(values: list[int], palettes: list[bytes]) -> Palette:
    used = [value for value in values if value != IGNORE_INDEX]
    if not used:
        raise DataError("masks: hold no class at all, every pixel looked at is 255; give other masks")
    count = max(used) + 1
    if count > MOST_CLASSES:
        raise DataError(
            f"masks: hold the value {max(used)}, over {MOST_CLASSES} classes; these are grey pictures and no class "
            "indices. Save class indices from 0 on, 255 for what is to be ignored"
        )
    table = np.frombuffer(palettes[0], np.uint8).reshape(-1, 3) if palettes else None
    colors = [
        tuple(int(v) for v in table[i]) if table is not None and i < len(table) else _contrasting(i)
        for i in range(count)
    ]
    return Palette(tuple(f"class {i}" for i in range(count)), tuple(colors), indexed=True)  # pyright: ignore[reportArgumentType]


def _colored(used: Counter[tuple[int, ...]]) -> Palette:
    deepglobe = set(DEEPGLOBE.rgb) | set(DEEPGLOBE.ignored)
    rounded: Counter[tuple[int, ...]] = Counter()
    for color, count in used.items():
        rounded[tuple(255 * (value >= 128) for value in color)] += count
    near = sum(count for color, count in used.items() if all(v < 32 or v > 223 for v in color))
    # JPEG-like fringes are read by the threshold; but masks of a few clean colours are their own palette.
    if near > 0.95 * sum(used.values()) and set(rounded) <= deepglobe:
        return DEEPGLOBE
    if len(used) > MOST_CLASSES:
        raise DataError(
            f"masks: hold {len(used)} colours, over {MOST_CLASSES}; they were blurred, resized smoothly or saved with "
            "loss. Save them as PNG with one exact colour a class"
        )
    colors = sorted(used)
    return Palette(tuple("#{:02x}{:02x}{:02x}".format(*color) for color in colors), tuple(colors))  # pyright: ignore[reportArgumentType]


def _key(pixels: np.ndarray) -> np.ndarray:
    wide = pixels.astype(np.int32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _contrasting(index: int) -> tuple[int, int, int]:
    """Return the index-th colour of Pascal VOC's colour map: bits of the index dealt out to the channels."""
    red = green = blue = 0
    for shift in range(7, -1, -1):
        red |= (index & 1) << shift
        green |= (index >> 1 & 1) << shift
        blue |= (index >> 2 & 1) << shift
        index >>= 3
    return red, green, blue
