"""A mask of everything mode, cleaned of dust."""

from __future__ import annotations

import cv2
import numpy as np

from sightline.prompts import Region


def clean_region(mask: np.ndarray, score: float, stability: float, min_area: int) -> list[Region]:
    """Return the region of a cleaned mask, or nothing where fewer than `min_area` pixels, or none, are left."""
    mask = clean(mask, min_area)
    return [Region.of(mask, score, stability)] if mask.sum() >= max(1, min_area) else []


def clean(mask: np.ndarray, min_area: int) -> np.ndarray:
    """Return the mask without islands, and with no holes, of fewer than `min_area` pixels."""
    for value in (False, True):
        part = (mask == value).astype(np.uint8)  # first holes, then islands
        _, labels, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=8 if value else 4)
        small = stats[:, cv2.CC_STAT_AREA] < min_area
        small[0] = False
        mask = mask ^ small[labels]
    return mask
