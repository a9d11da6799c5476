"""Two thumbnails laid over each other: how alike they are through the window that one is of the other."""

from __future__ import annotations

import math

import numba
import numpy as np

SIDE = 32
NOISE = 1.5  # levels of 255 that JPEG leaves in a thumbnail's detail: where there is no more, detail is no evidence
LEAST = 0.8  # extent of a window that is looked through: a picture cropped to less is not taken for a copy
ROUGH = 0.7  # correlation through the hash's window from which on a better one is looked for; copies have more
ENOUGH = 0.99  # correlation that no better window is looked for
STEPS = (0.025, 0.0125, 0.00625)  # by which a window's edges are moved: half of the hash's steps, down to 0.2 pixels


@numba.njit(nogil=True)
def _seen(thumb, turned, upside_down, mirrored, window, out):
    """Write into `out` float32 (SIDE, SIDE) what a window (top, left, height, width) of a thumbnail shows, laid so."""
    top, left, height, width = window
    for y in range(SIDE):
        for x in range(SIDE):
            v, u = (y + 0.5) / SIDE, (x + 0.5) / SIDE
            if upside_down:
                v = 1.0 - v
            if mirrored:
                u = 1.0 - u
            if turned:
                v, u = u, v
            row = min(max((top + v * height) * SIDE - 0.5, 0.0), SIDE - 1.0)
            column = min(max((left + u * width) * SIDE - 0.5, 0.0), SIDE - 1.0)
            i, j = min(int(row), SIDE - 2), min(int(column), SIDE - 2)
            p, q = row - i, column - j
            above = thumb[i, j] * (1.0 - q) + thumb[i, j + 1] * q
            below = thumb[i + 1, j] * (1.0 - q) + thumb[i + 1, j + 1] * q
            out[y, x] = above * (1.0 - p) + below * p


@numba.njit(nogil=True)
def _correlation(a, b, noise):
    """Return the correlation of two pictures, as if both had in common a deviation of `noise`."""
    mean_a, mean_b = 0.0, 0.0
    for y in range(SIDE):
        for x in range(SIDE):
            mean_a += a[y, x]
            mean_b += b[y, x]
    mean_a /= SIDE * SIDE
    mean_b /= SIDE * SIDE
    product, square_a, square_b = 0.0, 0.0, 0.0
    for y in range(SIDE):
        for x in range(SIDE):
            of_a, of_b = a[y, x] - mean_a, b[y, x] - mean_b
            product += of_a * of_b
            square_a += of_a * of_a
            square_b += of_b * of_b
    floor = noise * noise * SIDE * SIDE + 1e-6
    return (product + floor) / math.sqrt((square_a + floor) * (square_b + floor))


@numba.njit(nogil=True)
def _blurred(picture, radius, out):
    """Write the mean over squares of 2 · radius + 1 pixels, of what of them is in the picture."""
    for y in range(SIDE):
        for x in range(SIDE):
            total, count = 0.0, 0
            for i in range(max(0, y - radius), min(SIDE, y + radius + 1)):
                for j in range(max(0, x - radius), min(SIDE, x + radius + 1)):
                    total += picture[i, j]
                    count += 1
            out[y, x] = total / count


@numba.njit(nogil=True)
def _detail(picture, out):
    """Write what is between two and eight pixels wide: finer is of the encoder, coarser is in many pictures alike."""
    fine = np.empty((SIDE, SIDE), np.float32)
    _blurred(picture, 1, fine)
    _blurred(picture, 4, out)
    for y in range(SIDE):
        for x in range(SIDE):
            out[y, x] = fine[y, x] - out[y, x]


@numba.njit(nogil=True)
def _within(window):
    top, left, height, width = window
    inside = top >= 0 and left >= 0 and top + height <= 1.0 + 1e-9 and left + width <= 1.0 + 1e-9
    return inside and height >= LEAST and width >= LEAST


@numba.njit(
    "float32[:,::1](uint8[:,:,::1], int64[::1], int64[::1], boolean[:,::1], float64[::1])", nogil=True, cache=True
)
def alike(thumbs, whole, part, laid, place):
    """Return correlations of pairs through the best window near `place`, float32 (P, 2): of all, and of detail.

    Args:
        thumbs: uint8 (N, SIDE, SIDE).
        whole: indices of pictures taken whole, int64 (P,).
        part: indices of pictures of which a window is taken, int64 (P,).
        laid: how it is laid, bool (P, 3): turned, upside down, mirrored; see `fingerprint.hashes`.
        place: top, left, height and width of the window that is tried first, float64 (4,).
    """
    found = np.zeros((len(whole), 2), np.float32)
    plain, seen = np.empty((SIDE, SIDE), np.float32), np.empty((SIDE, SIDE), np.float32)
    detail_a, detail_b = np.empty((SIDE, SIDE), np.float32), np.empty((SIDE, SIDE), np.float32)
    for number in range(len(whole)):
        for y in range(SIDE):
            for x in range(SIDE):
                plain[y, x] = thumbs[whole[number], y, x]
        thumb = thumbs[part[number]]
        turned, upside_down, mirrored = laid[number, 0], laid[number, 1], laid[number, 2]
        best = place.copy()
        _seen(thumb, turned, upside_down, mirrored, best, seen)
        score = _correlation(plain, seen, 0.0)
        if score < ROUGH:
            continue
        for step in STEPS:
            moved = score < ENOUGH
            tries = 0
            while moved and tries < 4:
                moved = False
                tries += 1
                for way in range(8):
                    window = best.copy()
                    edge, by = way // 2, step if way % 2 else -step
                    if edge == 0:  # top
                        window[0] += by
                        window[2] -= by
                    elif edge == 1:  # bottom
                        window[2] += by
                    elif edge == 2:  # left
                        window[1] += by
                        window[3] -= by
                    else:  # right
                        window[3] += by
                    if not _within(window):
                        continue
                    _seen(thumb, turned, upside_down, mirrored, window, seen)
                    trial = _correlation(plain, seen, 0.0)
                    if trial > score:
                        score, best, moved = trial, window, True
        _seen(thumb, turned, upside_down, mirrored, best, seen)
        _detail(plain, detail_a)
        _detail(seen, detail_b)
        found[number, 0] = score
        found[number, 1] = _correlation(detail_a, detail_b, NOISE)
    return found
