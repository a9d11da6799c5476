"""Copies among pictures: candidates by hashes, each laid over its partner; and the groups that copies make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sightline.data.copies.fingerprint import WINDOWS, Fingerprints, Window, coefficients, hashes
from sightline.processes import core_count

Laid = tuple[bool, bool, bool]  # turned, upside down, mirrored
FLIPS: tuple[Laid, ...] = ((False, False, False), (False, False, True))  # of photographs, which have an upper side
TURNS: tuple[Laid, ...] = tuple((t, u, m) for t in (False, True) for u in (False, True) for m in (False, True))

# Of planted copies of photographs of 128 px 99.6 % reach both of these, of 64 px 99.1 %; of different photographs only
# portraits of one series do, in one place under one light. benchmarks/copies.py plants them.
CORRELATION = 0.9  # of brightness, through the best window
DETAIL = 0.96  # of detail, likewise
BITS = 14  # of 64 that two hashes of one picture may differ in
ALMOST = 0.99  # correlation from which on two pictures may be the same pixel for pixel

FLAT = 1.0  # levels of 255: a thumbnail whose deviation is less has only noise to compare
FLAT_COPY = 0.5  # levels: such pictures are copies where their colors differ by less
# Partners of a picture in one comparison. The first few are enough to connect a film; the others leave room for
# pictures whose outlines are alike, as objects on white, and bound the memory.
FEW, MANY = 8, 256
ROWS = 2048  # hashes compared with all others at a time by a thread


@dataclass(frozen=True)
class Copies:
    """Pictures that are the same; pairs are indices int64 (P, 2), the smaller first, in order.

    Attributes:
        exact: the same pixels; of several such pictures each beside the first of them.
        near: the same picture but for encoding, size, light, a crop to 90 % or a flip, without those of `exact`; of
            several, pairs that connect them.
        groups: number of each picture's group, int64 (N,): what copies connect, directly or through others.
    """

    exact: np.ndarray
    near: np.ndarray
    groups: np.ndarray

    def with_partner(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return those of the indices `first` of which `second` holds a copy, int64, in their order."""
        return first[np.isin(self.groups[first], self.groups[second])]


def find_copies(
    prints: Fingerprints, ways: Sequence[Laid] = FLIPS, same: Callable[[int, int], bool] | None = None
) -> Copies:
    """Find copies among pictures.

    Of many pictures that are nearly the same, as in a film, pairs that connect them are found, not every pair. Not
    found: crops to much less than 90 %, free turns, collages.

    Args:
        prints: of the pictures.
        ways: in which a copy may be laid.
        same: (i, j) → whether two pictures whose thumbnails agree have the same pixels; by their digests by default.
    """
    count = len(prints)
    same = same or (lambda i, j: bool((prints.digests[i] == prints.digests[j]).all()))
    # Of pictures of one digest the first stands for all.
    _, firsts, alike = np.unique(prints.digests, axis=0, return_index=True, return_inverse=True)
    first = firsts[alike.ravel()]
    pairs = [(int(first[i]), int(i)) for i in np.flatnonzero(first != np.arange(count))]
    sure = {pair: same(*pair) for pair in pairs}
    kept = np.sort(firsts)
    flat = prints.thumbs[kept].reshape(len(kept), -1).std(axis=1) < FLAT
    for group, search in ((kept[~flat], _textured), (kept[flat], _flat)):
        for (a, b), correlation in search(prints, group, ways):
            sure[a, b] = correlation >= ALMOST and same(a, b)
    exact = _pairs([pair for pair, is_same in sure.items() if is_same])
    near = _pairs([pair for pair, is_same in sure.items() if not is_same])
    return Copies(exact, near, connected(count, np.concatenate([exact, near])))


Found = list[tuple[tuple[int, int], float]]


def _textured(prints: Fingerprints, chosen: np.ndarray, ways: Sequence[Laid]) -> Found:
    """Return pairs that connect the copies among the chosen pictures, and the correlation of each."""
    if len(chosen) < 2:
        return []
    thumbs = np.ascontiguousarray(prints.thumbs[chosen])
    bank = hashes(coefficients(thumbs, WINDOWS[0]), *ways[0])
    found: dict[tuple[int, int], float] = {}
    groups = np.arange(len(chosen))
    for window, partners in ((WINDOWS[0], FEW), *((window, MANY) for window in WINDOWS)):
        rows = _candidates(coefficients(thumbs, window), bank, ways[: 1 if partners == FEW else None], partners)
        # Of a film nearly all pictures are connected by their first partners already.
        rows = rows[groups[rows[:, 0]] != groups[rows[:, 1]]]
        scores = _scores(thumbs, rows, ways, window)
        good = (scores[:, 0] >= CORRELATION) & (scores[:, 1] >= DETAIL)
        for (a, b), score in zip(rows[good, :2].tolist(), scores[good, 0].tolist(), strict=True):
            pair = min(a, b), max(a, b)
            found[pair] = max(found.get(pair, 0.0), score)
        groups = connected(len(chosen), _pairs(list(found)))
    return [((int(chosen[a]), int(chosen[b])), score) for (a, b), score in found.items()]


def _flat(prints: Fingerprints, chosen: np.ndarray, ways: Sequence[Laid]) -> Found:
    """Return pictures of one color beside the first of (nearly) that color."""
    steps = np.round(prints.colors[chosen] / FLAT_COPY).astype(np.int64)
    _, firsts, alike = np.unique(steps, axis=0, return_index=True, return_inverse=True)
    pairs = zip(chosen[firsts[alike.ravel()]].tolist(), chosen.tolist(), strict=True)
    return [(pair, 1.0) for pair in pairs if pair[0] != pair[1]]


def _candidates(seen: np.ndarray, bank: np.ndarray, ways: Sequence[Laid], partners: int) -> np.ndarray:
    """Return rows (whole, part, way), int64 (C, 3), of pictures of which the part's hash is near that of the whole.

    Args:
        seen: coefficients of what each picture shows through a window.
        bank: hashes of the pictures as they are, uint64 (N,).
        ways: in which the part may be laid.
        partners: of one picture in one way, at most.
    """
    from sightline.data.copies.hamming import near_pairs

    rows = []
    for way, laid in enumerate(ways):
        queries = hashes(seen, *laid)

        def some(begin: int, queries: np.ndarray = queries) -> np.ndarray:
            return near_pairs(queries, bank, begin, min(begin + ROWS, len(queries)), np.uint64(BITS), partners)

        pairs = np.concatenate(_threaded(some, range(0, len(bank), ROWS)))
        rows.append(np.column_stack([pairs[:, ::-1], np.full(len(pairs), way)]))
    return np.concatenate(rows)


def _scores(thumbs: np.ndarray, rows: np.ndarray, ways: Sequence[Laid], window: Window) -> np.ndarray:
    from sightline.data.copies.overlay import alike

    laid = np.array(ways, bool)[rows[:, 2]]
    whole, part = (np.ascontiguousarray(rows[:, axis]) for axis in (0, 1))
    place = np.array([window.top, window.left, window.height, window.width], np.float64)

    def some(begin: int) -> np.ndarray:
        of = slice(begin, begin + ROWS)
        return alike(thumbs, whole[of], part[of], laid[of], place)

    return np.concatenate([np.zeros((0, 2), np.float32), *_threaded(some, range(0, len(rows), ROWS))])


def _threaded(work: Callable[[int], np.ndarray], begins: range) -> list[np.ndarray]:
    with ThreadPoolExecutor(core_count(), thread_name_prefix="copies") as pool:
        return list(pool.map(work, begins))


def _pairs(pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    ordered = sorted({(min(pair), max(pair)) for pair in pairs})
    return np.array(ordered, np.int64).reshape(-1, 2)


def connected(count: int, pairs: np.ndarray) -> np.ndarray:
    """Return the number of each picture's connected component, int64 (N,), numbered by their first pictures."""
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)


def confirmed(copies: Copies, good: np.ndarray) -> Copies:
    """Return copies without some of their near pairs.

    Args:
        copies: of pictures.
        good: which near pairs stay, bool (P,).
    """
    near = copies.near[good]
    return Copies(copies.exact, near, connected(len(copies.groups), np.concatenate([copies.exact, near])))
