"""How much a trained network relies on each skip connection: zeroed, averaged or shuffled at test time, not retrained.

Beside the ablation, which trains a network without the skip: that one can learn to do without, this one cannot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeGuard, get_args

import numpy as np
import torch

from sightline.config import IGNORE_INDEX
from sightline.data import SegmentImages
from sightline.errors import ConfigError, DataError
from sightline.metrics import segmentation
from sightline.models.segmentation import Intervention, Segmenter, SkippingSegmenter
from sightline.models.segmentation.skips import Kind
from sightline.randomness import permutation
from sightline.runs.results import Interventions, SkipEffect
from sightline.tasks.segment.predictor import PIXELS, Predictor

TILES = 32  # of a run's own validation part: thirteen passes over these take minutes on two cores, over all an hour


def interventable(network: Segmenter) -> TypeGuard[SkippingSegmenter]:
    """Return whether there is a skip connection left to intervene on."""
    return isinstance(network, SkippingSegmenter) and bool(network.carried)


def some_tiles(part: np.ndarray, seed: int, most: int = TILES) -> list[int]:
    """Return up to `most` tiles of a part, drawn by `seed`."""
    order = permutation(len(part), seed, "segment/interventions/tiles")
    return sorted(part[order[:most]].tolist())


def interventions(
    predictor: Predictor,
    images: SegmentImages,
    indices: Sequence[int],
    *,
    part: str,
    data: str | None = None,
    seed: int = 0,
    truth: np.ndarray | None = None,
) -> Interventions:
    """Judge a network as it is, and with each of its skips zeroed, averaged over batch and place, and shuffled.

    A shuffled skip is that of another tile of the batch, never the tile's own. Tiles without another of their size are
    mirrored at their borders to a common one; only their own pixels count.

    Args:
        predictor: of the network.
        images: the data.
        indices: of the tiles.
        part: of the data that they are.
        data: source of the data; None for the run's own.
        seed: of the batches and of the shuffling.
        truth: uint8 (256,): the network's class of each class of the data; None where they are the same.

    Returns:
        What each replacement of each skip changes. A class that the tiles and the masks of the network as it is both
        lack is left out.

    Raises:
        ConfigError: the network has no skips.
        DataError: fewer than two tiles.
    """
    network = predictor.network
    if not interventable(network):
        raise ConfigError(
            f"interventions: {network.name} has no skip connections left to intervene on; take a run of the model unet"
        )
    if len(indices) < 2:
        raise DataError(
            f"interventions: {len(indices)} tile, and a skip is shuffled among tiles; give a larger part (data.val)"
        )
    batches = _batches(images, indices, seed)

    def evaluate(skip: int | None = None, kind: Kind = "zero") -> segmentation.MeanIou:
        total = np.zeros((network.classes, network.classes), np.int64)
        for number, batch in enumerate(batches):
            change = None if skip is None else Intervention(skip, kind, _cycle(len(batch), seed, number, kind))
            predicted = predictor.classes(_stacked([images.image(i) for i in batch]), change=change)
            masks = _stacked([images.mask(i) for i in batch], fill=IGNORE_INDEX)
            total += segmentation.confusion(predicted, masks if truth is None else truth[masks], network.classes)
        return segmentation.mean_iou(total)

    base = evaluate()
    classes = range(network.classes) if truth is None else truth.tolist()
    named = [
        (i, name) for i, name in zip(classes, images.palette.classes, strict=False) if not np.isnan(base.per_class[i])
    ]
    return Interventions(
        part=part,
        data=data,
        n=len(indices),
        mean_iou=base.mean,
        per_class={name: float(base.per_class[i]) for i, name in named},
        skips={
            str(skip): {kind: _effect(evaluate(skip, kind), base, named) for kind in get_args(Kind)}
            for skip in network.carried
        },
    )


def _effect(changed: segmentation.MeanIou, base: segmentation.MeanIou, named: list[tuple[int, str]]) -> SkipEffect:
    return SkipEffect(
        mean_iou=changed.mean,
        change=changed.mean - base.mean,
        per_class={name: float(changed.per_class[i] - base.per_class[i]) for i, name in named},
    )


def _batches(images: SegmentImages, indices: Sequence[int], seed: int) -> list[list[int]]:
    """Return tiles in batches, two at least in each, in an order drawn by `seed`: those of one size together.

    Tiles of sizes that occur once make batches of their own, by size; one that is alone joins the last batch.
    """
    by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
    for position in permutation(len(indices), seed, "segment/interventions/order"):
        by_size[images.shape(indices[position])].append(indices[position])
    singles = sorted(size for size, members in by_size.items() if len(members) == 1)
    groups = [(height * width, members) for (height, width), members in by_size.items() if len(members) > 1]
    if singles:
        pixels = max(height for height, _ in singles) * max(width for _, width in singles)
        groups.append((pixels, [by_size[size][0] for size in singles]))
    batches: list[list[int]] = []
    for pixels, members in groups:
        most = max(2, PIXELS // pixels)
        batches += [members[begin : begin + most] for begin in range(0, len(members), most)]
        if len(batches[-1]) == 1 and len(batches) > 1:
            batches[-2:] = [batches[-2] + batches[-1]]
    return batches


def _stacked(pixels: Sequence[np.ndarray], fill: int | None = None) -> np.ndarray:
    """Return arrays (H, W, …) as one, to the largest height and width mirrored at their borders, or filled."""
    height, width = (max(array.shape[axis] for array in pixels) for axis in (0, 1))
    mode: dict[str, Any] = {"mode": "reflect"} if fill is None else {"constant_values": fill}
    return np.stack(
        [
            np.pad(array, [(0, height - len(array)), (0, width - array.shape[1]), *[(0, 0)] * (array.ndim - 2)], **mode)
            for array in pixels
        ]
    )


def _cycle(count: int, seed: int, batch: int, kind: Kind) -> torch.Tensor | None:
    """Return a random cycle through a batch for "shuffle", int64 (B,): every tile gets another one's skip."""
    if kind != "shuffle":
        return None
    order = permutation(count, seed, "segment/interventions/shuffle", epoch=batch)
    partner = np.empty(count, np.int64)
    partner[order] = np.roll(order, 1)
    return torch.from_numpy(partner)
