"""A split by whole scenes: no tile of one part is a copy or a neighbour of a tile of another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import DataError
from sightline.files.atomic import write_json
from sightline.randomness import generator

PARTS = ("train", "val", "test")
TRIES = 400  # random orders of scenes, of which the best is kept: tenths of a second for hundreds of scenes
LARGE = 0.25  # of a part: larger scenes go to train, so that val and test hold many; intervals are over scenes
MISSING = 0.5  # what a class that a part lacks costs, in the units of a difference of class shares (0 to 2)


def split_by_scenes(
    scenes: np.ndarray, counts: np.ndarray, val: float = 0.15, test: float = 0.15, seed: int = 0
) -> dict[str, np.ndarray]:
    """Return sample indices, int64, ascending, of train, val and test, every scene wholly in one of them.

    Of random orders, each dealt out to test, then val, then train, the one is kept whose parts are nearest to the
    shares asked for and to the class shares of the whole. A function of its arguments.

    Args:
        scenes: number of each tile's scene, int64 (N,), 0 to S − 1.
        counts: pixels of each class by tile, int64 (N, K).
        val: share of all tiles.
        test: likewise.
        seed: of the orders.

    Raises:
        DataError: fewer than three scenes, shares that leave nothing for train, or scenes so large that a part stays
            empty.
    """
    if not (val > 0 and test > 0 and val + test < 1):
        raise DataError(f"val = {val}, test = {test}: both must be over 0, and their sum below 1")
    number = int(scenes.max()) + 1 if len(scenes) else 0
    if number < len(PARTS):
        raise DataError(f"{number} scenes: a split by whole scenes needs at least three; add tiles of other places")
    sizes = np.bincount(scenes)
    pixels = np.zeros((number, counts.shape[1]))
    np.add.at(pixels, scenes, counts)
    targets = np.array([1 - val - test, val, test]) * len(scenes)
    best, least = None, np.inf
    for attempt in range(TRIES):
        parts = _deal(sizes, targets, generator(seed, "data/split by scenes", sample=attempt).permutation(number))
        cost = _cost(parts, sizes, pixels, targets)
        if cost < least:
            best, least = parts, cost
    if best is None:
        raise DataError(
            f"{number} scenes of up to {sizes.max()} tiles: none can be dealt so that each part has one; "
            "add tiles of other places"
        )
    return {name: np.flatnonzero(best[scenes] == i) for i, name in enumerate(PARTS)}


def _deal(sizes: np.ndarray, targets: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return each scene's part, 0 train, 1 val, 2 test: test and val take what fits, small scenes first if need be."""
    parts = np.zeros(len(sizes), np.int64)
    for part in (2, 1):
        room = targets[part]
        fitting = [scene for scene in order if not parts[scene] and sizes[scene] <= max(1, LARGE * targets[part])]
        if sizes[fitting].sum() < 0.8 * room:  # few scenes, all large
            fitting = [scene for scene in order if not parts[scene]]
        for scene in fitting:
            if sizes[scene] <= room:
                parts[scene], room = part, room - sizes[scene]
        if not (parts == part).any() and not parts.all():
            left = np.flatnonzero(parts == 0)
            parts[left[sizes[left].argmin()]] = part
    return parts


def _cost(parts: np.ndarray, sizes: np.ndarray, pixels: np.ndarray, targets: np.ndarray) -> float:
    """Return how far parts are from the shares asked for and from the whole's classes; infinite if one is empty."""
    whole = pixels.sum(axis=0)
    cost = 0.0
    for part in range(len(PARTS)):
        members = parts == part
        if not members.any():
            return np.inf
        cost += abs(sizes[members].sum() - targets[part]) / targets[part]
        held = pixels[members].sum(axis=0)
        cost += np.abs(held / max(held.sum(), 1) - whole / max(whole.sum(), 1)).sum()
        cost += MISSING * int(((held == 0) & (whole > 0)).sum())
    return float(cost)


def write_split(path: Path, ids: list[str], scenes: np.ndarray, parts: dict[str, np.ndarray]) -> dict[str, Any]:
    """Write and return what `data.split_file` reads: ids of train, val and test, and ids of each scene."""
    named: dict[str, list[str]] = {}
    for i, scene in enumerate(scenes.tolist()):
        named.setdefault(f"scene {scene:04d}", []).append(ids[i])
    content = {name: [ids[i] for i in part] for name, part in parts.items()} | {"scenes": named}
    write_json(path, content)
    return content
