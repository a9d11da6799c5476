"""What clicks tell of every patch: how far it is from them in color, texture and space, weighed by a learned table.

Distances are relative to what was clicked, never colors as such: the table knows no forest and no water. Its weights
are a logistic regression's (`benchmarks/fit_clicks.py` says on which pictures); the names below are its rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from scipy.sparse.csgraph import dijkstra

from sightline.models.promptable.graphcut.superpixels import SCALES, Superpixels

TABLE = Path(__file__).with_name("weights.json")
KINDS = (
    *(f"color {scale}" for scale in SCALES),
    *(f"texture {scale}" for scale in SCALES),
    "path",
    "path around",
    "straight",
)
RANKED = ("color 4", "color 8", "texture 4", "texture 16", "path", "path around")
CONTEXT = ("clear of the edge", "odd color", "odd texture", "texture", "variety", "usual color", "usual path")
OPEN = (*KINDS, *(f"rank of {kind}" for kind in RANKED), *CONTEXT)
WIDTHS = (0.04, 0.12)  # of the picture's longer side: how far a click counts as close by
BOUNDED = (
    *(f"nearer by {kind}" for kind in KINDS),
    *(f"{kind} in" for kind in KINDS),
    *(f"{kind} out" for kind in KINDS),
    *(f"{side} within {width}" for width in WIDTHS for side in ("in", "out")),
)
LEAST = 0.01  # distances below it decide nothing
MOST = 4.0  # longest path that is told from a longer one; a part that no path reaches lies there

Table = Mapping[str, float]


@cache
def learned() -> dict[str, dict[str, float]]:
    """Return the weights by the name of their table (open, bounded, score open, score bounded) and row."""
    return json.loads(TABLE.read_text(encoding="utf-8"))["tables"]


def weighed(rows: np.ndarray, names: tuple[str, ...], table: Table) -> np.ndarray:
    """Return float64 (n,): the rows, (n, F), times the weights of their names, plus the table's constant."""
    return rows @ np.array([table[name] for name in names]) + table["constant"]


def distances(patches: Superpixels, clicked: np.ndarray) -> np.ndarray:
    """Return float64 (n, 11), in the order of KINDS: from each patch to the nearest of those clicked."""
    looks = [np.linalg.norm(look[:, None] - look[clicked], axis=2).min(axis=1) for look in patches.color]
    looks += [np.linalg.norm(look[:, None] - look[clicked], axis=2).min(axis=1) for look in patches.texture]
    paths = [np.minimum(dijkstra(graph, indices=clicked, min_only=True), MOST) for graph in patches.paths]
    apart = np.linalg.norm(patches.centers[:, None] - patches.centers[clicked], axis=2).min(axis=1)
    return np.stack([*looks, *paths, apart / max(patches.labels.shape)], axis=1)


def open_evidence(patches: Superpixels, inside: np.ndarray) -> np.ndarray:
    """Return float64 (n, 24), in the order of OPEN, where only the inside was clicked: the patches `inside`."""
    apart = distances(patches, inside)
    chosen = apart[:, [KINDS.index(kind) for kind in RANKED]]
    order = np.argsort(chosen, axis=0, kind="stable")
    ranks = np.empty_like(chosen)
    np.put_along_axis(ranks, order, np.cumsum(patches.sizes[order], axis=0) / patches.sizes.sum(), axis=0)
    height, width = patches.labels.shape
    row, column = patches.centers[inside].T
    clear = np.minimum(np.minimum(row, height - 1 - row), np.minimum(column, width - 1 - column)) / max(height, width)
    far = SCALES.index(8)
    context = [
        clear.max(),
        np.linalg.norm(patches.color[0, inside] - patches.color[far, inside], axis=1).mean(),
        np.linalg.norm(patches.texture[0, inside] - patches.texture[far, inside], axis=1).mean(),
        patches.texture[far, inside].mean(),
        patches.variety[inside].mean(),
        apart[:, KINDS.index("color 8")].mean(),
        apart[:, KINDS.index("path")].mean(),
    ]
    return np.concatenate([np.sqrt(apart), ranks, np.tile(context, (len(apart), 1))], axis=1)


def bounded_evidence(patches: Superpixels, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Return float64 (n, 37), in the order of BOUNDED, where patches inside and outside were clicked."""
    near, far = distances(patches, inside), distances(patches, outside)
    apart = np.stack([near[:, -1], far[:, -1]], axis=1)
    close = [np.exp(-apart / width) for width in WIDTHS]
    return np.concatenate([(far - near) / (far + near + LEAST), np.sqrt(near), np.sqrt(far), *close], axis=1)


def preference(patches: Superpixels, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Return float64 (n,): the log odds that a patch is inside."""
    if not len(outside):
        return weighed(open_evidence(patches, inside), OPEN, learned()["open"])
    return weighed(bounded_evidence(patches, inside, outside), BOUNDED, learned()["bounded"])
