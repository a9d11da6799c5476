"""Views of images that are no RGB."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.config import SegmentAugment, ViewsConfig
from sightline.errors import DataError
from sightline.randomness import sample_keys
from sightline.views import Flip, JointCrop, MultiCrop, RandomCrop, Resize
from sightline.views.bands import rendered
from sightline.views.device import DeviceMultiCrop

PLAIN = ViewsConfig(global_size=48, local_size=24, local_crops=2, jitter=0, gray=0, solarize=0)


def pictures(channels: int, sizes=((64, 80), (30, 40), (300, 260))) -> list[np.ndarray]:
    rng = np.random.default_rng(channels)
    small = [rng.integers(0, 256, (h // 5, w // 5, channels), dtype=np.uint8) for h, w in sizes]
    return [image.repeat(5, axis=0).repeat(5, axis=1) for image in small]


@pytest.mark.parametrize("channels", [1, 2, 4, 5, 12])
def test_geometry_is_that_of_rgb(channels: int):
    """Band i of a view of many bands is what the kernels of RGB make of it, blur and flip included."""
    many, keys = pictures(channels), sample_keys(3, 1, np.arange(3))
    views = MultiCrop(PLAIN)(many, keys)
    for band in range(channels):
        rgb = MultiCrop(PLAIN)([np.repeat(image[..., band : band + 1], 3, axis=2) for image in many], keys)
        for ours, theirs in zip(views, rgb, strict=True):
            assert ours.shape == (*theirs.shape[:-1], channels)
            difference = np.abs(ours[..., band].astype(int) - theirs[..., 0])
            assert difference.max() <= 2
            assert difference.mean() < 0.1


@pytest.mark.parametrize("view", [RandomCrop(32), Flip(32), lambda images, keys: Resize(32)(images)])
def test_single_views(view):
    many, keys = pictures(5), sample_keys(0, 0, np.arange(3))
    rgb = view([np.ascontiguousarray(image[..., :3]) for image in many], keys)
    seen = view(many, keys)
    assert seen.shape == (3, 32, 32, 5)
    assert np.abs(seen[..., :3].astype(int) - rgb).max() <= 2


def test_each_view_is_a_function_of_its_key():
    many, keys = pictures(4), sample_keys(7, 2, np.arange(3))
    whole = MultiCrop(global_size=32, local_size=16)(many, keys)
    alone = MultiCrop(global_size=32, local_size=16)(many[1:2], keys[1:2])
    for both, one in zip(whole, alone, strict=True):
        np.testing.assert_array_equal(both[:, 1:2], one)
    crop = JointCrop(32)
    masks = [image[..., 0] // 128 for image in many]
    together, alone = crop(many, masks, keys), crop(many[2:], masks[2:], keys[2:])
    np.testing.assert_array_equal(together[0][2:], alone[0])


def test_bands_get_gains_and_noise_of_their_own():
    flat = [np.full((40, 40, 6), 100, np.uint8)]
    config = ViewsConfig(global_size=32, local_size=16, jitter=1, brightness=0.4, contrast=0)
    seen = MultiCrop(config)(flat, np.array([[0, 0, 5]])).globals[0, 0]
    means = seen.reshape(-1, 6).mean(axis=0)
    assert means.std() > 1
    assert (np.abs(means - 100) < 41).all()
    assert seen[..., 0].std() > 0


def test_image_and_mask_move_together():
    mask = np.zeros((64, 64), np.uint8)
    mask[:, 32:] = 1
    image = np.repeat(mask[..., None] * 200, 7, axis=2)
    calm = SegmentAugment(jitter=0)
    views, truths = JointCrop(48, calm)([image] * 20, [mask] * 20, np.arange(20))
    inside = truths != 255
    wrong = (views[..., 6] > 100)[inside] != (truths == 1)[inside]
    assert wrong.mean() < 0.05


def test_what_cannot_be_is_refused():
    with pytest.raises(DataError, match="same channels"):
        Resize(16)([pictures(3)[0], pictures(4)[0]])
    with pytest.raises(DataError, match="views on a device are of RGB only"):
        DeviceMultiCrop(PLAIN)(pictures(5), np.arange(3))


def test_no_images_are_no_views():
    assert rendered([], np.empty((0, 2, 13)), 8, np.empty((0, 3), np.int64), "x").shape == (2, 0, 8, 8, 3)
