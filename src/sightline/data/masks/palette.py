"""Classes and what stands for them in masks, values or colors: from a mask's pixels to class indices, and back."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from sightline.config import IGNORE_INDEX
from sightline.config.palettes import Code, Color, code_text

# A pixel of a known color, and not of a class, is at most so far from the line between two classes (levels of 255).
OFF_LINE = 12
# Levels of 255 between two classes that can be blended: indices such as 0, 1, 2 cannot.
FAR = 24
# Nearest classes of which three may meet in a shade.
AROUND = 5
# Rows of color that are compared at once: bounds the memory where a mask is a photograph.
BLOCK = 4096


@dataclass(frozen=True)
class Palette:
    """Names of classes, and the value or the color of each.

    Attributes:
        classes: names by class index; they count.
        rgb: a color for each, 0–255; where masks hold values, for showing only.
        ignored: colors whose pixels become `IGNORE_INDEX`.
        indexed: masks hold values, and not colors.
        values: the value of each class, of an indexed palette; () for 0, 1, 2 …
        ignored_values: values whose pixels become `IGNORE_INDEX`, of an indexed palette.
        blended: pixels of no class whose color lies between those of two classes become the nearer: borders that were
            drawn smooth.
        lossy: all pixels of no class become the nearest: masks that were saved with loss.
        thresholded: each channel is read by thresholding at 128, DeepGlobe's rule.
    """

    classes: tuple[str, ...]
    rgb: tuple[Color, ...]
    ignored: tuple[Color, ...] = ()
    indexed: bool = False
    values: tuple[int, ...] = ()
    ignored_values: tuple[int, ...] = (IGNORE_INDEX,)
    blended: bool = False
    lossy: bool = False
    thresholded: bool = False

    @property
    def colors(self) -> np.ndarray:
        """uint8 (K, 3)."""
        return np.array(self.rgb, np.uint8).reshape(-1, 3)

    @property
    def codes(self) -> tuple[Code, ...]:
        """The value of each class, or its color."""
        if not self.indexed:
            return self.rgb
        return self.values or tuple(range(len(self.classes)))

    @property
    def ignored_codes(self) -> tuple[Code, ...]:
        """Values that are ignored, or colors."""
        return self.ignored_values if self.indexed else self.ignored

    def encode(self, mask: np.ndarray, table: np.ndarray | None = None) -> tuple[np.ndarray, int]:
        """Return class indices uint8 (H, W), else `IGNORE_INDEX`, and how many pixels the palette does not explain.

        Args:
            mask: colors uint8 (H, W, 3); values, uint8 or int64 (H, W); or one bit, bool (H, W).
            table: colors uint8 (256, 3) of a palette file, whose indices `mask` holds.
        """
        if mask.ndim == 2 and mask.dtype in (np.uint8, np.bool_):
            # A look-up for all values there can be.
            keys, counts = np.arange(256), np.bincount(mask.astype(np.uint8).ravel(), minlength=256)
            classes, known = self.classes_of(self.keys_of(keys, table, bits=mask.dtype == np.bool_))
            return classes[mask.astype(np.uint8)], int(counts[~known].sum())
        flat = (packed(mask) if mask.ndim == 3 else mask.astype(np.int64)).ravel()
        starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]])) if flat.size else np.empty(0, int)
        lengths = np.diff(np.append(starts, flat.size))
        keys, at = np.unique(flat[starts], return_inverse=True)
        classes, known = self.classes_of(keys if mask.ndim == 3 else self.keys_of(keys, table))
        off = int(lengths[~known[at]].sum())
        return np.repeat(classes[at], lengths).reshape(mask.shape[:2]), off

    def keys_of(self, values: np.ndarray, table: np.ndarray | None = None, *, bits: bool = False) -> np.ndarray:
        """Return keys, as of `packed`, of values int (n,) by what this palette makes of them: values or colors.

        Args:
            values: of a plane of values.
            table: of a palette file: its indices count as values, or stand for their colors.
            bits: of a mask of one bit, whose 1 is 255 unless the palette has a class of value 1.
        """
        if table is not None and not self.indexed:
            return packed(table[np.clip(values, 0, 255)])
        if bits:
            values = np.where(values > 0, 1 if self.indexed and 1 in self.codes and 255 not in self.codes else 255, 0)
        return gray_keys(values)

    def classes_of(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the class index of each key, uint8 (n,), and whether the palette explains it, bool (n,)."""
        if self.thresholded:
            pure = packed(np.where(unpacked(keys) >= 128, 255, 0))
            keys = np.where(is_color(keys), pure, keys)
        codes = np.concatenate([keys_of_codes(self.codes), keys_of_codes(self.ignored_codes)])
        numbers = np.array([*range(len(self.codes)), *[IGNORE_INDEX] * len(self.ignored_codes)], np.uint8)
        order = np.argsort(codes, kind="stable")
        at = np.searchsorted(codes[order], keys).clip(max=len(codes) - 1)
        known = codes[order][at] == keys
        classes = np.where(known, numbers[order][at], np.uint8(IGNORE_INDEX))
        if (self.blended or self.lossy) and not known.all():
            missing = np.flatnonzero(~known & is_color(keys))
            # 255, which is ignored, is no end of a scale from the last index.
            ends = codes if self.lossy or not self.indexed else codes[: len(self.codes)]
            nearest = nearest_code(unpacked(keys[missing]), unpacked(ends), anywhere=self.lossy)
            classes[missing[nearest >= 0]] = numbers[nearest[nearest >= 0]]
            known[missing[nearest >= 0]] = True
        return classes, known | (keys == NO_KEY)

    def decode(self, indices: np.ndarray) -> np.ndarray:
        """Return colors uint8 (H, W, 3) of class indices; ignored pixels get `void_color`."""
        table = np.zeros((256, 3), np.uint8)
        table[: len(self.rgb)] = self.colors
        table[IGNORE_INDEX] = self.void_color
        return table[indices]

    def decode_values(self, indices: np.ndarray) -> np.ndarray:
        """Return the values, uint8 (H, W), of class indices, uint16 where one needs it; ignored pixels get `void`.

        The classes of a palette of colors are written by their index.
        """
        values = self.as_values().values
        table = np.zeros(256, np.uint16 if max([self.void, *values]) > 255 else np.uint8)
        table[: len(self.classes)] = values
        table[IGNORE_INDEX] = self.void
        return table[indices]

    @property
    def void(self) -> int:
        """The value of ignored pixels in a mask of values: 255, or the largest below it that no class has."""
        values = self.values if self.indexed and self.values else range(len(self.classes))
        free = [*(self.ignored_values if self.indexed else ()), *range(IGNORE_INDEX, -1, -1)]
        return next(value for value in free if 0 <= value <= IGNORE_INDEX and value not in values)

    @property
    def void_color(self) -> Color:
        """The color of ignored pixels: the first ignored one, else black, else a gray that no class has."""
        free = [*self.ignored, (0, 0, 0), *((level,) * 3 for level in range(128, 256))]
        return next(color for color in free if color not in self.rgb)

    @property
    def void_gray(self) -> int | None:
        """Value of `void_color` where it is gray and no channel of a class has it: it can then mean no data."""
        first, *rest = set(self.void_color)
        return None if rest or any(first in color for color in self.rgb) else first

    def as_values(self) -> Palette:
        """Return the palette of what `decode_values` writes."""
        values = self.values if self.indexed and self.values else tuple(range(len(self.classes)))
        ignored = tuple(sorted({self.void, *(self.ignored_values if self.indexed else ())}))
        return Palette(self.classes, self.rgb, indexed=True, values=values, ignored_values=ignored)

    def as_colors(self) -> Palette:
        """Return the palette of what `decode` writes."""
        return Palette(self.classes, self.rgb, (self.void_color,), indexed=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the palette as JSON."""
        return {
            "classes": list(self.classes),
            "rgb": [list(color) for color in self.rgb],
            "ignored": [list(color) for color in self.ignored],
            "indexed": self.indexed,
            "values": list(self.values),
            "ignored_values": list(self.ignored_values),
            "blended": self.blended,
            "lossy": self.lossy,
            "thresholded": self.thresholded,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Palette:
        """Return the palette that `to_dict` wrote, now or before masks of values that are no indices were known."""
        rgb, ignored = (tuple((int(r), int(g), int(b)) for r, g, b in values[key]) for key in ("rgb", "ignored"))
        pure = all(value in (0, 255) for color in (*rgb, *ignored) for value in color)
        return cls(
            tuple(values["classes"]),
            rgb,
            ignored,
            bool(values["indexed"]),
            tuple(int(value) for value in values.get("values", ())),
            tuple(int(value) for value in values.get("ignored_values", (IGNORE_INDEX,))),
            bool(values.get("blended", False)),
            bool(values.get("lossy", False)),
            bool(values.get("thresholded", pure and not values["indexed"])),
        )

    def text(self, index: int) -> str:
        """Return the value or the color of a class as people write it."""
        return code_text(self.codes[index])


# -- keys: one integer for a value or a color; gray of 0 to 255 is the same as its value
NO_KEY = -(1 << 40)
_WIDE = 1 << 32


def packed(colors: np.ndarray) -> np.ndarray:
    """Return keys int64 (…) of colors uint8 (…, 3)."""
    wide = colors.astype(np.int64)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def is_color(keys: np.ndarray) -> np.ndarray:
    """Return whether keys are of colors or of values up to 255, bool (n,)."""
    return (keys >= 0) & (keys < 1 << 24)


def unpacked(keys: np.ndarray) -> np.ndarray:
    """Return colors int64 (n, 3) of keys int64 (n,)."""
    return np.stack([keys >> 16 & 255, keys >> 8 & 255, keys & 255], axis=-1)


def gray_keys(values: np.ndarray) -> np.ndarray:
    """Return keys of values: those of the gray color up to 255, and others apart from all colors."""
    values = values.astype(np.int64)
    small = (values >= 0) & (values <= 255)
    return np.where(small, values * 0x010101, np.where(values == NO_KEY, NO_KEY, _WIDE + values))


def values_of_keys(keys: np.ndarray) -> np.ndarray:
    """Return the values of keys that are gray or wide."""
    return np.where(is_color(keys), keys & 255, keys - _WIDE)


def keys_of_codes(codes: tuple[Code, ...]) -> np.ndarray:
    """Return keys int64 (n,) of values or colors."""
    keys = [
        int(gray_keys(np.array([code]))[0]) if isinstance(code, int) else code[0] << 16 | code[1] << 8 | code[2]
        for code in codes
    ]
    return np.array(keys, np.int64)


def nearest_code(colors: np.ndarray, codes: np.ndarray, *, anywhere: bool = False) -> np.ndarray:
    """Return the index of the class each color blends into, int64 (n,), −1 where it is no blend of two.

    A blend is on the line between two classes that are far apart, or, where three meet, in the triangle between them.

    Args:
        colors: (n, 3).
        codes: (K, 3) of the classes.
        anywhere: every color goes to the nearest.
    """
    if not len(codes) or not len(colors):
        return np.full(len(colors), -1)
    blocks = [_nearest(colors[begin : begin + BLOCK], codes, anywhere) for begin in range(0, len(colors), BLOCK)]
    return np.concatenate(blocks)


def _nearest(colors: np.ndarray, codes: np.ndarray, anywhere: bool) -> np.ndarray:
    colors, codes = colors.astype(np.float32), codes.astype(np.float32)
    distance = np.linalg.norm(colors[:, None] - codes[None], axis=2)
    nearest = distance.argmin(axis=1)
    if anywhere:
        return nearest
    between = np.zeros(len(colors), bool)
    for first in range(len(codes)):
        for second in range(first + 1, len(codes)):
            line = codes[second] - codes[first]
            length = float(line @ line)
            if np.abs(line).max() < FAR:
                continue
            at = ((colors - codes[first]) @ line) / length
            rest = np.abs(colors - codes[first] - at[:, None] * line).max(axis=1)
            between |= (at > 0) & (at < 1) & (rest <= OFF_LINE)
    corners = distance.argsort(axis=1)[:, :AROUND]
    for three in combinations(range(corners.shape[1]), 3):
        between |= _in_triangle(colors, *(codes[corners[:, i]] for i in three))
    return np.where(between, nearest, -1)


def _in_triangle(colors: np.ndarray, first: np.ndarray, second: np.ndarray, third: np.ndarray) -> np.ndarray:
    """Return whether colors are blends of three classes far apart, bool (n,); all float32 (n, 3)."""
    a, b, c = second - first, third - first, colors - first
    aa, bb, ab, ac, bc = (np.sum(x * y, axis=1) for x, y in ((a, a), (b, b), (a, b), (a, c), (b, c)))
    area = aa * bb - ab * ab
    far = (
        (np.minimum(np.abs(a).max(1), np.abs(b).max(1)) >= FAR) & (np.abs(a - b).max(1) >= FAR) & (area > aa * bb / 100)
    )
    area = np.where(far, area, 1)
    u, v = (bb * ac - ab * bc) / area, (aa * bc - ab * ac) / area
    rest = np.abs(c - u[:, None] * a - v[:, None] * b).max(axis=1)
    return far & (u > 0) & (v > 0) & (u + v < 1) & (rest <= OFF_LINE)


VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


def voc_color(index: int) -> Color:
    """Return the index-th color of Pascal VOC's color map: bits of the index dealt out to the channels."""
    red = green = blue = 0
    for shift in range(7, -1, -1):
        red |= (index & 1) << shift
        green |= (index >> 1 & 1) << shift
        blue |= (index >> 2 & 1) << shift
        index >>= 3
    return red, green, blue


DEEPGLOBE = Palette(
    classes=("urban", "agriculture", "rangeland", "forest", "water", "barren"),
    rgb=((0, 255, 255), (255, 255, 0), (255, 0, 255), (0, 255, 0), (0, 0, 255), (255, 255, 255)),
    # "unknown": clouds and the edge of a scene.
    ignored=((0, 0, 0),),
    thresholded=True,
)
VOC = Palette(
    classes=VOC_CLASSES,
    rgb=tuple(voc_color(i) for i in range(len(VOC_CLASSES))),
    ignored=((224, 224, 192),),
)
