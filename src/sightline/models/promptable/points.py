"""Everything mode of the SAM family, as its authors do it.

Kirillov et al. 2023, "Segment Anything", section 5 and appendix B: a grid of points, three masks each, kept if the
model thinks well of them, if they hold under another threshold, and if no better mask covers the same box.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import nms

from sightline.models.promptable.regions import clean_region
from sightline.prompts import EverythingSettings, Progress, Region

if TYPE_CHECKING:
    from sightline.models.promptable.sam import Sam, SamState

CHUNK = 64 << 20  # bytes of full-size logits at a time


def regions_by_points(engine: Sam, state: SamState, settings: EverythingSettings, progress: Progress) -> list[Region]:
    """Return the regions of a grid of points, each box covered by one mask only."""
    points = grid_points(settings.points_per_side, state.height, state.width)
    regions: list[Region] = []
    for begin in range(0, len(points), settings.points_per_batch):
        batch = points[begin : begin + settings.points_per_batch]
        regions += _of_batch(engine, state, batch[:, None], settings)
        progress(begin + len(batch), len(points))
    if not regions:
        return []
    boxes = torch.tensor([region.box for region in regions], dtype=torch.float32)
    survivors = nms(boxes, torch.tensor([region.score for region in regions]), settings.box_nms_thresh)
    return [regions[i] for i in survivors.tolist()]


def grid_points(side: int, height: int, width: int) -> np.ndarray:
    """Return float32 (side², 2), x and y in the middle of a grid's cells, in pixels."""
    steps = (np.arange(side) + 0.5) / side
    x, y = np.meshgrid(steps * width - 0.5, steps * height - 0.5)
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


def _of_batch(engine: Sam, state: SamState, points: np.ndarray, settings: EverythingSettings) -> list[Region]:
    """Return the regions of points (P, 1, 2) that the model thinks well of and that are stable."""
    low_res, scores = engine.decode(state, points, np.ones(points.shape[:2], np.int64))
    scores = scores[:, : low_res.shape[1]].flatten()
    low_res = low_res.flatten(0, 1)
    stability = _stability(engine.unpadded(state, low_res))
    good = (scores >= settings.pred_iou_thresh) & (stability >= settings.stability_score_thresh)
    regions: list[Region] = []
    for chunk in good.nonzero().flatten().split(max(1, CHUNK // (4 * state.height * state.width))):
        masks = engine.full_size(state, low_res[chunk])
        for mask, score, stable in zip(masks, scores[chunk].tolist(), stability[chunk].tolist(), strict=True):
            regions += clean_region(mask, score, stable, settings.min_mask_region_area)
    return regions


def _stability(logits: Tensor) -> Tensor:
    """Return (M,): area above +1 over area above −1; 0 for an empty mask."""
    inner = (logits > 1).flatten(1).sum(dim=1)
    outer = (logits > -1).flatten(1).sum(dim=1)
    return inner / outer.clamp(min=1)
