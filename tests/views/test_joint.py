"""What moves the image moves the mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.config import SegmentAugment
from sightline.errors import DataError
from sightline.views import JointCrop

COLORS = np.array([[0, 0, 0], [250, 30, 30], [30, 250, 30], [30, 30, 250]], np.uint8)


def painted(height: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return an image whose colours are its mask's classes, in blocks of 16 pixels."""
    blocks = np.random.default_rng(seed).integers(0, 4, (-(-height // 16), -(-width // 16)))
    mask = blocks.repeat(16, 0).repeat(16, 1)[:height, :width].astype(np.uint8)
    return COLORS[mask], mask


@settings(max_examples=30, deadline=None)
@given(height=st.integers(24, 160), width=st.integers(24, 160), key=st.integers(0, 10**6))
def test_mask_and_image_move_together(height: int, width: int, key: int):
    image, mask = painted(height, width)
    views, masks = JointCrop(48, SegmentAugment(jitter=0.0))([image], [mask], [key])
    seen = masks[0] != 255
    told = np.abs(views[0].astype(int)[:, :, None] - COLORS.astype(int)).sum(-1).argmin(-1)
    # Pixels between two blocks are mixed by the bilinear image and not by the nearest mask.
    assert (told == masks[0])[seen].mean() > 0.8
    assert seen.any()


def test_a_view_is_a_function_of_its_key_alone():
    pairs = [painted(64, 80, seed) for seed in range(3)]
    images, masks = zip(*pairs, strict=True)
    crop = JointCrop(32)
    keys = np.array([[0, 1, 5], [0, 1, 6], [0, 1, 7]])
    together = crop(images, masks, keys)
    alone = crop(images[2:], masks[2:], keys[2:])
    assert (together[0][2] == alone[0][0]).all()
    assert (together[1][2] == alone[1][0]).all()
    other = crop(images[2:], masks[2:], keys[2:] + np.array([0, 1, 0]))
    assert (other[0] != alone[0]).any()


def test_beyond_the_image_nothing_is_taught():
    image, mask = painted(20, 20)
    _, masks = JointCrop(64, SegmentAugment(scale=(1.0, 1.0)))([image], [mask], [3])
    assert (masks[0] != 255).sum() == 400


def test_turns_and_flips_come_each_about_as_often():
    image = np.zeros((16, 16, 3), np.uint8)
    mask = np.arange(256, dtype=np.uint8).reshape(16, 16) % 200
    crop = JointCrop(16, SegmentAugment(scale=(1.0, 1.0), jitter=0.0))
    _, masks = crop([image] * 800, [mask] * 800, list(range(800)))
    kinds = {tuple(np.rot90(m, k).ravel()) for m in (mask, mask[:, ::-1]) for k in range(4)}
    found = [tuple(m.ravel()) for m in masks]
    assert set(found) == kinds
    assert all(60 < found.count(kind) < 140 for kind in kinds)


def test_sizes_that_differ_are_refused():
    image, mask = painted(30, 30)
    with pytest.raises(DataError, match="must be the same"):
        JointCrop(16)([image], [mask[:20]], [0])
