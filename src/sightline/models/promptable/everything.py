"""Everything mode: all masks that an engine finds in an image without a prompt.

With models of the SAM family as their authors do it (Kirillov et al. 2023, "Segment Anything", section 5 and appendix
B): a grid of points, three masks each, kept if the model thinks well of them, if they hold under another threshold, and
if no better mask covers the same box. With grabcut, which knows no objects, a segmentation into regions of even colour
(Felzenszwalb, Huttenlocher 2004) takes its place; METHODS says which it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torchvision.ops import nms

from sightline.data.masks.formats import decode_rle, encode_rle
from sightline.errors import ConfigError
from sightline.models.promptable.band import draw
from sightline.models.promptable.base import ImageState, PromptEngine
from sightline.models.promptable.energy import contrast_of
from sightline.models.promptable.grabcut import GrabCut, GrabCutState
from sightline.models.promptable.sam import Sam, SamState
from sightline.models.promptable.superpixels import Superpixels

METHODS = {"points": "a grid of points, three masks each", "regions": "regions of even colour, not objects"}
Progress = Callable[[int, int], object]
LEAST = 4  # patches of a region of even colour: about 200 pixels of the working image
CHUNK = 64 << 20  # bytes of full-size logits at a time


@dataclass(frozen=True)
class Settings:
    """What is asked and kept; the defaults are those of segment-anything's automatic generator.

    Attributes:
        grid: points along each side.
        batch: points answered together.
        iou: the least quality that the model itself expects of a mask.
        stability: the least IoU of a mask with itself when its threshold is moved by 1 up and down.
        overlap: IoU of boxes above which the worse of two masks is dropped.
        min_area: pixels; smaller islands are removed, smaller holes filled, and no mask is smaller.
        contrast: for regions: the allowance of `merge`, in median steps between neighbouring patches; more makes
            fewer and larger regions.
    """

    grid: int = 32
    batch: int = 64
    iou: float = 0.88
    stability: float = 0.95
    overlap: float = 0.7
    min_area: int = 100
    contrast: float = 8.0

    def __post_init__(self) -> None:
        if self.grid < 1 or self.batch < 1 or self.min_area < 0:
            raise ConfigError(
                f"grid = {self.grid}, batch = {self.batch}, min_area = {self.min_area}: "
                "grid and batch must be at least 1, min_area at least 0"
            )
        for name in ("iou", "stability", "overlap"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} = {getattr(self, name)}: is a share; give a number from 0 to 1")


@dataclass(frozen=True)
class Region:
    """A mask of everything mode, kept as run lengths so that thousands take little memory.

    Attributes:
        rle: COCO run lengths.
        score: the engine's, 0–1.
        stability: 0–1; 1 for regions of even colour.
        area: pixels.
        box: x0, y0, x1, y1 of its pixels' centres.
    """

    rle: dict[str, Any]
    score: float
    stability: float
    area: int
    box: tuple[int, int, int, int]

    def mask(self) -> np.ndarray:
        """Return bool (H, W)."""
        return decode_rle(self.rle)


def everything(
    engine: PromptEngine, state: ImageState, settings: Settings | None = None, progress: Progress | None = None
) -> list[Region]:
    """Return all masks, best first.

    Args:
        engine: of the SAM family, or grabcut.
        state: of the engine's set_image.
        settings: what is asked and kept.
        progress: called with the steps done and all steps.

    Raises:
        ConfigError: an engine that takes words only.
    """
    settings, progress = settings or Settings(), progress or (lambda done, steps: None)
    if isinstance(engine, Sam) and isinstance(state, SamState):
        found = _by_points(engine, state, settings, progress)
        if found:
            boxes = torch.tensor([region.box for region in found], dtype=torch.float32)
            kept = nms(boxes, torch.tensor([region.score for region in found]), settings.overlap)
            found = [found[i] for i in kept.tolist()]
    elif isinstance(engine, GrabCut) and isinstance(state, GrabCutState):
        found = _by_colour(state, settings, progress)
    else:
        raise ConfigError(f"{engine.name} has no everything mode; use --engine sam2, sam, sam-hq, edgetam or grabcut")
    return sorted(found, key=lambda region: -region.score)


def method(engine: PromptEngine) -> str:
    """Return how the engine finds everything, in words."""
    return METHODS["regions" if isinstance(engine, GrabCut) else "points"]


def grid_points(grid: int, height: int, width: int) -> np.ndarray:
    """Return float32 (grid², 2), x and y in the middle of a grid's cells, in pixels."""
    steps = (np.arange(grid) + 0.5) / grid
    x, y = np.meshgrid(steps * width - 0.5, steps * height - 0.5)
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


def _by_points(engine: Sam, state: SamState, settings: Settings, progress: Progress) -> list[Region]:
    points = grid_points(settings.grid, state.height, state.width)
    found: list[Region] = []
    at_once = max(1, CHUNK // (4 * state.height * state.width))
    for begin in range(0, len(points), settings.batch):
        batch = points[begin : begin + settings.batch, None]
        low_res, scores = engine.decode(state, batch, np.ones(batch.shape[:2], np.int64))
        scores = scores[:, : low_res.shape[1]].flatten()
        low_res = low_res.flatten(0, 1)
        stability = _stability(engine.unpadded(state, low_res))
        kept = ((scores >= settings.iou) & (stability >= settings.stability)).nonzero().flatten()
        for some in kept.split(at_once):
            masks = engine.full_size(state, low_res[some])
            for mask, score, stable in zip(masks, scores[some].tolist(), stability[some].tolist(), strict=True):
                found += _region(mask, score, stable, settings.min_area)
        progress(min(begin + settings.batch, len(points)), len(points))
    return found


def _stability(logits: torch.Tensor) -> torch.Tensor:
    """Return (M,): area above +1 over area above −1; 0 for an empty mask."""
    inner = (logits > 1).flatten(1).sum(dim=1)
    outer = (logits > -1).flatten(1).sum(dim=1)
    return inner / outer.clamp(min=1)


def _region(mask: np.ndarray, score: float, stability: float, min_area: int) -> list[Region]:
    mask = clean(mask, min_area)
    area = int(mask.sum())
    if area < max(1, min_area):
        return []
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1]))
    return [Region(encode_rle(mask), float(score), float(stability), area, box)]


def clean(mask: np.ndarray, min_area: int) -> np.ndarray:
    """Return the mask without islands, and with no holes, of fewer than `min_area` pixels."""
    for wanted in (False, True):
        part = (mask == wanted).astype(np.uint8)  # first holes, then islands
        _, labels, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=8 if wanted else 4)
        small = stats[:, cv2.CC_STAT_AREA] < min_area
        small[0] = False
        mask = mask ^ small[labels]
    return mask


def _by_colour(state: GrabCutState, settings: Settings, progress: Progress) -> list[Region]:
    """Return the regions of a partition by colour, each drawn at full resolution."""
    groups = merge(state.patches, settings.contrast)
    found = []
    for group in range(int(groups.max()) + 1):
        cut = groups == group
        mask = draw(state.image, state.patches, state.patches.spread(cut))
        found += _region(mask, contrast_of(state.patches, cut), 1.0, settings.min_area)
        progress(group + 1, int(groups.max()) + 1)
    return found


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
