"""How the numbers of a file become pixels: one rule for every format, in training, prediction, prompts and the page.

8-bit values are pixels as they are. Others (more bits, signed, float) are mapped from a low and a high value a band to
0–255: those of the run's data set, those that the user gave, or else those of the picture itself; their no-data is
black. `Raster.known` tells where there is data. Transparency is laid on white. A band that a TIFF calls transparency is
believed to be that only if it holds next to nothing but "all" and "none": GDAL calls the fourth of four 8-bit bands so,
and it is mostly near infrared.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from sightline.errors import DataError

Pairs = tuple[tuple[float, float], ...]
# Hot pixels, glints and untagged no-data values are fewer than one pixel in 200 of nearly every picture; the 2nd and
# 98th, usual for display, would cut what is bright and rare: roofs, snow, fluorescent cells.
PERCENTILES = (0.5, 99.5)
SAMPLE = 128  # rows and columns of a picture that percentiles are taken from
COLORS = 3  # channels where no bands are chosen: red, green, blue
TRANSPARENT = 0.99  # share of a transparency band that is "all" or "none"; soft edges are fewer than the rest
# What floats and signed numbers hold for "no data" where the file does not say it.
UNSAID = (-9999.0, float(np.finfo(np.float32).min))


@dataclass(frozen=True)
class Reading:
    """Which bands of a file are seen, and which of their values are black and white.

    Attributes:
        bands: from 1; None: as the file says it: red, green and blue, a gray band repeated, a palette looked up.
        scale: (value that becomes 0, value that becomes 255) for each band, or one pair for all; None: those of
            the picture itself, `PERCENTILES` of each band.
        bytes_too: whether `scale` holds for 8-bit values too, as where a user gave it.
    """

    bands: tuple[int, ...] | None = None
    scale: Pairs | None = None
    bytes_too: bool = False

    @property
    def channels(self) -> int:
        """Number of channels that come out."""
        return len(self.bands) if self.bands else COLORS

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "bands": None if self.bands is None else list(self.bands),
            "scale": None if self.scale is None else [list(pair) for pair in self.scale],
            "bytes_too": self.bytes_too,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> Self:
        """Return what `to_dict` wrote; of a run from before there were readings (None) the default."""
        if values is None:
            return cls()
        bands, scale = values.get("bands"), values.get("scale")
        return cls(
            None if bands is None else tuple(int(band) for band in bands),
            None if scale is None else tuple((float(low), float(high)) for low, high in scale),
            bool(values.get("bytes_too", False)),
        )

    def scale_of(self, bands: tuple[int, ...] | None) -> Pairs | None:
        """Return the pairs of `scale` for other bands; None where one of them has none here, and is to be measured."""
        if self.scale is None or len(self.scale) == 1 or bands == self.bands:
            return self.scale
        pairs = dict(zip(self.bands or range(1, COLORS + 1), self.scale, strict=False))
        wanted = bands or range(1, COLORS + 1)
        return tuple(pairs[band] for band in wanted) if all(band in pairs for band in wanted) else None

    def chosen(self, count: int) -> list[int]:
        """Return the bands, from 1, that are read of a file of `count` bands (without a band of transparency).

        Raises:
            DataError: the file has fewer bands than are asked for.
        """
        if self.bands is None:
            return [1, 2, 3] if count >= COLORS else [1]
        if max(self.bands) > count:
            raise DataError(
                f"data.bands = {list(self.bands)}: the file has {count} band{'s' * (count > 1)}; choose among 1 to "
                f"{count}, or take images with these bands"
            )
        return list(self.bands)

    def pairs(self, kind: np.dtype[Any], channels: int) -> Pairs | None:
        """Return a pair for each of `channels`, of values of that kind; None where there are none yet, or need not be.

        Raises:
            DataError: the number of pairs is another.
        """
        if self.scale is None or (kind == np.uint8 and not self.bytes_too):
            return None
        if len(self.scale) not in (1, channels):
            raise DataError(
                f"data.scale: {len(self.scale)} pairs for {channels} bands; give one pair for all, or one a band"
            )
        return self.scale * channels if len(self.scale) == 1 else self.scale


@dataclass(frozen=True)
class Values:
    """Numbers of a file, in rows.

    Attributes:
        numbers: (H, W, bands), of the file's own type.
        known: bool of the same shape, False where there is no data; None where all is.
    """

    numbers: np.ndarray
    known: np.ndarray | None = None


class Raster(ABC):
    """A picture read by rows.

    Attributes:
        height: in pixels.
        width: likewise.
        count: of its bands, without one of transparency.
        kind: of its numbers.
        georeference: crs and transform, as rasterio takes them for a new file; without a georeference {}.
        reading: how it is read.
        remarks: on what a user may not expect, such as a band of transparency that is none.
        holey: whether some pixels may hold no data.
    """

    def __init__(self, height: int, width: int, count: int, kind: np.dtype[Any], reading: Reading) -> None:
        if kind.kind not in "buif":
            raise DataError(f"holds {kind} numbers, and images hold real ones; save their magnitude")
        self.height, self.width, self.count, self.kind = height, width, count, kind
        self.georeference: dict[str, Any] = {}
        self.remarks: list[str] = []
        self.reading, self.bands = reading, reading.chosen(count)
        self.holey = False
        self._pairs: Pairs | None = reading.pairs(kind, reading.channels)
        self._measured = kind == np.uint8 or self._pairs is not None
        self._held: tuple[int, int, np.ndarray] | None = None

    @abstractmethod
    def _read(self, bands: list[int], top: int, bottom: int) -> Values:
        """Return rows of some bands."""

    @abstractmethod
    def _some(self, bands: list[int]) -> Values:
        """Return rows and columns of some bands, about `SAMPLE` of each, spread over the picture."""

    def _alpha(self, top: int, bottom: int) -> np.ndarray | None:
        """Return transparency, uint8 (rows, W): 0 for none of the picture seen; None without any."""
        del top, bottom
        return None

    def rows(self, top: int, bottom: int) -> np.ndarray:
        """Return rows top to bottom, uint8 (rows, W, C).

        The rows last read are kept, so that windows side by side read the file once.

        Raises:
            DataError: the file is damaged there.
        """
        if self._held is None or self._held[:2] != (top, bottom):
            self._held = None  # before the next is read: only one is in memory
            if not self._measured:
                self._pairs, self._measured = percentiles([self.sample()]), True
            values = self._read(self.bands, top, bottom)
            self._held = top, bottom, self._pixels(values, self._alpha(top, bottom))
        return self._held[2]

    def known(self, top: int, bottom: int) -> np.ndarray:
        """Return where the file holds data, bool (rows, W): False where no band seen has any, or it is clear."""
        known = np.ones((bottom - top, self.width), bool)
        if self.holey:
            values = self._read(self.bands, top, bottom)
            if values.known is not None:
                known = np.logical_or.reduce(values.known, axis=2)
            alpha = self._alpha(top, bottom)
            if alpha is not None:
                known = np.logical_and(known, alpha > 0)
        return known

    def sample(self) -> list[np.ndarray]:
        """Return for each channel some of its known numbers, 1-D."""
        values = self._some(self.bands)
        channels = [
            values.numbers[..., i][values.known[..., i]] if values.known is not None else values.numbers[..., i].ravel()
            for i in range(len(self.bands))
        ]
        return channels * (self.reading.channels // len(channels))

    def _pixels(self, values: Values, alpha: np.ndarray | None) -> np.ndarray:
        pixels = _bytes(values, self._pairs)
        if pixels.shape[2] < self.reading.channels:
            pixels = np.repeat(pixels, self.reading.channels, axis=2)
        return np.ascontiguousarray(pixels if alpha is None else _on_white(pixels, alpha))


class ArrayRaster(Raster):
    """A picture that is in memory.

    Args:
        numbers: (H, W, bands).
        reading: how to read it.
        alpha: transparency, uint8 (H, W); None without any.
        known: where there is data, bool (H, W, bands); None where all is.
    """

    def __init__(
        self, numbers: np.ndarray, reading: Reading, alpha: np.ndarray | None = None, known: np.ndarray | None = None
    ) -> None:
        height, width, count = numbers.shape
        super().__init__(height, width, count, numbers.dtype, reading)
        self._numbers, self._transparency = numbers, alpha
        self._known = unsaid(numbers) if known is None else known
        self.holey = alpha is not None or self._known is not None

    def _read(self, bands: list[int], top: int, bottom: int) -> Values:
        return self._taken(bands, np.s_[top:bottom])

    def _some(self, bands: list[int]) -> Values:
        rows, columns = (max(1, side // SAMPLE) for side in (self.height, self.width))
        return self._taken(bands, np.s_[::rows, ::columns])

    def _taken(self, bands: list[int], where: Any) -> Values:
        if bands == list(range(1, self.count + 1)):
            return Values(self._numbers[where], None if self._known is None else self._known[where])
        at = [band - 1 for band in bands]
        return Values(self._numbers[where][..., at], None if self._known is None else self._known[where][..., at])

    def _alpha(self, top: int, bottom: int) -> np.ndarray | None:
        return None if self._transparency is None else self._transparency[top:bottom]


def unsaid(numbers: np.ndarray, nodata: Sequence[float | None] = ()) -> np.ndarray | None:
    """Return where numbers (H, W, bands) are data: neither NaN or infinite, nor the no-data value; None: all are.

    Args:
        numbers: of any kind.
        nodata: of each band, None where the file says none; without any, `UNSAID` of floats and signed numbers.
    """
    known: np.ndarray | None = np.isfinite(numbers) if numbers.dtype.kind == "f" else None
    values: list[Sequence[float]] = [[value] for value in nodata if value is not None]
    if len(values) < numbers.shape[2]:
        values = [{"f": UNSAID, "i": UNSAID[:1]}.get(numbers.dtype.kind, ())] * numbers.shape[2]
    for i, of_band in enumerate(values):
        for value in of_band:
            with np.errstate(over="ignore"):
                here = numbers[..., i] != (numbers.dtype.type(value) if numbers.dtype.kind == "f" else value)
            if not here.all():
                known = np.ones(numbers.shape, bool) if known is None else known
                known[..., i] &= here
    return None if known is None or known.all() else known


def is_transparency(band: np.ndarray) -> bool:
    """Return whether a band holds next to nothing but "all" and "none", and something of "all"."""
    full = np.iinfo(band.dtype).max if band.dtype.kind in "iu" else 1
    return bool((band == full).any()) and float(((band == full) | (band == 0)).mean()) >= TRANSPARENT


def percentiles(samples: Sequence[Sequence[np.ndarray]]) -> Pairs:
    """Return the low and high value of each channel: `PERCENTILES` of the numbers of all the pictures.

    Args:
        samples: of each picture, of each channel, numbers (N,); as of `Raster.sample`.
    """
    return tuple(_between(np.concatenate(channel)) for channel in zip(*samples, strict=True))


def _between(numbers: np.ndarray) -> tuple[float, float]:
    if not numbers.size:
        return 0.0, 1.0  # nothing is known of any pixel: all are black
    # Values that are there, so that a picture of few levels keeps its darkest and brightest.
    low = float(np.percentile(numbers, PERCENTILES[0], method="lower"))
    high = float(np.percentile(numbers, PERCENTILES[1], method="higher"))
    return (low, high) if high > low else (low, low + 1)


def _bytes(values: Values, pairs: Pairs | None) -> np.ndarray:
    """Return uint8 (H, W, bands): 8 bits as they are, others scaled; their no-data is 0."""
    numbers = values.numbers
    if pairs is None:
        return numbers
    pixels = np.empty(numbers.shape, np.uint8)
    # Exact for 16 bits; wider integers need more.
    exact = np.float64 if numbers.dtype.itemsize > 2 and numbers.dtype != np.float32 else np.float32
    for i in range(numbers.shape[2]):
        low, high = pairs[i]
        with np.errstate(invalid="ignore", over="ignore"):
            scaled = (numbers[..., i].astype(exact) - exact(low)) * exact(255 / (high - low))
        band = np.rint(np.clip(np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0), 0, 255))
        pixels[..., i] = band if values.known is None else np.where(values.known[..., i], band, 0)
    return pixels


def _on_white(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None].astype(np.uint16)
    return ((pixels * share + 255 * (255 - share) + 127) // 255).astype(np.uint8)


def picture(pixels: np.ndarray) -> np.ndarray:
    """Return what people and promptable engines see of an image (H, W, C): its first three bands, or one repeated."""
    if pixels.shape[2] == COLORS:
        return pixels
    return np.ascontiguousarray(pixels[..., :COLORS] if pixels.shape[2] > COLORS else pixels[..., [0, 0, 0]])
