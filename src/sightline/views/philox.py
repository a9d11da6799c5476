"""Counter-based random numbers for a whole batch in one call.

The words are those of `numpy.random.Philox` (Philox4x64-10, Salmon et al. 2011) under the key and counter that
`sightline.randomness.generator` uses, so a sample's numbers depend on its (seed, epoch, sample) alone, and a draw can
be checked against NumPy's.
"""

from __future__ import annotations

import numba
import numpy as np

from sightline.randomness import MASK64, purpose_key

_M0 = np.uint64(0xD2E7470EE14C6C93)
_M1 = np.uint64(0xCA5A826395121157)
_W0 = np.uint64(0x9E3779B97F4A7C15)
_W1 = np.uint64(0xBB67AE8584CAA73B)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_ROUNDS = 10
_BLOCK = 4  # words a Philox block gives


@numba.njit(nogil=True)
def _high(a, b):
    """Return the upper 64 bits of a × b."""
    a0, a1 = a & _LOW, a >> _HALF
    b0, b1 = b & _LOW, b >> _HALF
    middle = a1 * b0 + ((a0 * b0) >> _HALF)
    other = a0 * b1 + (middle & _LOW)
    return a1 * b1 + (middle >> _HALF) + (other >> _HALF)


@numba.njit("void(uint64[:,::1], uint64[:,::1], uint64[:,::1])", nogil=True, cache=True)
def _fill(keys, counters, out):
    for row in range(out.shape[0]):
        for block in range(out.shape[1] // 4):
            # NumPy steps the counter before the first block.
            c0, c1 = np.uint64(block) + _ONE, _ZERO
            c2, c3 = counters[row, 0], counters[row, 1]
            k0, k1 = keys[row, 0], keys[row, 1]
            for _ in range(_ROUNDS):
                high0, low0 = _high(_M0, c0), _M0 * c0
                high1, low1 = _high(_M1, c2), _M1 * c2
                c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
                k0 += _W0
                k1 += _W1
            out[row, 4 * block] = c0
            out[row, 4 * block + 1] = c1
            out[row, 4 * block + 2] = c2
            out[row, 4 * block + 3] = c3


def words(keys: np.ndarray, purpose: str, count: int) -> np.ndarray:
    """Return uint64 (B, count): row b is what `randomness.generator(*keys[b])`'s bit generator gives first.

    Args:
        keys: int64 (B, 3), columns seed, epoch, sample; negative ones wrap to 64 bits.
        purpose: what the numbers are for; other purposes give unrelated numbers.
        count: words wanted of each sample.
    """
    keys = np.ascontiguousarray(keys, dtype=np.int64).astype(np.uint64)
    philox_keys = np.empty((len(keys), 2), np.uint64)
    philox_keys[:, 0] = keys[:, 0]
    philox_keys[:, 1] = np.uint64(int(purpose_key(0, purpose)[1]) & MASK64)
    counters = np.ascontiguousarray(keys[:, [2, 1]])
    out = np.empty((len(keys), -(-count // _BLOCK) * _BLOCK), np.uint64)
    _fill(philox_keys, counters, out)
    return out[:, :count]


def uniforms(keys: np.ndarray, purpose: str, count: int) -> np.ndarray:
    """Return float64 (B, count) in [0, 1), with 53 random bits each, as NumPy makes them of the same words."""
    return (words(keys, purpose, count) >> np.uint64(11)) * 2.0**-53
