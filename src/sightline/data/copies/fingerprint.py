"""What is kept of a picture to find its copies: a thumbnail, mean color and digest; hashes of what windows show."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sightline.data.images.reading import picture

THUMB = 32  # pixels: what is left of a picture of 64 px after JPEG at quality 30, twice what the hashes look at
DIGEST = 16  # bytes
BITS = 64
SMALLEST = 0.9  # of each side: the smallest crop that hashes are made of
FREQUENCIES = 9  # of each axis, from 0, that the 64 lowest of the plane are among
BLOCK = 4096  # pictures transformed at a time: 16 MB


@dataclass(frozen=True)
class Window:
    """A part of a picture, in shares of its height and width."""

    top: float
    left: float
    height: float
    width: float


def _windows() -> tuple[Window, ...]:
    """Return the whole, and crops to 95 % and 90 % of each side in steps of 5 %.

    A crop between two of them is at most 2.5 % off, about which the 64 lowest frequencies hardly turn.
    """
    sizes = (((1 + SMALLEST) / 2, 2), (SMALLEST, 3))
    steps = [(size, top, left) for size, count in sizes for top in range(count) for left in range(count)]
    return (Window(0, 0, 1, 1), *(Window(0.05 * top, 0.05 * left, size, size) for size, top, left in steps))


WINDOWS = _windows()
_PLANE = [(y, x) for y in range(FREQUENCIES) for x in range(FREQUENCIES) if (y, x) != (0, 0)]
_LOWEST = np.array(sorted(_PLANE, key=lambda f: (f[0] ** 2 + f[1] ** 2, f))[:BITS])


@dataclass(frozen=True)
class Fingerprints:
    """Of N pictures.

    Attributes:
        thumbs: of their brightness, uint8 (N, THUMB, THUMB), whatever their shape.
        colors: means, 0–255, float32 (N, 3).
        digests: of pixels and shape, uint8 (N, DIGEST): equal where the pixels are.
    """

    thumbs: np.ndarray
    colors: np.ndarray
    digests: np.ndarray

    def __len__(self) -> int:
        return len(self.thumbs)

    @classmethod
    def joined(cls, parts: Sequence[Fingerprints]) -> Fingerprints:
        """Return those of several data sets, one after the other."""
        names = ("thumbs", "colors", "digests")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def fingerprints(image: Callable[[int], np.ndarray], count: int) -> Fingerprints:
    """Look at each picture once.

    Args:
        image: returns picture i, uint8 (H, W, C).
        count: N.
    """
    made = Fingerprints(
        np.empty((count, THUMB, THUMB), np.uint8), np.empty((count, 3), np.float32), np.empty((count, DIGEST), np.uint8)
    )
    for i in range(count):
        pixels = image(i)
        made.digests[i] = np.frombuffer(digest(pixels), np.uint8)
        seen = picture(pixels)
        made.colors[i] = cv2.mean(seen)[:3]
        small = cv2.resize(seen, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
        made.thumbs[i] = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return made


def digest(pixels: np.ndarray) -> bytes:
    """Return DIGEST bytes that two pictures have in common only where their pixels and shapes are the same."""
    sealed = hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=DIGEST, key=str(pixels.shape).encode())
    return sealed.digest()


def coefficients(thumbs: np.ndarray, window: Window) -> np.ndarray:
    """Return the lowest coefficients of the cosine transform of what a window shows, float32 (N, F, F), rows first.

    Args:
        thumbs: uint8 (N, THUMB, THUMB).
        window: the part that is looked at.
    """
    down, across = _cosines(window.top, window.height), _cosines(window.left, window.width)
    blocks = [thumbs[begin : begin + BLOCK].astype(np.float32) for begin in range(0, len(thumbs), BLOCK)]
    return np.concatenate([down @ block @ across.T for block in blocks])


def hashes(coefficients: np.ndarray, turned: bool, upside_down: bool, mirrored: bool) -> np.ndarray:
    """Return the signs of the 64 lowest frequencies as bits, uint64 (N,), of the picture laid in another way.

    Args:
        coefficients: of the picture as it is.
        turned: mirror at the main diagonal, before the others.
        upside_down: mirror top and bottom.
        mirrored: mirror left and right.
    """
    laid = coefficients.transpose(0, 2, 1) if turned else coefficients
    rows, columns = _LOWEST.T
    odd = (rows * upside_down + columns * mirrored) % 2 == 1
    bits = np.packbits((laid[:, rows, columns] > 0) != odd, axis=1, bitorder="little")
    return np.ascontiguousarray(bits).view("<u8").ravel().astype(np.uint64)


def _cosines(begin: float, extent: float) -> np.ndarray:
    """Return the integral of each cosine of a window over each pixel, float32 (F, THUMB); 0 outside of the window."""
    edges = np.clip(np.arange(THUMB + 1) / THUMB, begin, begin + extent)
    at, k = (edges - begin) / extent, np.arange(1, FREQUENCIES)[:, None]
    waves = np.diff(np.sin(np.pi * k * at) / (np.pi * k), axis=1)
    return np.concatenate([np.diff(at)[None], waves]).astype(np.float32)
