"""Nested regions around clicks, and what IoU each may be expected to have.

The preference is smoothed over the graph of patches and cut off at several levels, which gives regions that hold each
other. Beside them stand the minimum cuts of the plain rule (`energy`), which finds things of one color. What a region
looks like (its size, its boundary, how far in the click lies) gives its score by a learned table, one for each kind,
and others where the color is decisive: where a region of the plain rule stands clear of all its neighbors.
The regions that are offered are then minimum cuts at their levels, which hold each other too (a parametric cut: Gallo,
Grigoriadis, Tarjan 1989).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from sightline.models.promptable.graphcut.energy import Seeds, contrast_of, minimum_cut, prefer_inside, surrounding
from sightline.models.promptable.graphcut.evidence import LEAST, learned, weighed
from sightline.models.promptable.graphcut.superpixels import STEP, Superpixels
from sightline.prompts import WHOLE

# Shares of the picture for which a first click's preference is cut; a click alone never means the whole picture.
LADDER = (0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.6, 0.75, 0.88)
LEVELS = (-2.0, -1.25, -0.6, 0.0, 0.6, 1.25, 2.0)  # log odds at which it is cut once the outside is known
PLAIN = (0.7, 0.0, -0.7)  # levels at which the plain rule's preference is cut
PLAIN_ODDS = 2.0  # log odds of one unit of that preference
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
    "gap",
    "gap around",
)
KINDS_OF_SCORE = tuple(
    f"score {kind}{gap}{known}" for kind in ("", "plain ") for gap in ("", "clear ") for known in ("open", "bounded")
)
CLEAR = 0.5  # gap of a plain region from which the color is decisive


@dataclass(frozen=True)
class Proposal:
    """A region of patches.

    Attributes:
        level: log odds at which it ends.
        region: bool (n,), its patches.
        traits: float64 (14,), in the order of SCORES.
        plain: the region is the plain rule's minimum cut.
        clear: the color is decisive for these clicks.
    """

    level: float
    region: np.ndarray
    traits: np.ndarray
    plain: bool = False
    clear: bool = False

    def score_table(self, bounded: bool) -> str:
        """Return the name of the learned table that tells the IoU to expect."""
        kind, gap = "plain " if self.plain else "", "clear " if self.clear else ""
        return f"score {kind}{gap}{'bounded' if bounded else 'open'}"


def propose(patches: Superpixels, inside: np.ndarray, outside: np.ndarray, odds: np.ndarray) -> list[Proposal]:
    """Return different regions that hold the inside clicks and no outside click.

    Those of `odds` come first, then the plain rule's; each of a kind is a part of the next.

    Args:
        patches: of the image.
        inside: int (a,), patches clicked as inside; at least one.
        outside: int (b,), patches clicked as outside.
        odds: float (n,), the preference of each patch.
    """
    even = smoothed(patches, odds, inside, outside)
    learned_regions: list[tuple[float, np.ndarray]] = []
    for level in _levels(patches, even, is_open=not len(outside)):
        _add(learned_regions, float(level), _connected(patches, even > level, inside), patches, inside, outside)
    pulls = prefer_inside(patches, Seeds.of_clicks(patches, inside, outside))
    plain_regions: list[tuple[float, np.ndarray]] = []
    for level in PLAIN:
        cut = _connected(patches, minimum_cut(patches, pulls - level, inside, outside), inside)
        _add(plain_regions, level, cut, patches, inside, outside)
    if not learned_regions and not plain_regions:  # a picture of one color
        alone = np.zeros(len(odds), bool)
        alone[inside] = True
        learned_regions.append((SURE - 1, alone))
    plain = PLAIN_ODDS * pulls
    plain_traits = [_traits(patches, region, plain, inside, outside) for _, region in plain_regions]
    clear = bool(max((traits[SCORES.index("gap")] for traits in plain_traits), default=0.0) > CLEAR)
    return [
        Proposal(level, region, _traits(patches, region, even, inside, outside), clear=clear)
        for level, region in learned_regions
    ] + [
        Proposal(level, region, traits, plain=True, clear=clear)
        for (level, region), traits in zip(plain_regions, plain_traits, strict=True)
    ]


def _add(
    regions: list[tuple[float, np.ndarray]],
    level: float,
    region: np.ndarray,
    patches: Superpixels,
    inside: np.ndarray,
    outside: np.ndarray,
) -> None:
    """Add a region, unless it is there already or is the whole picture after one click."""
    is_whole = len(inside) == 1 and not len(outside) and patches.sizes[region].sum() >= WHOLE * patches.sizes.sum()
    if not is_whole and not any((region == other).all() for _, other in regions):
        regions.append((level, region))


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

    A cut that becomes the whole picture is given up for the region itself; a plain region is a cut already.
    """
    if proposal.plain:
        return proposal.region
    strength = np.clip(PULL * (odds - proposal.level), -STRONGEST, STRONGEST)
    cut = _connected(patches, minimum_cut(patches, strength, inside, outside), inside)
    whole = WHOLE * patches.sizes.sum()
    return proposal.region if patches.sizes[cut].sum() >= whole > patches.sizes[proposal.region].sum() else cut


def scored(proposals: list[Proposal], bounded: bool) -> np.ndarray:
    """Return float64 (m,): the IoU that may be expected of each, 0–1."""
    return np.array(
        [
            1 / (1 + np.exp(-weighed(proposal.traits, SCORES, learned()[proposal.score_table(bounded)])))
            for proposal in proposals
        ]
    )


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
    """Return float64 (14,), in the order of SCORES."""
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
            *_gaps(patches, cut),
        ]
    )


def _gaps(patches: Superpixels, cut: np.ndarray) -> list[float]:
    """Return how clearly the color tells a region from its neighbors and from what surrounds it, −1 … 1."""
    around = [surrounding(patches, cut, steps) for steps in (1, 3)]
    if not len(around[0]):
        return [0.0, 0.0]
    colors = patches.color[0]
    middle = np.median(colors[cut], axis=0)
    spread = np.quantile(np.linalg.norm(colors[cut] - middle, axis=1), 0.9)
    shares = (0.2, 0.5)
    apart = np.array(
        [
            np.quantile(np.linalg.norm(colors[ring] - middle, axis=1), share)
            for ring, share in zip(around, shares, strict=True)
        ]
    )
    return ((apart - spread) / (apart + spread + LEAST)).tolist()


def _logit(share: float) -> float:
    share = min(max(share, 1e-3), 1 - 1e-3)
    return float(np.log(share / (1 - share)))
