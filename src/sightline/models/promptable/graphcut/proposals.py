"""Nested regions around clicks, and what IoU each may be expected to have.

The preference is smoothed over the graph of patches and cut off at several levels, which gives regions that hold each
other. What a region looks like (its size, its boundary, how far in the click lies) gives its score by a learned table.
The regions that are offered are then minimum cuts at their levels, which hold each other too (a parametric cut: Gallo,
Grigoriadis, Tarjan 1989).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from sightline.models.promptable.graphcut.energy import contrast_of, minimum_cut
from sightline.models.promptable.graphcut.evidence import learned, weighed
from sightline.models.promptable.graphcut.superpixels import STEP, Superpixels

# Shares of the picture for which a first click's preference is cut; a click alone never means the whole picture.
LADDER = (0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.6, 0.75, 0.88)
LEVELS = (-2.0, -1.25, -0.6, 0.0, 0.6, 1.25, 2.0)  # log odds at which it is cut once the outside is known
WHOLE = 0.9  # share of the picture from which a region is the whole picture
PULL = 0.6  # weight of one unit of log odds in the cut
STRONGEST = 2.0  # a preference beyond it is as strong
SMOOTHNESS, SWEEPS = 2.0, 8  # weight of the neighbors' preference beside a patch's own, and how often it is passed on
ALIKE = 0.05  # difference in color that makes a neighbor e times weaker
SURE = 6.0  # log odds of a clicked patch
SCORES = (
    "size",
    "size squared",
    "picture's edge",
    "contrast",
    "contrast around",
    "inside",
    "expected",
    "center",
    "room",
    "roundness",
    "inside clicks",
    "outside clicks",
)


@dataclass(frozen=True)
class Proposal:
    """A region of patches.

    Attributes:
        level: log odds at which it ends.
        region: bool (n,), its patches.
        traits: float64 (12,), in the order of SCORES.
    """

    level: float
    region: np.ndarray
    traits: np.ndarray


def propose(patches: Superpixels, inside: np.ndarray, outside: np.ndarray, odds: np.ndarray) -> list[Proposal]:
    """Return different regions that hold the inside clicks and no outside click, each a part of the next.

    Args:
        patches: of the image.
        inside: int (a,), patches clicked as inside; at least one.
        outside: int (b,), patches clicked as outside.
        odds: float (n,), the preference of each patch.
    """
    even = smoothed(patches, odds, inside, outside)
    picture = patches.sizes.sum()
    regions: list[tuple[float, np.ndarray]] = []
    for level in _levels(patches, even, is_open=not len(outside)):
        region = _connected(patches, even > level, inside)
        is_whole = len(inside) == 1 and not len(outside) and patches.sizes[region].sum() >= WHOLE * picture
        if not is_whole and not any((region == other).all() for _, other in regions):
            regions.append((float(level), region))
    if not regions:  # a picture of one color
        alone = np.zeros(len(odds), bool)
        alone[inside] = True
        regions.append((SURE - 1, alone))
    return [Proposal(level, region, _traits(patches, region, even, inside, outside)) for level, region in regions]


def smoothed(patches: Superpixels, odds: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Return float64 (n,): log odds that differ less between patches that are alike; those clicked are sure."""
    pinned = np.concatenate([inside, outside])
    values = np.concatenate([np.full(len(inside), SURE), np.full(len(outside), -SURE)])
    i, j = patches.edges.T
    steps = np.linalg.norm(patches.features[i] - patches.features[j], axis=1)
    weights = patches.graph(SMOOTHNESS / STEP / 4 * patches.lengths * np.exp(-steps / ALIKE))
    total = 1 + weights.sum(axis=1)
    even = np.clip(odds, -SURE + 1, SURE - 1)
    odds = even.copy()
    for _ in range(SWEEPS):
        even[pinned] = values
        even = (odds + weights @ even) / total
    even[pinned] = values
    return even


def cut_at(
    patches: Superpixels, odds: np.ndarray, proposal: Proposal, inside: np.ndarray, outside: np.ndarray
) -> np.ndarray:
    """Return bool (n,): the minimum cut of the preference at a proposal's level, its pieces that hold an inside click.

    A cut that becomes the whole picture is given up for the region itself.
    """
    strength = np.clip(PULL * (odds - proposal.level), -STRONGEST, STRONGEST)
    cut = _connected(patches, minimum_cut(patches, strength, inside, outside), inside)
    whole = WHOLE * patches.sizes.sum()
    return proposal.region if patches.sizes[cut].sum() >= whole > patches.sizes[proposal.region].sum() else cut


def scored(proposals: list[Proposal], bounded: bool) -> np.ndarray:
    """Return float64 (m,): the IoU that may be expected of each, 0–1."""
    table = learned()["score bounded" if bounded else "score open"]
    return 1 / (1 + np.exp(-weighed(np.stack([proposal.traits for proposal in proposals]), SCORES, table)))


def _levels(patches: Superpixels, odds: np.ndarray, is_open: bool) -> np.ndarray:
    """Return falling log odds, so that the regions grow."""
    if not is_open:
        return -np.array(LEVELS)
    order = np.argsort(-odds, kind="stable")
    shares = np.cumsum(patches.sizes[order]) / patches.sizes.sum()
    return np.minimum(odds[order[np.minimum(np.searchsorted(shares, LADDER), len(odds) - 1)]], SURE - 0.5)


def _connected(patches: Superpixels, cut: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the pieces of the cut that hold an inside click."""
    i, j = patches.edges[cut[patches.edges].all(axis=1)].T
    n = len(cut)
    pieces = connected_components(csr_array((np.ones(len(i)), (i, j)), shape=(n, n)), directed=False)[1]
    return cut & np.isin(pieces, pieces[inside])


def _traits(
    patches: Superpixels, cut: np.ndarray, odds: np.ndarray, inside: np.ndarray, outside: np.ndarray
) -> np.ndarray:
    """Return float64 (12,), in the order of SCORES."""
    sizes, (i, j) = patches.sizes, patches.edges.T
    share = float(sizes[cut].sum() / sizes.sum())
    chance = 1 / (1 + np.exp(-odds))
    hoped = float((sizes * chance)[cut].sum())
    expected = hoped / (sizes[cut].sum() + (sizes * chance)[~cut].sum())
    outline = float(patches.lengths[cut[i] != cut[j]].sum() + patches.rim[cut].sum())
    height, width = patches.labels.shape
    pixels = cut[patches.labels[::2, ::2]].view(np.uint8)
    depth = 2 * cv2.distanceTransform(np.pad(pixels, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    row, column = patches.centers[inside].T
    rows, columns = np.rint(row).astype(int), np.rint(column).astype(int)
    deep = float(depth[rows // 2, columns // 2].max())
    clear = np.minimum(np.minimum(row, height - 1 - row), np.minimum(column, width - 1 - column)) + 1
    size = np.log(share)
    return np.array(
        [
            size,
            size * size,
            patches.rim[cut].sum() / patches.rim.sum(),
            contrast_of(patches, cut),
            contrast_of(patches, cut, around=True),
            hoped / sizes[cut].sum(),
            _logit(expected),
            deep / max(float(depth.max()), 1.0),
            deep / clear.max(),
            4 * np.pi * sizes[cut].sum() / outline**2,
            np.log(len(inside)),
            np.log1p(len(outside)),
        ]
    )


def _logit(share: float) -> float:
    share = min(max(share, 1e-3), 1 - 1e-3)
    return float(np.log(share / (1 - share)))
