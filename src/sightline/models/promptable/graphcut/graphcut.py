"""Click to segment without a trained model: color models and a minimum cut, as in GrabCut, on a graph of patches.

After Rother, Kolmogorov, Blake 2004, "GrabCut": what is inside and outside is told by the prompts, and a minimum cut
weighs it against edges. Three changes make one click enough and an answer quick: the graph has about a thousand patches
(`superpixels`), not a million pixels; what a click tells of a patch is learned (`evidence`), from colors, textures and
paths that shun edges (Criminisi, Sharp, Blake 2008, "GeoS"), and told by a plain rule of color and path (`energy`); and
both are cut at several levels, whose regions are scored (`proposals`). The boundary is then drawn at full resolution
(`band`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import cv2
import numpy as np

from sightline.errors import ConfigError
from sightline.models.promptable.graphcut.band import draw
from sightline.models.promptable.graphcut.energy import CERTAIN, Seeds, contrast_of, minimum_cut, prefer_inside
from sightline.models.promptable.graphcut.evidence import preference
from sightline.models.promptable.graphcut.partition import even_regions
from sightline.models.promptable.graphcut.proposals import cut_at, propose, scored
from sightline.models.promptable.graphcut.superpixels import Superpixels, superpixels
from sightline.prompts import ENGINES, EverythingSettings, ImageState, Progress, PromptEngine, Prompts, Region, pixel

MOST = 4  # proposals of one prompt
SAME = 0.85  # IoU from which two proposals are the same to an eye
PART = 0.9  # share of a proposal that a larger one must hold, to be offered beside it
ODD = 0.2  # color difference (Lab, 0–1) from which a pixel of a patch is not what was clicked


@dataclass(frozen=True)
class GraphCutState(ImageState):
    """The photograph and its patches."""

    image: np.ndarray
    patches: Superpixels


class GraphCut(PromptEngine):
    """Points and boxes by color and edges; needs no weights, and gives the same answer every time.

    Clicked pixels are kept to the letter: inside ones are always in the mask, outside ones never; where one pixel was
    clicked as both, the later click counts. The mask is made of pieces that hold an inside click, if there are any.
    Clicks give up to four proposals, each a part of the next larger one; one inside click never gives the whole
    picture. Their score is the IoU to expect, learned on land-cover tiles and
    generated scenes (`proposals`). A box gives one mask, whose
    score is the share of contrast on its boundary, and says only how well it stands out.
    """

    name = "graphcut"
    accepts = ENGINES["graphcut"].accepts
    everything_method = "regions of even colour, not objects"

    @classmethod
    def load(cls, model_id: str, device: str) -> Self:
        """Return the engine; it has no weights, and runs on the CPU whatever the device."""
        return cls()

    def _look(self, image: np.ndarray) -> GraphCutState:
        begin = time.perf_counter()
        patches = superpixels(image)
        height, width = image.shape[:2]
        return GraphCutState(height, width, False, time.perf_counter() - begin, image, patches)

    def _answer(
        self, state: ImageState, prompts: Prompts, multimask: bool
    ) -> tuple[np.ndarray, np.ndarray, None, None]:
        assert isinstance(state, GraphCutState)
        clicks = {pixel(point, state.height, state.width): point[2] for point in prompts.points}
        if not any(clicks.values()) and prompts.box is None:
            raise ConfigError("graphcut needs to know what is inside: give at least one inside point, or a box")
        patches = state.patches
        slivers = _slivers(state, clicks)
        seeds = _seeds(state, {place: label for place, label in clicks.items() if place not in slivers}, prompts.box)
        if prompts.box is None:
            # An outside click says how far the object goes: there is one answer then.
            most = MOST if multimask and all(clicks.values()) else 1
            cuts, scores = _clicked(patches, seeds.inside, seeds.outside, most)
        else:
            pulls = np.where(seeds.beyond, -CERTAIN, prefer_inside(patches, seeds))
            cuts = [minimum_cut(patches, pulls, seeds.inside, seeds.outside)]
            scores = np.array([contrast_of(patches, cuts[0])])
        masks = []
        for cut in cuts:
            coarse = _on_pixels(patches, cut, clicks, state)
            for place, (rows, columns) in slivers.items():
                coarse[rows, columns] = bool(clicks[place])
            masks.append(_restrict(draw(state.image, patches, coarse), clicks, prompts.box))
        # The boundary is drawn for each by itself; a smaller proposal stays a part of a larger one.
        order = sorted(range(len(cuts)), key=lambda k: int(cuts[k].sum()))
        for small, large in pairwise(order):
            masks[large] |= masks[small]
        return np.stack(masks), scores.astype(np.float32), None, None

    def _everything(self, state: ImageState, settings: EverythingSettings, progress: Progress) -> list[Region]:
        assert isinstance(state, GraphCutState)
        return even_regions(state.image, state.patches, settings, progress)


def _clicked(
    patches: Superpixels, inside: np.ndarray, outside: np.ndarray, most: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the cuts of the best proposals that an eye can tell apart, and their scores, best first."""
    if not len(inside):  # the one patch that was clicked as inside was clicked as outside too, and is shared out later
        return [np.zeros(len(patches.sizes), bool)], np.zeros(1)
    odds = preference(patches, inside, outside)
    proposals = propose(patches, inside, outside, odds)
    scores = scored(proposals, bounded=len(outside) > 0)
    order: list[int] = []
    for k in np.argsort(-scores, kind="stable").tolist():
        if len(order) < most and all(_fits(patches, proposals[k].region, proposals[other].region) for other in order):
            order.append(k)
    cuts = [cut_at(patches, odds, proposals[k], inside, outside) for k in order]
    _nest(cuts, [float(patches.sizes[proposals[k].region].sum()) for k in order])
    told = [k for k in range(len(cuts)) if not any((cuts[k] == cuts[other]).all() for other in range(k))]
    return [cuts[k] for k in told], scores[order][told]


def _fits(patches: Superpixels, one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two regions are told apart by an eye, and the smaller is a part of the larger, but for a little."""
    lesser = min(patches.sizes[one].sum(), patches.sizes[other].sum())
    return _iou(patches, one, other) <= SAME and patches.sizes[one & other].sum() >= PART * lesser


def _nest(cuts: list[np.ndarray], areas: list[float]) -> None:
    """Make each cut a part of the next larger one; the first, the best, stays as it is."""
    order = sorted(range(len(cuts)), key=areas.__getitem__)
    best = order.index(0)
    for large, small in pairwise(reversed(order[: best + 1])):
        cuts[small] = cuts[small] & cuts[large]
    for small, large in pairwise(order[best:]):
        cuts[large] = cuts[large] | cuts[small]


def _iou(patches: Superpixels, one: np.ndarray, other: np.ndarray) -> float:
    return float(patches.sizes[one & other].sum() / patches.sizes[one | other].sum())


def _slivers(
    state: GraphCutState, clicks: dict[tuple[int, int], int]
) -> dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]:
    """Return clicks on the smaller part of a patch that straddles an edge, with that part's rows and columns.

    Late clicks mend a boundary by a pixel or two. Such a click says nothing of the rest of its patch, nor of the
    colors of a side; at least one inside click is never a sliver, because something must tell what is inside.
    """
    patches = state.patches
    slivers = {}
    for place in clicks:
        row, column = _work(place, state)
        rows, columns = np.nonzero(patches.labels == patches.labels[row, column])
        alike = np.linalg.norm(patches.work[rows, columns] - patches.work[row, column], axis=1) < ODD
        if alike.mean() < 0.5:
            slivers[place] = rows[alike], columns[alike]
    inside = [place for place, label in clicks.items() if label]
    if inside and all(place in slivers for place in inside):
        del slivers[inside[0]]
    return slivers


def _seeds(state: GraphCutState, clicks: dict[tuple[int, int], int], box: tuple[float, ...] | None) -> Seeds:
    patches = state.patches
    inside, outside = (
        {int(patches.labels[_work(place, state)]) for place, label in clicks.items() if label == side}
        for side in (1, 0)
    )
    both = inside & outside
    beyond = np.zeros(len(patches.sizes), bool)
    if box is not None:
        height, width = patches.labels.shape
        y = (patches.centers[:, 0] + 0.5) * state.height / height - 0.5
        x = (patches.centers[:, 1] + 0.5) * state.width / width - 0.5
        beyond = (x < box[0]) | (x > box[2]) | (y < box[1]) | (y > box[3])
        beyond[list(inside)] = False
    return Seeds.make(patches, sorted(inside - both), sorted(outside - both), beyond, boxed=box is not None)


def _work(place: tuple[int, int], state: GraphCutState) -> tuple[int, int]:
    """Return the pixel of the working image under a pixel of the photograph."""
    height, width = state.patches.labels.shape
    row = int((place[0] + 0.5) * height / state.height)
    return min(row, height - 1), min(int((place[1] + 0.5) * width / state.width), width - 1)


def _on_pixels(
    patches: Superpixels, cut: np.ndarray, clicks: dict[tuple[int, int], int], state: GraphCutState
) -> np.ndarray:
    """Return bool (h, w) of the working image; a patch clicked as both is shared out to the nearer click."""
    mask = patches.spread(cut)
    by_patch: dict[int, list[tuple[int, int, int]]] = {}
    for place, label in clicks.items():
        row, column = _work(place, state)
        by_patch.setdefault(int(patches.labels[row, column]), []).append((row, column, label))
    for patch, inside in by_patch.items():
        labels = {label for _, _, label in inside}
        if len(labels) == 2:
            rows, columns = np.nonzero(patches.labels == patch)
            distances = np.stack([(rows - row) ** 2 + (columns - column) ** 2 for row, column, _ in inside])
            mask[rows, columns] = np.array([label for _, _, label in inside], bool)[distances.argmin(axis=0)]
    return mask


def _restrict(mask: np.ndarray, clicks: dict[tuple[int, int], int], box: tuple[float, ...] | None) -> np.ndarray:
    """Hold the mask to the box and the clicks, and drop the pieces without an inside click."""
    if box is not None:
        rows, columns = np.arange(mask.shape[0])[:, None], np.arange(mask.shape[1])
        mask &= (rows >= box[1]) & (rows <= box[3]) & (columns >= box[0]) & (columns <= box[2])
    for (row, column), label in clicks.items():
        mask[row, column] = bool(label)
    places = [place for place, label in clicks.items() if label]
    if not places:
        return mask
    pieces = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)[1].astype(np.intp)
    keep = np.zeros(int(pieces.max()) + 1, bool)
    keep[[pieces[place] for place in places]] = True
    return keep[pieces]
