"""Every random draw is a pure function of (seed, purpose, epoch, sample).

The generator is Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): the key holds seed
and purpose, the counter holds epoch and sample. So no draw depends on worker, process or device count, nor on
what was drawn before; a resumed run draws what the unbroken one would have drawn.
"""

from __future__ import annotations

import hashlib

import numpy as np

MASK64 = (1 << 64) - 1


def purpose_key(seed: int, purpose: str) -> np.ndarray:
    """Return the 128-bit Philox key of (seed, purpose) as two uint64."""
    digest = hashlib.blake2b(purpose.encode(), digest_size=8).digest()
    return np.array([seed & MASK64, int.from_bytes(digest, "little")], dtype=np.uint64)


def generator(seed: int, purpose: str, epoch: int = 0, sample: int = 0) -> np.random.Generator:
    """Return the generator of one (seed, purpose, epoch, sample).

    The two low counter words are left at zero: 2^128 draws belong to each (epoch, sample).
    """
    counter = np.array([0, 0, sample & MASK64, epoch & MASK64], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=purpose_key(seed, purpose), counter=counter))


def derived_seed(seed: int, purpose: str, epoch: int = 0, sample: int = 0) -> int:
    """Return a 63-bit integer seed for a library that takes only one integer (torch, scikit-learn)."""
    return int(generator(seed, purpose, epoch, sample).integers(0, 1 << 63))


def id_hash(seed: int, identity: str) -> bytes:
    """Return eight bytes that put samples in an order by seed and id alone, whatever else is there."""
    return hashlib.blake2b(f"{seed}\0{identity}".encode(), digest_size=8).digest()


def permutation(n: int, seed: int, purpose: str, epoch: int = 0) -> np.ndarray:
    """Return a permutation of range(n), int64, a function of (seed, purpose, epoch) only."""
    return generator(seed, purpose, epoch).permutation(n)


def sample_keys(seed: int, epoch: int, samples: np.ndarray) -> np.ndarray:
    """Return the key (seed, epoch, sample) of each of N samples, int64 (N, 3): what the views draw from."""
    return np.stack([np.full_like(samples, seed), np.full_like(samples, epoch), samples], axis=1)
