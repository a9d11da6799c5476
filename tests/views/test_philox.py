import numpy as np

from sightline.randomness import generator
from sightline.views.philox import uniforms, words

KEYS = np.array([[0, 0, 0], [7, 3, 12345], [2**62, 10**6, 2**40], [-1, 5, -2]], np.int64)


def test_words_are_those_of_numpy():
    found = words(KEYS, "views", 37)
    for row, (seed, epoch, sample) in zip(found, KEYS.tolist(), strict=True):
        expected = generator(seed, "views", epoch, sample).bit_generator.random_raw(37)
        np.testing.assert_array_equal(row, expected)


def test_uniforms_are_those_of_numpy():
    np.testing.assert_array_equal(uniforms(KEYS, "x", 8)[1], generator(7, "x", 3, 12345).random(8))
