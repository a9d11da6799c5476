"""An image as regions of even color, for everything mode of an engine that knows no objects.

After Felzenszwalb, Huttenlocher 2004, "Efficient graph-based image segmentation", on patches in place of pixels.
"""

from __future__ import annotations

import numpy as np

from sightline.models.promptable.graphcut.band import draw
from sightline.models.promptable.graphcut.energy import contrast_of
from sightline.models.promptable.graphcut.superpixels import Superpixels
from sightline.models.promptable.regions import clean_region
from sightline.prompts import EverythingSettings, Progress, Region

LEAST = 4  # patches of a region of even color: about 200 pixels of the working image


def even_regions(
    image: np.ndarray, patches: Superpixels, settings: EverythingSettings, progress: Progress
) -> list[Region]:
    """Return the regions of a partition by color, each drawn at full resolution."""
    groups = merge(patches, settings.contrast)
    regions = []
    for group in range(int(groups.max()) + 1):
        cut = groups == group
        mask = draw(image, patches, patches.spread(cut))
        regions += clean_region(mask, contrast_of(patches, cut), 1.0, settings.min_mask_region_area)
        progress(group + 1, int(groups.max()) + 1)
    return regions


def merge(patches: Superpixels, contrast: float) -> np.ndarray:
    """Return int (n,), the group of each patch: neighbours join, the most alike first.

    Two groups join while the step between them is at most what is usual in either, plus an allowance that shrinks as
    they grow; `contrast` scales the allowance.
    """
    i, j = patches.edges.T
    steps = np.linalg.norm(patches.features[i] - patches.features[j], axis=1)
    parent, size, usual = list(range(len(patches.sizes))), [1] * len(patches.sizes), [0.0] * len(patches.sizes)

    def root(patch: int) -> int:
        while parent[patch] != patch:
            parent[patch] = parent[parent[patch]]
            patch = parent[patch]
        return patch

    allowance = contrast * float(np.median(steps)) if len(steps) else 0.0
    order = np.argsort(steps, kind="stable").tolist()
    for edge in order:
        a, b = root(int(i[edge])), root(int(j[edge]))
        if a != b and steps[edge] <= min(usual[a] + allowance / size[a], usual[b] + allowance / size[b]):
            parent[b], size[a], usual[a] = a, size[a] + size[b], float(steps[edge])
    for edge in order:  # what stayed tiny goes to its most alike neighbour, as in the paper's own program
        a, b = root(int(i[edge])), root(int(j[edge]))
        if a != b and min(size[a], size[b]) < LEAST:
            parent[b], size[a] = a, size[a] + size[b]
    return np.unique([root(patch) for patch in range(len(parent))], return_inverse=True)[1]
