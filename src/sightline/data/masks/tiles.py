"""Large images in overlapping tiles: planned so that none sticks out, blended so that no seam shows. NumPy only."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

Window = tuple[int, int, int, int]  # top, left, bottom, right: pixels, the last two exclusive
_FLOOR = 1e-3  # weight of a tile's outermost pixels, which only the image's own border leaves without a neighbour


def plan(height: int, width: int, tile: int, overlap: float) -> list[Window]:
    """Return tiles row by row that cover an image: all of one size, evenly spread, none beyond the border.

    Args:
        height: of the image in pixels.
        width: likewise.
        tile: side; a shorter side of the image is taken whole.
        overlap: least share of a tile that it has in common with its neighbour, 0 to below 1.
    """
    down, across = min(tile, height), min(tile, width)
    return [
        (top, left, top + down, left + across)
        for top in _starts(height, down, overlap)
        for left in _starts(width, across, overlap)
    ]


def _starts(side: int, tile: int, overlap: float) -> list[int]:
    if side <= tile:
        return [0]
    step = max(1, int(tile * (1 - overlap)))
    count = -(-(side - tile) // step) + 1
    return [round(i * (side - tile) / (count - 1)) for i in range(count)]


def window(side: int) -> np.ndarray:
    """Return weights of a tile's rows or columns, float32 (side,): a raised cosine, next to nothing at its ends."""
    angle = (np.arange(side) + 0.5) / side * 2 * np.pi
    return np.maximum(_FLOOR, 0.5 - 0.5 * np.cos(angle)).astype(np.float32)


def blend(
    windows: list[Window],
    width: int,
    classes: int,
    classify: Callable[[list[Window]], np.ndarray],
    batch: int = 4,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first row, values float32 (K, rows, width)) from the top down, weighted over overlapping tiles.

    Rows are handed out as soon as no further tile touches them, so memory holds one row of tiles and not the image.

    Args:
        windows: of `plan`.
        width: of the image.
        classes: K.
        classify: returns float32 (B, K, h, w) of B windows.
        batch: windows at a time.
    """
    tall, wide = windows[0][2] - windows[0][0], windows[0][3] - windows[0][1]
    weight = window(tall)[:, None] * window(wide)[None, :]
    sums = np.zeros((classes, tall, width), np.float32)
    total = np.zeros((tall, width), np.float32)
    first = 0  # the image's row that sums[:, 0] stands for
    rows = sorted({top for top, *_ in windows})
    for number, top in enumerate(rows):
        if top > first:
            done = top - first
            yield first, sums[:, :done] / total[:done]
            sums[:, : tall - done], total[: tall - done] = sums[:, done:].copy(), total[done:].copy()
            sums[:, tall - done :], total[tall - done :] = 0, 0
            first = top
        row = [w for w in windows if w[0] == top]
        for begin in range(0, len(row), batch):
            chosen = row[begin : begin + batch]
            for (_, left, _, right), values in zip(chosen, classify(chosen), strict=True):
                sums[:, :, left:right] += values * weight
                total[:, left:right] += weight
        if number == len(rows) - 1:
            yield first, sums / total
