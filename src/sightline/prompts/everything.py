"""The settings of everything mode."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.errors import ConfigError


@dataclass(frozen=True)
class EverythingSettings:
    """Settings of everything mode, under segment-anything's names (SamAutomaticMaskGenerator) and with its values.

    Its `min_mask_region_area` alone is 0; here it is 100, so that no dust is exported.

    Attributes:
        points_per_side: Points along each side of the grid.
        points_per_batch: Points answered together.
        pred_iou_thresh: Least IoU that the model itself predicts of a mask, 0–1.
        stability_score_thresh: Least IoU of a mask with itself when its threshold is moved by 1 up and down, 0–1.
        box_nms_thresh: IoU of two masks' boxes above which the worse mask is dropped, 0–1.
        min_mask_region_area: Pixels; smaller islands are removed, smaller holes filled, and no mask is smaller.
        contrast: For graphcut, which has no grid: how much the color may change within a region, in median steps
            between neighboring patches. More makes fewer and larger regions.
    """

    points_per_side: int = 32
    points_per_batch: int = 64
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float = 0.95
    box_nms_thresh: float = 0.7
    min_mask_region_area: int = 100
    contrast: float = 8.0

    def __post_init__(self) -> None:
        for name, least in (("points_per_side", 1), ("points_per_batch", 1), ("min_mask_region_area", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} = {getattr(self, name)}: must be at least {least}")
        for name in ("pred_iou_thresh", "stability_score_thresh", "box_nms_thresh"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} = {getattr(self, name)}: is a fraction; give a number from 0 to 1")
