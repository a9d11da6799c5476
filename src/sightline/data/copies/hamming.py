"""All pairs of hashes that differ in few bits, by comparing every two: 10¹⁰ pairs take seconds a core."""

from __future__ import annotations

import numba
import numpy as np

TILE = 512  # hashes compared before their hits are counted: 4 kB, within the first cache
_M1, _M2, _M4 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
_ONES = np.uint64(0x0101010101010101)
_1, _2, _4, _56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)


@numba.njit(nogil=True, inline="always")
def _bits(x):
    """Return how many bits are set; the compiler knows this form and takes the machine's instruction."""
    x = x - ((x >> _1) & _M1)
    x = (x & _M2) + ((x >> _2) & _M2)
    x = (x + (x >> _4)) & _M4
    return (x * _ONES) >> _56


@numba.njit("int64[:,::1](uint64[::1], uint64[::1], int64, int64, uint64, int64)", nogil=True, cache=True)
def near_pairs(queries, bank, begin, end, limit, most):
    """Return rows (query, member of the bank), int64 (P, 2), of those that differ in `limit` bits or fewer.

    A hash is never a partner of that of the same index.

    Args:
        queries: uint64 (N,).
        bank: uint64 (N,).
        begin: first query.
        end: behind the last.
        limit: bits.
        most: partners of a query; of more the first.
    """
    found = np.empty((1024, 2), np.int64)
    count = 0
    for i in range(begin, end):
        query = queries[i]
        partners = 0
        start = 0
        while start < len(bank) and partners < most:
            stop = min(start + TILE, len(bank))
            hits = 0
            for j in range(start, stop):
                hits += _bits(query ^ bank[j]) <= limit
            if hits:
                for j in range(start, stop):
                    if _bits(query ^ bank[j]) <= limit and j != i and partners < most:
                        if count == len(found):
                            larger = np.empty((2 * count, 2), np.int64)
                            larger[:count] = found
                            found = larger
                        found[count, 0], found[count, 1] = i, j
                        count += 1
                        partners += 1
            start = stop
    return found[:count].copy()
