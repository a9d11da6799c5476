"""Run lengths: against a plain decoder, known strings, pycocotools; and what does not fill a mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sightline.errors import DataError
from sightline.run_lengths import box_of, decode_rle, encode_rle, from_run_lengths, run_lengths

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))


def plain_decode(rle):
    """cocoapi's rleFrString and rleDecode, letter by letter and pixel by pixel."""
    text, place, runs = rle["counts"], 0, []
    while place < len(text):
        value, k, more = 0, 0, True
        while more:
            c = ord(text[place]) - 48
            value |= (c & 0x1F) << (5 * k)
            more = bool(c & 0x20)
            place += 1
            k += 1
            if not more and c & 0x10:
                value |= -1 << (5 * k)
        if len(runs) > 2:
            value += runs[-2]
        runs.append(value)
    pixels = [i % 2 for i, run in enumerate(runs) for _ in range(run)]
    height, width = rle["size"]
    return np.array(pixels, bool).reshape(width, height).T


@given(MASKS)
def test_run_lengths_go_and_come(mask: np.ndarray):
    counts = run_lengths(mask)
    assert (from_run_lengths(counts, *mask.shape) == mask).all()
    assert all(count > 0 for count in counts[1:])


def test_run_lengths_are_by_column_and_begin_with_zeros():
    assert run_lengths(np.array([[0, 1], [1, 1]], bool)) == [1, 3]
    assert run_lengths(np.array([[1, 0], [0, 0]], bool)) == [0, 1, 3]
    assert run_lengths(np.zeros((2, 3), bool)) == [6]


@pytest.mark.parametrize("counts", [[5], [7], [-1, 7], [], [2**40, 3], [2**64, 6], [2**63 - 1, 2**63 - 1, 8]])
def test_run_lengths_that_do_not_fit(counts: list[int]):
    with pytest.raises(DataError, match="run lengths"):
        from_run_lengths(counts, 2, 3)


@given(MASKS)
def test_box(mask: np.ndarray):
    x, y, width, height = box_of(mask)
    assert mask[y : y + height, x : x + width].sum() == mask.sum()
    if mask.any():
        assert mask[:, x].any() and mask[y].any()  # noqa: PT018
        assert mask[:, x + width - 1].any() and mask[y + height - 1].any()  # noqa: PT018


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10**6), st.floats(0, 1))
def test_run_lengths_come_back(height, width, seed, share):
    mask = np.random.default_rng(seed).random((height, width)) < share
    rle = encode_rle(mask)
    np.testing.assert_array_equal(plain_decode(rle), mask)
    np.testing.assert_array_equal(decode_rle(rle), mask)


def test_run_lengths_of_large_masks_and_known_strings():
    mask = np.zeros((3000, 2000), bool)
    mask[5:2900, 100:1700] = True
    np.testing.assert_array_equal(decode_rle(encode_rle(mask)), mask)
    # By hand from maskApi.c: runs 0,4 and 4.
    assert encode_rle(np.ones((2, 2), bool)) == {"size": [2, 2], "counts": "04"}
    assert encode_rle(np.zeros((2, 2), bool)) == {"size": [2, 2], "counts": "4"}
    with pytest.raises(DataError, match="do not fill"):
        decode_rle({"size": [3, 3], "counts": "4"})


def test_run_lengths_are_those_of_pycocotools():
    reference = pytest.importorskip("pycocotools.mask")
    mask = np.random.default_rng(0).random((57, 83)) < 0.4
    assert reference.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode() == encode_rle(mask)["counts"]
