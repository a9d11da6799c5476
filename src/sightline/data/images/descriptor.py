"""What a picture looks like in 436 numbers, without any network: its edges by direction and place, and its colors."""

from __future__ import annotations

import cv2
import numpy as np

from sightline.data.images.reading import picture

SIDE = 64
CELLS, DIRECTIONS = (
    4,
    9,
)  # histograms of oriented gradients: cells of 16 pixels, nine directions (Dalal and Triggs 2005)
LEVELS = 4  # of each color in the histogram


def describe_picture(pixels: np.ndarray) -> np.ndarray:
    """Return a descriptor, float32 (436,): normalized blocks of 2 × 2 cells, mean colors of 4 × 4 parts, a histogram.

    Args:
        pixels: uint8 (H, W, C), of any size; its shape is not kept.
    """
    seen = cv2.resize(picture(pixels), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    colors = cv2.resize(seen, (CELLS, CELLS), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    bins = (seen // (256 // LEVELS)).astype(np.int64) @ np.array([LEVELS * LEVELS, LEVELS, 1])
    histogram = np.bincount(bins.ravel(), minlength=LEVELS**3) / bins.size
    return np.concatenate([_edges(seen), colors.ravel(), np.sqrt(histogram)]).astype(np.float32)


def _edges(seen: np.ndarray) -> np.ndarray:
    gray = cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY).astype(np.float32)
    across, down = cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)
    strength = np.sqrt(across**2 + down**2)
    direction = np.minimum((np.arctan2(down, across) % np.pi / np.pi * DIRECTIONS).astype(np.int64), DIRECTIONS - 1)
    place = np.arange(SIDE) // (SIDE // CELLS)
    cell = (place[:, None] * CELLS + place) * DIRECTIONS
    sums = np.bincount((cell + direction).ravel(), strength.ravel(), CELLS * CELLS * DIRECTIONS)
    cells = sums.reshape(CELLS, CELLS, DIRECTIONS)
    blocks = np.concatenate([cells[:-1, :-1], cells[:-1, 1:], cells[1:, :-1], cells[1:, 1:]], axis=2)
    return (blocks / (np.linalg.norm(blocks, axis=2, keepdims=True) + 1)).ravel()
