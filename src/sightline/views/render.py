"""Tables of parameters and images in, uint8 views out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from threading import Lock

import cv2
import numpy as np

from sightline.errors import DataError
from sightline.views import parameters as p

_LOCK = Lock()
# A box of at least twice this many times the view's side is first shrunk by cv2's area mean, to no less than this
# many times: within 1.5 grey levels of the bicubic over the whole (tests/views/test_render.py); 2 would not be.
REDUCE_FROM = 4
PADDING = 32  # kernels round columns and rows up by less than this


@cache
def _compiled() -> tuple[Callable[..., None], Callable[..., None]]:
    import numba

    from sightline.views import kernels

    options = {"nogil": True, "cache": True, "fastmath": kernels._FAST}
    small = numba.njit(kernels._SMALL, **options)(kernels._render_small)
    large = numba.njit(kernels._LARGE, **options)(kernels._render_large)
    return small, large


def compiled() -> tuple[Callable[..., None], Callable[..., None]]:
    """Return the kernels of small and of large boxes; the first call on a machine compiles them for some seconds."""
    with _LOCK:
        return _compiled()


def sizes_of(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return int64 (B, 2), height and width.

    Raises:
        DataError: an image is not HWC uint8, is empty, or has another number of channels than the first.
    """
    for index, image in enumerate(images):
        if image.ndim != 3 or image.shape[2] != images[0].shape[2] or image.dtype != np.uint8 or not image.size:
            raise DataError(
                f"image {index} of the batch is {image.dtype} {image.shape}: views need HWC uint8 with at least one"
                " pixel and the same channels; open files with sightline.data.decode"
            )
    return np.array([image.shape[:2] for image in images], dtype=np.int64).reshape(-1, 2)


class Scratch:
    """Float32 buffers of one batch, shared by its views one after another."""

    def __init__(self) -> None:
        self._buffers = [np.empty(0, np.float32) for _ in range(4)]

    def fit(self, height: int, width: int, size: int) -> list[np.ndarray]:
        """Return planes, columns, wide and tall, large enough for a box of height × width seen at `size`."""
        column = 3 * (height + PADDING)
        needs = (3 * max(height * width, size * size), width * column, size * column + PADDING, size * column)
        for index, need in enumerate(needs):
            if self._buffers[index].size < need:
                self._buffers[index] = np.empty(need, np.float32)
        return self._buffers


def render(images: Sequence[np.ndarray], table: np.ndarray, out: np.ndarray) -> None:
    """Render view v of image b to out[v, b].

    Args:
        images: B arrays HWC uint8 RGB of any sizes; may be read-only and of any strides.
        table: float64 (B, V, COLUMNS).
        out: uint8 (V, B, S, S, 3), C-contiguous; every byte is written.
    """
    (small, large), scratch, size = compiled(), Scratch(), out.shape[2]
    for index, image in enumerate(images):
        for view in range(out.shape[0]):
            box, row = reduced(image, table[index, view], size)
            height, width, target = int(row[p.HEIGHT]), int(row[p.WIDTH]), out[view, index].reshape(-1)
            if height * width <= size * size:
                small(box, row, size, *scratch.fit(height, width, size), target)
            else:
                rows, row = in_rows(box, row)
                large(rows.reshape(-1), rows.strides[0], row, size, *scratch.fit(size, width, size), target)


def in_rows(image: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an image whose bytes lie one row after another, and the row of parameters that fits it."""
    if image.flags.c_contiguous:
        return image, row
    top, left, height, width = (int(row[column]) for column in (p.TOP, p.LEFT, p.HEIGHT, p.WIDTH))
    return np.ascontiguousarray(image[top : top + height, left : left + width]), _whole(row, height, width)


def reduced(image: np.ndarray, row: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the box of `row` shrunk, and a row that takes all of it, if it is much larger than the view.

    Args:
        image: HWC uint8.
        row: float64 (COLUMNS,).
        size: side of the view.
    """
    height, width = int(row[p.HEIGHT]), int(row[p.WIDTH])
    down, across = max(height // (REDUCE_FROM * size), 1), max(width // (REDUCE_FROM * size), 1)
    if down == 1 and across == 1:
        return image, row
    top, left = int(row[p.TOP]), int(row[p.LEFT])
    box = image[top : top + height, left : left + width]
    box = cv2.resize(box, (width // across, height // down), interpolation=cv2.INTER_AREA)
    return box, _whole(row, *box.shape[:2])


def _whole(row: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a row of parameters that takes all of an image."""
    row = row.copy()
    row[[p.TOP, p.LEFT, p.HEIGHT, p.WIDTH]] = 0, 0, height, width
    return row
