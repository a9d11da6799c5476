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
    scored: list[tuple[float, Region]] = []
    for begin in range(0, len(points), settings.points_per_batch):
        batch = points[begin : begin + settings.points_per_batch]
        scored += _of_batch(engine, state, batch[:, None], settings)
        progress(begin + len(batch), len(points))
    if not scored:
        return []
    boxes = torch.tensor([region.box for _, region in scored], dtype=torch.float32)
    survivors = nms(boxes, torch.tensor([score for score, _ in scored]), settings.box_nms_thresh)
    return [scored[i][1] for i in survivors.tolist()]


def grid_points(side: int, height: int, width: int) -> np.ndarray:
    """Return float32 (side², 2), x and y in pixels, where the authors put them: fractions of width and height."""
    steps = (np.arange(side) + 0.5) / side
    x, y = np.meshgrid(steps * width, steps * height)
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


def _of_batch(
    engine: Sam, state: SamState, points: np.ndarray, settings: EverythingSettings
) -> list[tuple[float, Region]]:
    """Return the regions of points (P, 1, 2) that the model thinks well of and that are stable at the image's size.

    Beside each stands the model's own score, which a region keeps within 0–1.
    """
    low_res, scores = engine.decode(state, points, np.ones(points.shape[:2], np.int64))
    scores, low_res = scores.flatten(), low_res.flatten(0, 1)
    well = _above(scores, settings.pred_iou_thresh)
    scored: list[tuple[float, Region]] = []
    for chunk in well.nonzero().flatten().split(max(1, CHUNK // (4 * state.height * state.width))):
        logits = engine.full_size_logits(state, low_res[chunk])
        stability = _stability(logits)
        for index in (stability >= settings.stability_score_thresh).nonzero().flatten().tolist():
            score, mask = float(scores[chunk[index]]), (logits[index] > 0).numpy()
            kept = clean_region(mask, min(max(score, 0), 1), float(stability[index]), settings.min_mask_region_area)
            scored += [(score, region) for region in kept]
    return scored


def _above(scores: Tensor, threshold: float) -> Tensor:
    """Return which scores are above; every one is above 0, which is how the authors leave the threshold out."""
    return scores > threshold if threshold > 0 else torch.ones_like(scores, dtype=torch.bool)


def _stability(logits: Tensor) -> Tensor:
    """Return (M,): area above +1 over area above −1; 0 for an empty mask."""
    inner = (logits > 1).flatten(1).sum(dim=1)
    outer = (logits > -1).flatten(1).sum(dim=1)
    return inner / outer.clamp(min=1)
