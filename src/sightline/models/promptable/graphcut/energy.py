"""What a patch prefers, inside or outside, and the minimum cut that weighs it against edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, dijkstra, maximum_flow

from sightline.models.promptable.graphcut.superpixels import STEP, Superpixels

# All values below come from a random search on land-cover training tiles (benchmarks/clicks.py has the measure).
FLOOR = 0.009  # length of a step between two equal patches, beside their difference in color: plain distance counts too
COLOR = 0.94  # weight of likeness in color, beside 1 for the distance along paths
LIKENESS = 0.17  # a color this far from every inside one counts as outside, whatever the outside clicks say
SOFT = 0.012  # color differences below it decide nothing
SMOOTH = 0.19  # weight of a boundary, per patch width
EDGE = 0.085  # color difference that makes a boundary e times cheaper
REACH, FARTHEST = 0.54, 1.5  # length of path at which a region ends where no outside is known; the longest told apart
CERTAIN = 50.0  # preference of a patch that was clicked
COMPONENTS = 5  # colors of a box's inside and outside, as in GrabCut
UNITS = 1000  # the flow counts in integers


@dataclass(frozen=True)
class Seeds:
    """The patches that the prompts mark, or that lie around and inside their box.

    Attributes:
        inside: int (a,), patches clicked as inside.
        outside: int (b,), patches clicked as outside.
        beyond: bool (n,), outside the box.
        likely: int (c,), patches of a box without clicks that are least like its surroundings.
        near: int (d,), patches just around the box.
    """

    inside: np.ndarray
    outside: np.ndarray
    beyond: np.ndarray
    likely: np.ndarray
    near: np.ndarray

    @property
    def is_open(self) -> bool:
        """Whether nothing bounds the region, so that its extent is a guess."""
        return not len(self.outside) and not self.beyond.any()

    @classmethod
    def make(
        cls, patches: Superpixels, inside: list[int], outside: list[int], beyond: np.ndarray, boxed: bool
    ) -> Seeds:
        """Return seeds, with the likely inside of a box found where no click tells it."""
        near = likely = np.empty(0, int)
        if boxed:
            near = surrounding(patches, ~beyond)
            within = np.flatnonzero(~beyond)
            if not inside:
                likely = _unlike(patches, within, near)
        return cls(np.array(inside, int), np.array(outside, int), beyond, likely, near)

    @classmethod
    def of_clicks(cls, patches: Superpixels, inside: np.ndarray, outside: np.ndarray) -> Seeds:
        """Return seeds where there is no box."""
        nothing = np.empty(0, int)
        return cls(inside, outside, np.zeros(len(patches.sizes), bool), nothing, nothing)


def surrounding(patches: Superpixels, region: np.ndarray, steps: int = 3) -> np.ndarray:
    """Return patches outside the region within some steps of it: what it is seen against."""
    i, j = patches.edges.T
    reached = region
    for _ in range(steps):
        grown = reached.copy()
        grown[i[reached[j]]] = True
        grown[j[reached[i]]] = True
        reached = grown
    return np.flatnonzero(reached & ~region)


def _unlike(patches: Superpixels, within: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return the half of the box that is least like its surroundings; its middle, if it fills the image."""
    if not len(within):
        return within
    if len(near):
        odd = _difference(patches, near)[within]
    else:
        middle = patches.centers[within].mean(axis=0)
        odd = -np.linalg.norm(patches.centers[within] - middle, axis=1)
    return within[odd >= np.median(odd)]


def _difference(patches: Superpixels, exemplars: np.ndarray) -> np.ndarray:
    """Return float (n,): how far each patch's color is from the nearest of the exemplars' main colors."""
    colors = _main_colors(patches.likeness[exemplars])
    return np.linalg.norm(patches.likeness[:, None] - colors, axis=2).min(axis=1)


def _main_colors(features: np.ndarray) -> np.ndarray:
    """Return up to COMPONENTS cluster centers: farthest points first, then three rounds of k-means; no chance in it."""
    centers = features[:1]
    for _ in range(min(COMPONENTS, len(features)) - 1):
        distance = np.linalg.norm(features[:, None] - centers, axis=2).min(axis=1)
        centers = np.concatenate([centers, features[[distance.argmax()]]])
    if len(features) <= COMPONENTS:
        return centers
    for _ in range(3):
        nearest = np.linalg.norm(features[:, None] - centers, axis=2).argmin(axis=1)
        centers = np.stack([features[nearest == k].mean(axis=0) for k in np.unique(nearest)])
    return centers


def prefer_inside(patches: Superpixels, seeds: Seeds) -> np.ndarray:
    """Return float (n,): above 0 where a patch prefers the inside, about −2 … 2.

    Args:
        patches: of the image.
        seeds: of the prompts.
    """
    inside = seeds.inside if len(seeds.inside) else seeds.likely
    if not len(inside):
        return np.full(len(patches.sizes), -1.0)
    i, j = patches.edges.T
    paths = patches.graph(FLOOR + np.linalg.norm(patches.likeness[i] - patches.likeness[j], axis=1))
    outside = np.concatenate([seeds.outside, seeds.near])
    from_inside = dijkstra(paths, indices=inside, min_only=True)
    unlike_inside = _difference(patches, inside)
    if not len(outside):
        path = np.clip(1 - from_inside / REACH, -1, 1)
        return path + COLOR * np.clip(1 - unlike_inside / LIKENESS, -1, 1)
    # A neighbour of the same kind was clicked away: what is unlike both, or far from both, is outside all the same.
    from_outside = np.minimum(dijkstra(paths, indices=outside, min_only=True), FARTHEST)
    unlike_outside = np.minimum(_difference(patches, outside), LIKENESS)
    path = (from_outside - from_inside) / (from_outside + from_inside + FLOOR)
    return path + COLOR * (unlike_outside - unlike_inside) / (unlike_outside + unlike_inside + SOFT)


def minimum_cut(patches: Superpixels, preference: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Return bool (n,): the patches inside, by the cut that costs least; those clicked are certain."""
    n = len(preference)
    preference = preference.copy()
    preference[inside] = CERTAIN
    preference[outside] = -CERTAIN
    i, j = patches.edges.T
    steps = np.linalg.norm(patches.features[i] - patches.features[j], axis=1)
    costs = SMOOTH * patches.lengths / STEP * np.exp(-steps / EDGE)
    source, sink, everyone = n, n + 1, np.arange(n)
    inner = preference > 0
    rows = np.concatenate([i, j, np.full(inner.sum(), source), everyone[~inner]])
    columns = np.concatenate([j, i, everyone[inner], np.full((~inner).sum(), sink)])
    pulls = np.abs(preference)
    capacities = np.concatenate([costs, costs, pulls[inner], pulls[~inner]])
    network = csr_array(((capacities * UNITS).astype(np.int32) + 1, (rows, columns)), shape=(n + 2, n + 2))
    rest = network - maximum_flow(network, source, sink).flow
    rest.data[rest.data < 0] = 0
    rest.eliminate_zeros()
    reached = breadth_first_order(rest, source, return_predecessors=False)
    cut = np.zeros(n + 2, bool)
    cut[reached] = True
    return cut[:n]


def contrast_of(patches: Superpixels, cut: np.ndarray, around: bool = False) -> float:
    """Return boundary / (boundary + inside) of the mean differences between neighbouring patches, 0–1.

    Args:
        patches: of the image.
        cut: bool (n,), the patches inside.
        around: of what surrounds the patches, within 4 pixels, in place of the patches themselves.
    """
    i, j = patches.edges.T
    looks = np.concatenate([patches.color[1], patches.texture[1]], axis=1) if around else patches.features
    steps = np.linalg.norm(looks[i] - looks[j], axis=1)
    across, within = cut[i] != cut[j], cut[i] & cut[j]
    if not across.any():
        return 0.0
    boundary = float(np.average(steps[across], weights=patches.lengths[across]))
    # A single patch has no inside to compare with; the image's usual step stands in.
    inside = float(np.average(steps[within], weights=patches.lengths[within]) if within.any() else np.median(steps))
    return boundary / (boundary + inside) if boundary > 0 else 0.0
