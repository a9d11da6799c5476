from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline.views
from sightline.errors import DataError
from sightline.views import Flip, MultiCrop, RandomCrop, Resize

SMALL = MultiCrop(global_size=32, local_size=16, local_crops=3)


def pictures(count: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = rng.integers(8, 90, (count, 2))
    return [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in shapes]


def test_public_names():
    assert sightline.views.__all__ == ["Crops", "Flip", "JointCrop", "MultiCrop", "RandomCrop", "Resize"]


def test_shapes_and_types():
    crops = SMALL(pictures(5), range(5))
    assert crops.globals.shape == (2, 5, 32, 32, 3)
    assert crops.locals.shape == (3, 5, 16, 16, 3)
    assert crops.globals.dtype == crops.locals.dtype == np.uint8
    assert MultiCrop(local_crops=0, global_size=8)(pictures(2), [0, 1]).locals.shape == (0, 2, 96, 96, 3)


def test_a_view_is_the_same_alone_and_in_any_batch():
    images, keys = pictures(12), np.stack([np.full(12, 3), np.full(12, 1), np.arange(12) * 7], 1)
    together = SMALL(images, keys)
    order = np.random.default_rng(1).permutation(12)
    shuffled = SMALL([images[i] for i in order], keys[order])
    np.testing.assert_array_equal(together.globals[:, order], shuffled.globals)
    np.testing.assert_array_equal(together.locals[:, order], shuffled.locals)
    for index in (0, 7):
        alone = SMALL([images[index]], keys[index : index + 1])
        np.testing.assert_array_equal(alone.locals[:, 0], together.locals[:, index])


def test_threads_change_nothing():
    images = pictures(8)
    expected = SMALL(images, range(8))
    with ThreadPoolExecutor(4) as pool:
        for crops in pool.map(lambda _: SMALL(images, range(8)), range(8)):
            np.testing.assert_array_equal(crops.globals, expected.globals)


def test_read_only_and_strided_images():
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    frozen, turned = image.copy(), np.ascontiguousarray(image[:, ::-1])[:, ::-1]
    frozen.flags.writeable = False
    crops = SMALL([image, frozen, turned], [4, 4, 4])
    np.testing.assert_array_equal(crops.globals[:, 0], crops.globals[:, 1])
    np.testing.assert_array_equal(crops.globals[:, 0], crops.globals[:, 2])


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 300), width=st.integers(1, 300), level=st.integers(0, 255), key=st.integers(0, 2**62))
def test_a_gray_flat_source_stays_gray_and_flat(height: int, width: int, level: int, key: int):
    image = np.full((height, width, 3), level, np.uint8)
    crops = SMALL([image], [key])
    for view in (*crops.globals[:, 0], *crops.locals[:, 0]):
        assert np.ptp(view.astype(int)) <= 1


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 120), width=st.integers(1, 120), seed=st.integers(0, 99))
def test_a_plain_crop_stays_within_the_source_s_range(height: int, width: int, seed: int):
    image = np.random.default_rng(seed).integers(100, 140, (height, width, 3), dtype=np.uint8)
    view = RandomCrop(24)([image], [(0, 0, seed)])[0]
    assert abs(view.mean() - image.mean()) < 40
    assert view.min() > 75  # bicubic overshoots by at most a third of the range
    assert view.max() < 165


def test_an_8000_by_6000_source():
    image = np.zeros((6000, 8000, 3), np.uint8)
    image[::2] = 200
    assert abs(Resize(64)([image])[0].astype(int) - 100).max() <= 2


def test_one_pixel_wide_sources():
    image = np.arange(60, dtype=np.uint8).reshape(60, 1, 1).repeat(3, 2)
    assert RandomCrop(16)([image], [1]).shape == (1, 16, 16, 3)


def test_resize_takes_the_central_square():
    image = np.zeros((40, 100, 3), np.uint8)
    image[:, 30:70] = 255
    np.testing.assert_array_equal(Resize(40)([image])[0], 255)


def test_flip_flips_half():
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, 4:] = 255
    flipped = Flip(8)([image] * 400, range(400))[:, 0, 0, 0] == 255
    assert 160 < flipped.sum() < 240
    np.testing.assert_array_equal(Flip(8, flip=0.0)([image], [0])[0], image)


@pytest.mark.parametrize("bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_other_arrays_are_refused(bad: np.ndarray):
    with pytest.raises(DataError, match="HWC uint8"):
        SMALL([bad], [0])
