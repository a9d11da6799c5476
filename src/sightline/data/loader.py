"""Batches prepared ahead by threads, in an order that depends on (seed, purpose, epoch) only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np

from sightline.randomness import permutation

T = TypeVar("T")
PREFETCH = 2  # batches ready for each thread: enough to hide one slow batch, little memory


class Loader(Generic[T]):
    """Shuffled batches of samples.

    Args:
        indices: sample indices, int64 (N,).
        batch_size: of all processes together.
        make: (sample indices of this process's share of a batch, epoch) → batch.
        seed: of the order.
        purpose: of the order, so that two loaders of one seed differ.
        shuffle: draw a new order each epoch; else as given.
        drop_last: leave out a last batch that is not full.
        workers: threads that prepare batches ahead; 0 prepares each when it is asked for.
        rank: of this process.
        world: processes.
    """

    def __init__(
        self,
        indices: np.ndarray,
        batch_size: int,
        make: Callable[[np.ndarray, int], T],
        *,
        seed: int,
        purpose: str,
        shuffle: bool = True,
        drop_last: bool = False,
        workers: int = 1,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._indices, self._batch_size, self._make = np.asarray(indices, np.int64), batch_size, make
        self._seed, self._purpose, self._shuffle, self._workers = seed, purpose, shuffle, workers
        self._rank, self._world = rank, world
        whole, rest = divmod(len(self._indices), batch_size)
        self.steps = whole if drop_last or not rest else whole + 1

    def shares(self, index: int) -> bool:
        """Return whether batch `index` of an epoch is shared out; one with fewer samples than processes all take."""
        return len(self._indices) - index * self._batch_size >= self._world

    def _shares(self, epoch: int, start: int) -> Iterator[np.ndarray]:
        """Yield the sample indices of this process's share of each batch."""
        order = self._indices
        if self._shuffle:
            order = order[permutation(len(order), self._seed, self._purpose, epoch)]
        for index in range(start, self.steps):
            batch = order[index * self._batch_size : (index + 1) * self._batch_size]
            yield batch[self._rank :: self._world] if self.shares(index) else batch

    def batches(self, epoch: int, start: int = 0) -> Generator[T]:
        """Yield the batches of `epoch` from number `start` on; closing the generator ends its threads."""
        if not self._workers:
            for samples in self._shares(epoch, start):
                yield self._make(samples, epoch)
            return
        ahead: deque[Future[T]] = deque()
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="batches")
        try:
            for samples in self._shares(epoch, start):
                ahead.append(pool.submit(self._make, samples, epoch))
                if len(ahead) > self._workers * PREFETCH:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
