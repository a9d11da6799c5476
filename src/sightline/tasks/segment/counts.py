"""Scores of a network on some tiles: mean IoU with its interval, IoU by class, and at the boundaries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sightline.config import SegmentConfig
from sightline.data import SegmentImages
from sightline.metrics import segmentation
from sightline.models.segmentation import Segmenter, policy_of, skips_of
from sightline.runs.results import ClassIou, Interval, SegmentScores
from sightline.tasks.segment.predictor import Predictor, batches_of_one_size


@dataclass(frozen=True)
class Counts:
    """Counts of an evaluation, tile by tile.

    Attributes:
        confusion: int64 (N, K, K): rows truth, columns prediction.
        boundary: int64 (N, K, 2): intersection and union of boundary regions; zeros where they were not counted.
    """

    confusion: np.ndarray
    boundary: np.ndarray


def count_tiles(
    predictor: Predictor,
    images: SegmentImages,
    indices: Sequence[int],
    *,
    keep_mask: Callable[[list[int]], np.ndarray | None] | None = None,
    truth: np.ndarray | None = None,
    classes: int | None = None,
    boundaries: bool = True,
    seen: Callable[[np.ndarray], object] | None = None,
) -> Counts:
    """Predict whole tiles and count.

    Args:
        predictor: of the network.
        images: the data.
        indices: of the tiles.
        keep_mask: (batch of indices) → which skips each keeps, bool (B, skips); None keeps all.
        truth: uint8 (256,): the network's class of each class of the data, 255 to ignore; None where they are the same.
        classes: K of the network; the data's by default.
        boundaries: whether to count them too: on large tiles as costly as a small network.
        seen: called with each predicted mask, uint8 (H, W), in the order of `indices`.
    """
    number = classes or len(images.palette.classes)
    confusion, boundary = [], []
    for batch in batches_of_one_size(indices, images.shape):
        predicted = predictor.classes(
            np.stack([images.image(i) for i in batch]), keep_mask(batch) if keep_mask else None
        )
        for prediction, i in zip(predicted, batch, strict=True):
            mask = images.mask(i) if truth is None else truth[images.mask(i)]
            confusion.append(segmentation.confusion(prediction, mask, number))
            edges = (
                segmentation.boundary_confusion(prediction, mask, number)
                if boundaries
                else np.zeros((number, 2), np.int64)
            )
            boundary.append(edges)
            if seen is not None:
                seen(prediction)
    return Counts(np.stack(confusion), np.stack(boundary))


def keep_mask_at_evaluation(network: Segmenter, config: SegmentConfig, samples: list[int]) -> np.ndarray | None:
    """Return which skips tiles keep: one a tile, as in training, where a random policy drops them at evaluation too."""
    policy = policy_of(network)
    if config.skips.at_evaluation != "drop" or policy.drop != "random":
        return None
    return policy.keep_mask(skips_of(network), config.seed, config.epochs, samples)


def headline(confusion: np.ndarray, scenes: Sequence[str] | None = None) -> Interval:
    """Return mean IoU of counts int64 (N, K, K) with its 95 % interval and n.

    Args:
        confusion: by tile.
        scenes: of each tile; the interval is then over scenes, for tiles of one scene are no independent draws, and
            "scenes" tells how many there are.
    """
    low, high = segmentation.interval(confusion, scenes)
    value, drawn = segmentation.mean_iou(confusion.sum(axis=0)).mean, None if scenes is None else len(set(scenes))
    return Interval(value=value, low=low, high=high, n=len(confusion), scenes=drawn)


def describe_counts(counts: Counts, classes: Sequence[str], scenes: Sequence[str] | None = None) -> SegmentScores:
    """Return mean IoU, Boundary IoU, pixel accuracy, absent classes, and both IoUs of each class."""
    summary = segmentation.describe(counts.confusion.sum(axis=0), classes)
    boundary = segmentation.boundary_iou(counts.boundary.sum(axis=0))
    edges = {
        name: None if np.isnan(value) else float(value) for name, value in zip(classes, boundary.per_class, strict=True)
    }
    return SegmentScores(
        mean_iou=headline(counts.confusion, scenes),
        boundary_iou=boundary.mean,
        per_class={name: ClassIou(**of, boundary_iou=edges[name]) for name, of in summary["per_class"].items()},
        absent=tuple(summary["absent"]),
        pixel_accuracy=summary["pixel_accuracy"],
        confusion=tuple(map(tuple, summary["confusion"])),
    )
