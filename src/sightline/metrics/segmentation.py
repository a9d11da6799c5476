"""Mean IoU and what stands beside it, from confusion matrices kept by tile. NumPy only.

The contract: counts are summed over the whole split, then IoU a class, then the mean over the classes that count. A
class absent from both prediction and truth is left out and named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from sightline.config import IGNORE_INDEX
from sightline.randomness import generator

RESAMPLES = 2000  # each sums the counts of all tiles anew; the 2.5 % quantile then has a standard error of about 0.35 %
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


def resampled(counts: np.ndarray, seed: int = 0, groups: Sequence[str] | None = None) -> np.ndarray:
    """Return mean IoU under `RESAMPLES` bootstrap resamples, float64 (RESAMPLES,).

    Args:
        counts: by tile, int64 (N, K, K) or as `iou` takes them, or (S, N, K, K) of several seeds, whose mean IoUs are
            averaged; every seed gets the same tiles, and seeds are drawn beside them.
        seed: of the resampling; the same one pairs two networks on the same tiles.
        groups: the scene of each tile; whole scenes are then drawn. None draws tiles.
    """
    stacked = counts[None] if counts.ndim == 3 else counts
    if groups is not None:
        names, index = np.unique(np.asarray(groups), return_inverse=True)
        merged = np.zeros((len(stacked), len(names), *stacked.shape[2:]), np.int64)
        for scene in range(len(names)):
            merged[:, scene] = stacked[:, index == scene].sum(axis=1)
        stacked = merged
    seeds, tiles = stacked.shape[:2]
    rng = generator(seed, "segmentation/bootstrap")
    drawn = rng.multinomial(tiles, np.full(tiles, 1 / tiles), size=RESAMPLES).astype(np.float64)
    of_seeds = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=RESAMPLES) / seeds
    means = np.empty((RESAMPLES, seeds))
    for number, seed_counts in enumerate(stacked):
        summed = (drawn @ seed_counts.reshape(tiles, -1).astype(np.float64)).reshape(RESAMPLES, *seed_counts.shape[1:])
        each = iou(summed)
        present = ~np.isnan(each)
        means[:, number] = np.nansum(each, axis=1) / np.maximum(present.sum(axis=1), 1)
    return (means * of_seeds).sum(axis=1)


def bootstrap_interval(counts: np.ndarray, seed: int = 0, groups: Sequence[str] | None = None) -> tuple[float, float]:
    """Return the 95 % percentile interval of mean IoU; arguments as of `resampled`."""
    low, high = np.quantile(resampled(counts, seed, groups), [0.025, 0.975])
    return float(low), float(high)


def paired_difference(
    a: np.ndarray, b: np.ndarray, seed: int = 0, groups: Sequence[str] | None = None
) -> tuple[float, float, float, float]:
    """Compare two networks on the same tiles: mean IoU of `a` − of `b`, low, high, and the two-sided bootstrap p.

    Args:
        a: counts by tile, (N, K, K) or (S, N, K, K).
        b: of the same tiles and seeds, in the same order.
        seed: of the resampling.
        groups: as of `resampled`.

    Raises:
        ValueError: shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"paired networks need the same tiles and classes, got shapes {a.shape} and {b.shape}")
    differences = resampled(a, seed, groups) - resampled(b, seed, groups)
    low, high = np.quantile(differences, [0.025, 0.975])
    beyond = min((differences <= 0).sum(), (differences >= 0).sum())
    p = min(1.0, 2 * (beyond + 1) / (len(differences) + 1))
    return _over_seeds(a) - _over_seeds(b), float(low), float(high), float(p)


def _over_seeds(counts: np.ndarray) -> float:
    stacked = counts[None] if counts.ndim == 3 else counts
    return float(np.mean([mean_iou(seed_counts.sum(axis=0)).mean for seed_counts in stacked]))


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
