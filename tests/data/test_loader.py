from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from sightline.data import Loader


def loader(workers: int = 1, make=lambda indices, epoch: indices.tolist(), **options) -> Loader:
    return Loader(np.arange(100, 123), 5, make, seed=3, purpose="test", workers=workers, **options)


def slow_at_first(indices: np.ndarray, epoch: int) -> list[int]:
    time.sleep(0.02 if indices[0] % 2 else 0)
    return indices.tolist()


def test_the_order_depends_on_the_epoch_and_not_on_the_threads() -> None:
    alone = list(loader(0).batches(0))
    for workers in (1, 4):
        assert list(loader(workers, slow_at_first).batches(0)) == alone
    assert sorted(i for batch in alone for i in batch) == list(range(100, 123))
    assert list(loader(0).batches(1)) != alone
    assert list(loader(2).batches(0, start=3)) == alone[3:]
    assert list(Loader(np.arange(100, 123), 5, lambda i, e: i.tolist(), seed=4, purpose="test").batches(0)) != alone


def test_without_shuffling_and_with_a_last_batch_left_out() -> None:
    kept = loader(shuffle=False)
    assert (kept.steps, list(kept.batches(0))[-1]) == (5, [120, 121, 122])
    dropped = loader(shuffle=False, drop_last=True)
    assert (dropped.steps, list(dropped.batches(7))[-1]) == (4, [115, 116, 117, 118, 119])


def test_ranks_share_each_batch() -> None:
    ranks = [list(loader(rank=rank, world=2).batches(0)) for rank in range(2)]
    for whole, first, second in zip(loader(0).batches(0), *ranks, strict=True):
        assert sorted(first + second) == sorted(whole)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_closing_ends_the_threads() -> None:
    batches = loader(3).batches(0)
    next(batches)
    assert threads()
    batches.close()
    assert not threads()


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_in_make_comes_out_where_its_batch_would(workers: int) -> None:
    def make(indices: np.ndarray, epoch: int) -> int:
        if 110 in indices:
            raise RuntimeError("no batch")
        return 1

    batches = loader(workers, make, shuffle=False).batches(0)
    assert [next(batches), next(batches)] == [1, 1]
    with pytest.raises(RuntimeError, match="no batch"):
        next(batches)
    assert not threads()


def test_few_batches_are_held_ahead() -> None:
    made: list[int] = []
    batches = Loader(np.arange(100), 1, lambda i, e: made.append(int(i[0])), seed=0, purpose="t", workers=2).batches(0)
    next(batches)
    time.sleep(0.1)
    assert len(made) <= 6
    batches.close()


def test_a_rest_too_small_for_all_processes_is_taken_whole_by_each() -> None:
    for count, world, rest in ((9, 2, (1, 1)), (10, 2, (1, 1)), (11, 2, (2, 1)), (9, 1, (1,)), (10, 3, (2, 2, 2))):
        loaders = [
            Loader(np.arange(count), 4, lambda samples, epoch: samples, seed=0, purpose="t", rank=rank, world=world)
            for rank in range(world)
        ]
        shares = [[len(batch) for batch in loader.batches(0)] for loader in loaders]
        assert [share[2:] for share in shares] == [[number] for number in rest]
        assert loaders[0].shares(1)
        assert loaders[0].shares(2) == (count % 4 >= world)
