"""Mean IoU and what stands beside it, from confusion matrices kept by tile. NumPy only.

The contract: counts are summed over the whole split, then IoU a class, then the mean over the classes that count. A
class absent from both prediction and truth is left out and named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from sightline.config import IGNORE_INDEX
from sightline.metrics.statistics import CrossedInterval, crossed_interval

BOUNDARY = 0.02  # of the image's diagonal, as Boundary IoU's authors


@dataclass(frozen=True)
class MeanIou:
    """IoU over summed counts.

    Attributes:
        mean: over the classes that occur.
        per_class: float64 (K,), NaN where a class occurs in neither prediction nor truth.
        pixel_accuracy: share of counted pixels that are right.
    """

    mean: float
    per_class: np.ndarray
    pixel_accuracy: float


def confusion(predicted: np.ndarray, truth: np.ndarray, classes: int) -> np.ndarray:
    """Return counts, int64 (K, K), rows truth, columns prediction; ignored truth is left out.

    Args:
        predicted: class indices uint8, any shape.
        truth: the same shape, 255 ignored.
        classes: K.
    """
    counted = truth != IGNORE_INDEX
    codes = truth[counted].astype(np.int64) * classes + predicted[counted]
    return np.bincount(codes, minlength=classes * classes).reshape(classes, classes)


def iou(counts: np.ndarray) -> np.ndarray:
    """Return IoU a class, float64 (…, K), NaN where it is absent.

    Args:
        counts: (…, K, K), or (…, K, K + 1) whose last column holds pixels without a prediction: they count as wrong.
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
    union = counts.sum(axis=-1) + counts[..., : counts.shape[-2]].sum(axis=-2) - hits
    with np.errstate(invalid="ignore"):
        return np.where(union > 0, hits / np.maximum(union, 1), np.nan)


def mean_iou(counts: np.ndarray) -> MeanIou:
    """Return mean IoU of summed counts (K, K); 0 where nothing was counted."""
    each = iou(counts)
    total = counts.sum()
    present = ~np.isnan(each)
    mean = float(each[present].mean()) if present.any() else 0.0
    return MeanIou(mean, each, float(np.trace(counts) / total) if total else 0.0)


def constant_mean_iou(counts: np.ndarray) -> float:
    """Return mean IoU of calling every pixel the largest class, from summed counts as `iou` takes them; 0 of none.

    That class then has its share of the pixels as IoU, and each other class that occurs has 0.
    """
    truth = counts.sum(axis=-1)
    return float(truth.max() / (truth.sum() * (truth > 0).sum())) if truth.any() else 0.0


def describe(counts: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Return IoU, Dice and share of pixels a class, pixel accuracy, absent classes and confusion matrix, as JSON."""
    scores = mean_iou(counts)
    truth, predicted = counts.sum(axis=1), counts.sum(axis=0)
    per_class = {
        name: {
            "iou": float(scores.per_class[i]),
            "dice": float(2 * counts[i, i] / (truth[i] + predicted[i])),
            "share": float(truth[i] / max(1, counts.sum())),
        }
        for i, name in enumerate(classes)
        if not np.isnan(scores.per_class[i])
    }
    return {
        "per_class": per_class,
        "absent": [name for i, name in enumerate(classes) if np.isnan(scores.per_class[i])],
        "pixel_accuracy": scores.pixel_accuracy,
        "confusion": counts.tolist(),
    }


def pseudo_values(counts: np.ndarray, groups: Sequence[str] | None = None) -> np.ndarray:
    """Return each tile's jackknife pseudo-value of mean IoU (Tukey 1958), float64 (S, N), or (S, scenes).

    Mean IoU is no mean over tiles. With θ of all N tiles and θ₋ᵢ without tile i, the values Nθ − (N − 1)θ₋ᵢ are: their
    mean is mean IoU but for a bias of order 1/N, and their variance over tiles is its.

    Args:
        counts: by tile, int64 (N, K, K) or as `iou` takes them, or (S, N, K, K) of several seeds on the same tiles.
        groups: the scene of each tile; whole scenes are then left out. None leaves out tiles.
    """
    stacked = counts[None] if counts.ndim == 3 else counts
    if groups is not None:
        names, index = np.unique(np.asarray(groups), return_inverse=True)
        merged = np.zeros((len(stacked), len(names), *stacked.shape[2:]), np.int64)
        for scene in range(len(names)):
            merged[:, scene] = stacked[:, index == scene].sum(axis=1)
        stacked = merged
    number = stacked.shape[1]
    whole = stacked.sum(axis=1, keepdims=True)
    return number * _mean(iou(whole)) - (number - 1) * _mean(iou(whole - stacked))


def _mean(each: np.ndarray) -> np.ndarray:
    """Return the mean over the classes that occur, (…,) of IoU (…, K); 0 where none does."""
    return np.nansum(each, axis=-1) / np.maximum((~np.isnan(each)).sum(axis=-1), 1)


def interval(counts: np.ndarray, groups: Sequence[str] | None = None) -> tuple[float, float]:
    """Return the 95 % interval of mean IoU, averaged over seeds, within 0–1; arguments as of `pseudo_values`."""
    of, mean = crossed_interval(pseudo_values(counts, groups)), over_seeds(counts)
    return max(0.0, mean - (of.mean - of.low)), min(1.0, mean + (of.high - of.mean))


def paired_difference(a: np.ndarray, b: np.ndarray, groups: Sequence[str] | None = None) -> CrossedInterval:
    """Compare two networks on the same tiles: mean IoU of `a` − of `b`, by pseudo-values.

    Args:
        a: counts by tile, (N, K, K) or (S, N, K, K).
        b: of the same tiles and seeds, in the same order.
        groups: as of `pseudo_values`.

    Raises:
        ValueError: shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"paired networks need the same tiles and classes, got shapes {a.shape} and {b.shape}")
    of = crossed_interval(pseudo_values(a, groups) - pseudo_values(b, groups))
    difference = over_seeds(a) - over_seeds(b)
    shift = difference - of.mean  # the jackknife's correction of bias is left out: tables show the means
    return replace(of, mean=difference, low=of.low + shift, high=of.high + shift)


def over_seeds(counts: np.ndarray) -> float:
    """Return mean IoU, averaged over seeds; counts as of `pseudo_values`."""
    stacked = counts[None] if counts.ndim == 3 else counts
    return float(_mean(iou(stacked.sum(axis=1))).mean())


def boundary_confusion(predicted: np.ndarray, truth: np.ndarray, classes: int) -> np.ndarray:
    """Return (intersection, union) of boundary regions a class, int64 (K, 2) (Boundary IoU, Cheng et al. 2021, eq. 3).

    A mask's boundary region is what lies in it within 2 % of the image's diagonal of its edge.

    Args:
        predicted: class indices uint8 (H, W).
        truth: the same shape, 255 ignored; ignored pixels count nowhere.
        classes: K.
    """
    radius = max(1, round(BOUNDARY * float(np.hypot(*truth.shape))))
    counted = truth != IGNORE_INDEX
    counts = np.zeros((classes, 2), np.int64)
    for index in range(classes):
        edge, other = (_boundary((mask == index).astype(np.uint8), radius) & counted for mask in (predicted, truth))
        counts[index] = (edge & other).sum(), (edge | other).sum()
    return counts


@dataclass(frozen=True)
class BoundaryIou:
    """Boundary IoU over summed counts.

    Attributes:
        mean: over the classes that have a boundary in prediction or truth.
        per_class: float64 (K,), NaN where a class has none in either.
    """

    mean: float
    per_class: np.ndarray


def boundary_iou(counts: np.ndarray) -> BoundaryIou:
    """Return Boundary IoU of summed counts (K, 2) of `boundary_confusion`; the mean is 0 where nothing was counted."""
    hits, union = counts[:, 0].astype(np.float64), counts[:, 1]
    each = np.where(union > 0, hits / np.maximum(union, 1), np.nan)
    present = ~np.isnan(each)
    return BoundaryIou(float(each[present].mean()) if present.any() else 0.0, each)


def _boundary(mask: np.ndarray, radius: int) -> np.ndarray:
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=radius)[1:-1, 1:-1]
    return (mask - eroded).astype(bool)
