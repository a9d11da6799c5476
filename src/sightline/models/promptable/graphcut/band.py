"""A coarse mask's boundary drawn again at full resolution, in a narrow band only."""

from __future__ import annotations

import cv2
import numpy as np

from sightline.models.promptable.graphcut.superpixels import Superpixels

NEAR = 9  # pixels of the working image over which the colors on either side of the boundary are averaged
PRIOR = 1.0  # weight of the coarse mask against the colors


def draw(image: np.ndarray, patches: Superpixels, coarse: np.ndarray) -> np.ndarray:
    """Return bool (H, W): the coarse mask at the image's size, its boundary moved to where the colors change.

    In the band each pixel goes to the side whose average color nearby is more like its own.

    Args:
        image: uint8 (H, W, 3).
        patches: of the image.
        coarse: bool (h, w), a mask of the working image.
    """
    height, width = image.shape[:2]
    soft = cv2.GaussianBlur(coarse.astype(np.float32), (0, 0), 1.0)
    if height <= coarse.shape[0] and width <= coarse.shape[1]:
        return cv2.resize(soft, (width, height), interpolation=cv2.INTER_AREA) > 0.5
    full = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    mask = full > 0.5
    edge = cv2.morphologyEx(coarse.view(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    wide = cv2.dilate(edge, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    band = cv2.resize(wide, (width, height), interpolation=cv2.INTER_NEAREST)
    rows, columns = np.nonzero(band)
    if not len(rows):
        return mask
    inner, outer = _side(patches, coarse & (edge == 0)), _side(patches, ~coarse & (edge == 0))
    y = np.minimum(rows * coarse.shape[0] // height, coarse.shape[0] - 1)
    x = np.minimum(columns * coarse.shape[1] // width, coarse.shape[1] - 1)
    colors = cv2.cvtColor(image[rows, columns][None], cv2.COLOR_RGB2Lab)[0].astype(np.float32) / np.float32(255)
    near_inside, near_outside = inner[y, x], outer[y, x]
    apart = ((near_inside - near_outside) ** 2).sum(axis=1) + 1e-3
    pull = (((colors - near_outside) ** 2).sum(axis=1) - ((colors - near_inside) ** 2).sum(axis=1)) / apart
    known = np.isfinite(pull)  # no colors of one side nearby: nothing to compare
    decided = np.where(known, np.clip(pull, -1, 1), 0) + PRIOR * (2 * full[rows, columns] - 1)
    mask[rows, columns] = decided > 0
    return cv2.medianBlur(mask.view(np.uint8) * np.uint8(255), 5) > 127


def _side(patches: Superpixels, certain: np.ndarray) -> np.ndarray:
    """Return float32 (h, w, 3): the mean Lab color of the certain pixels around each; NaN where there are none."""
    weight = certain.astype(np.float32)
    total = cv2.boxFilter(patches.work * weight[..., None], -1, (NEAR, NEAR), normalize=False)
    count = cv2.boxFilter(weight, -1, (NEAR, NEAR), normalize=False)
    return np.where(count[..., None] > 0.5, total / np.maximum(count, 1)[..., None], np.nan)
