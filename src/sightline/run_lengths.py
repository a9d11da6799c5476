"""Masks as COCO run lengths, plain and compressed: what a mask is held and sent as. Needs NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sightline.errors import DataError


def run_lengths(mask: np.ndarray) -> list[int]:
    """Return the run lengths of a mask, bool (H, W), down the columns, the first of zeros: COCO's uncompressed RLE."""
    flat = np.asarray(mask, bool).ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return [0, *counts] if flat.size and flat[0] else counts


def from_run_lengths(counts: Sequence[int], height: int, width: int) -> np.ndarray:
    """Return the mask, bool (height, width), of run lengths from anywhere.

    Raises:
        DataError: run lengths that do not fill the mask.
    """
    check_runs(counts, height, width)
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return flat.reshape((height, width), order="F")


def encode_rle(mask: np.ndarray) -> dict[str, Any]:
    """Return a mask, bool (H, W), as COCO's compressed run lengths, {"size": [H, W], "counts": str}.

    Each run is written as its difference to the run two before it, in groups of five bits, lowest first, the sixth bit
    telling that more follow, offset by 48 (cocoapi, maskApi.c).
    """
    return rle_of(run_lengths(mask), *mask.shape)


def rle_of(runs: Sequence[int], height: int, width: int) -> dict[str, Any]:
    """Return run lengths in COCO's compressed form, as of `encode_rle`."""
    runs = list(runs)
    values = runs[:3] + [run - before for run, before in zip(runs[3:], runs[1:], strict=False)]
    return {"size": [height, width], "counts": "".join(map(_letters, values))}


def _letters(value: int) -> str:
    text = ""
    while True:
        bits = value & 31
        value >>= 5
        done = value == (-1 if bits & 16 else 0)
        text += chr(48 + (bits if done else bits | 32))
        if done:
            return text


def decode_rle(rle: dict[str, Any]) -> np.ndarray:
    """Return bool (H, W) of COCO's compressed run lengths.

    Raises:
        DataError: runs that do not fill the mask.
    """
    return from_run_lengths(runs_of(rle), *rle["size"])


def runs_of(rle: dict[str, Any]) -> list[int]:
    """Return the run lengths that COCO's compressed form holds; whether they fill the mask is not looked at."""
    runs: list[int] = []
    value = shift = 0
    for letter in rle["counts"]:
        bits = ord(letter) - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs


def check_runs(counts: Sequence[int], height: int, width: int) -> None:
    """Raise where run lengths from anywhere do not fill a mask.

    Each is looked at before they are added: as integers of 64 bits two huge ones can add up to anything, and NumPy
    would then write beyond the mask.

    Raises:
        DataError: they do not.
    """
    pixels = height * width
    if min(counts, default=0) < 0 or max(counts, default=0) > pixels or sum(counts) != pixels:
        raise DataError(f"the run lengths do not fill a mask of {height} × {width}")


def measure_runs(counts: Sequence[int], height: int) -> tuple[int, tuple[int, int, int, int]]:
    """Return the area of run lengths that fill a mask, and its box as of `box_of`, without drawing it."""
    ends = np.cumsum(np.asarray(counts, np.int64))
    first, last = ends[0:-1:2], ends[1::2] - 1
    filled = last >= first
    first, last = first[filled], last[filled]
    if not len(first):
        return 0, (0, 0, 0, 0)
    left, right = int(first[0] // height), int(last[-1] // height)
    over = (first // height != last // height).any()
    top, bottom = (0, height - 1) if over else (int((first % height).min()), int((last % height).max()))
    return int((last - first + 1).sum()), (left, top, right - left + 1, bottom - top + 1)


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return x, y, width and height of what is set; zeros for nothing."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)
