"""Leaks between parts of a split: copies of a picture, and tiles cut side by side from one scene.

A test tile whose copy or whose neighbour is trained on says less than it seems to. Everything here is found from the
pixels alone, without file names or georeference. NumPy only, by blocks of a matrix product: 2,000 tiles take seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sightline.data.copies import TURNS, Copies, find_copies, fingerprints
from sightline.data.copies.find import connected

# On 2,055 tiles of 512 px of DeepGlobe these three find 2,504 neighbours. Of 517 squares of four tiles of which they
# find three sides they find the fourth in 514, and never another one; mirrored edges, which have no neighbours, give 4.
RATIO = 0.85  # of the distance of an edge's best partner to that of its second best (Lowe 2004, section 7.1)
CORRELATION = 0.5  # of the two edges' detail: leaves out edges of one colour, where the ratio is one of noises
STEP = 3.0  # times the difference between a tile's own outermost rows; across a seam it was 1.0 to 1.8 for 90 %
FLOOR = 2.0  # levels of 255, added to it: JPEG alone moves an edge by so much

BLOCK = 1024  # rows of a matrix of all pairs held at a time: 80 MB for 20,000 tiles


@dataclass(frozen=True)
class Leaks:
    """Pairs of tiles that belong together; indices int64 (P, 2), the smaller first, in order.

    Attributes:
        copies: the same picture, perhaps in another encoding, size, light or window, turned or flipped.
        neighbors: one continues the other across an edge. Of copies the first alone is compared.
        by_chance: neighbours that the same test finds among mirrored edges, which have none: about so many of
            `neighbours` are false.
        scenes: number of each tile's scene, int64 (N,): what copies and neighbours connect, directly or through others.
    """

    copies: Copies
    neighbors: np.ndarray
    by_chance: int
    scenes: np.ndarray

    @property
    def exact(self) -> np.ndarray:
        """Pairs of the same pixels."""
        return self.copies.exact

    @property
    def near(self) -> np.ndarray:
        """Pairs of the same picture and other pixels."""
        return self.copies.near


@dataclass(frozen=True)
class _Side:
    """One side of every tile.

    Attributes:
        outer: the outermost pixels, uint8 (L, 3) each.
        step: root mean square difference to the pixels next to them, float32 (N,).
    """

    outer: Sequence[np.ndarray]
    step: np.ndarray


def find_leaks(image: Callable[[int], np.ndarray], count: int) -> Leaks:
    """Find copies, neighbours and scenes among tiles.

    Tiles that overlap by less than about 90 %, and neighbours that were turned or scaled differently, are not found.

    Args:
        image: returns tile i, uint8 (H, W, 3); each is asked for once.
        count: N.
    """
    outers: dict[str, list[np.ndarray]] = {name: [] for name in ("top", "bottom", "left", "right")}
    steps: dict[str, list[float]] = {name: [] for name in outers}

    def look(i: int) -> np.ndarray:
        pixels = image(i)
        for name, outer, inner in _edges(pixels):
            outers[name].append(outer.copy())
            steps[name].append(float(np.sqrt(np.mean((outer.astype(np.float32) - inner) ** 2))))
        return pixels

    copies = find_copies(fingerprints(look, count), TURNS)
    _, firsts = np.unique(copies.groups, return_index=True)
    sides = {
        name: _Side([outers[name][i] for i in firsts], np.array(steps[name], np.float32)[firsts]) for name in outers
    }
    joints, by_chance = [], 0
    for before, after in (("right", "left"), ("bottom", "top")):
        joints += find_continued(sides[before], sides[after])
        mirrored = _Side([outer[::-1] for outer in sides[after].outer], sides[after].step)
        by_chance += len(find_continued(sides[before], mirrored))
    neighbors = _pairs([(int(firsts[a]), int(firsts[b])) for a, b in joints])
    scenes = connected(count, np.concatenate([copies.exact, copies.near, neighbors]))
    return Leaks(copies, neighbors, by_chance, scenes)


def _edges(pixels: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield name, outermost and next pixels of the four sides, (L, 3); of a side one pixel wide both are the same."""
    second = min(1, len(pixels) - 1), min(1, pixels.shape[1] - 1)
    yield "top", pixels[0], pixels[second[0]]
    yield "bottom", pixels[-1], pixels[-1 - second[0]]
    yield "left", pixels[:, 0], pixels[:, second[1]]
    yield "right", pixels[:, -1], pixels[:, -1 - second[1]]


def find_continued(before: _Side, after: _Side) -> list[tuple[int, int]]:
    """Return pairs (i, j) of tiles where the picture of tile j continues that of tile i.

    Each is the other's nearest by the difference of their edge pixels, clearly nearer than the second nearest of both,
    with detail in common, and no farther than the picture changes from one row to the next by itself.

    Args:
        before: the side at which tiles end, right or bottom.
        after: the opposite side.
    """
    lengths = np.array([len(outer) for outer in before.outer])
    pairs: list[tuple[int, int]] = []
    for length in np.unique(lengths):
        group = np.flatnonzero(lengths == length)
        ends, starts = (
            np.stack([side.outer[i] for i in group.tolist()]).reshape(len(group), -1).astype(np.float32) - 127.5
            for side in (before, after)
        )
        best, distance, second = _mutual(ends, starts)
        rows = np.flatnonzero(best >= 0)
        columns = best[rows]
        correlation = _correlation(ends[rows], starts[columns])
        step = np.maximum(before.step[group[rows]], after.step[group[columns]])
        good = (distance[rows] <= RATIO * second[rows]) & (correlation >= CORRELATION)
        good &= distance[rows] <= STEP * step + FLOOR
        pairs += zip(group[rows[good]].tolist(), group[columns[good]].tolist(), strict=True)
    return pairs


def _mutual(ends: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each row's nearest of `starts` (−1 where the row is not its nearest), distance, and the second least.

    Distances are root mean squares a channel value; a tile is no neighbour of itself. Memory: BLOCK rows of all pairs.

    Args:
        ends: float32 (N, D).
        starts: likewise.
    """
    count = len(ends)
    size = (starts**2).sum(axis=1)
    row = np.full((2, count), np.inf, np.float32)  # least and second least of each row, then of each column
    column = row.copy()
    row_at, column_at = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for begin in range(0, count, BLOCK):
        block = ends[begin : begin + BLOCK]
        squares = (block**2).sum(axis=1)[:, None] + size - 2 * block @ starts.T
        squares[np.arange(len(block)), np.arange(begin, begin + len(block))] = np.inf
        row_at[begin : begin + len(block)] = squares.argmin(axis=1)
        row[:, begin : begin + len(block)] = _two_least(squares.T)
        at, least = squares.argmin(axis=0), _two_least(squares)
        column_at = np.where(least[0] < column[0], at + begin, column_at)
        column = _two_least(np.concatenate([column, least]))
    mutual = (column_at[row_at] == np.arange(count)) & np.isfinite(row[0])
    second = np.minimum(row[1], column[1][row_at])
    scale = 1 / np.sqrt(ends.shape[1])
    best = np.where(mutual, row_at, -1)
    return best, np.sqrt(np.maximum(row[0], 0)) * scale, np.sqrt(np.maximum(second, 0)) * scale


def _two_least(values: np.ndarray) -> np.ndarray:
    """Return the two least of each column, ascending, (2, N); infinite where there is only one."""
    if len(values) < 2:
        return np.concatenate([values, np.full_like(values, np.inf)])
    return np.partition(values, 1, axis=0)[:2]


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the correlation of rows, their mean colour left out, float32 (N,); 0 where one has no detail."""
    rests = []
    for edges in (a, b):
        pixels = edges.reshape(len(edges), edges.shape[1] // 3, 3)
        rests.append((pixels - pixels.mean(axis=1, keepdims=True)).reshape(edges.shape))
    lengths = [np.linalg.norm(rest, axis=1) for rest in rests]
    return (rests[0] * rests[1]).sum(axis=1) / np.maximum(lengths[0] * lengths[1], 1e-6)


def _pairs(pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    ordered = sorted({(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]})
    return np.array(ordered, np.int64).reshape(-1, 2)
