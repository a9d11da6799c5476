"""How much a trained network relies on each skip connection: zeroed, averaged or shuffled at test time, not retrained.

Beside the ablation, which trains a network without the skip: that one can learn to do without, this one cannot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TypeGuard, get_args

import numpy as np
import torch

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

    A shuffled skip is that of another tile of the batch, never the tile's own; so only tiles of which there are at
    least two of a size take part.

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
        DataError: no two tiles have the same size.
    """
    network = predictor.network
    if not interventable(network):
        raise ConfigError(
            f"interventions: {network.name} has no skip connections left to intervene on; take a run of the model unet"
        )
    batches = _batches(images, indices, seed)
    count = sum(len(batch) for batch in batches)
    if not count:
        raise DataError(
            "interventions: no two tiles have the same size, and a skip is shuffled among tiles of one size"
        )

    def evaluate(skip: int | None = None, kind: Kind = "zero") -> segmentation.MeanIou:
        total = np.zeros((network.classes, network.classes), np.int64)
        for number, batch in enumerate(batches):
            change = None if skip is None else Intervention(skip, kind, _cycle(len(batch), seed, number, kind))
            predicted = predictor.classes(np.stack([images.image(i) for i in batch]), change=change)
            masks = np.stack([images.mask(i) for i in batch])
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
        n=count,
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
    """Return tiles in batches of one size, two at least in each, in an order drawn by `seed`."""
    by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
    for position in permutation(len(indices), seed, "segment/interventions/order"):
        by_size[images.shape(indices[position])].append(indices[position])
    batches = []
    for (height, width), members in by_size.items():
        if len(members) < 2:
            continue
        size = max(2, PIXELS // (height * width))
        pieces = [members[begin : begin + size] for begin in range(0, len(members), size)]
        if len(pieces[-1]) == 1:
            pieces[-2:] = [pieces[-2] + pieces[-1]]
        batches += pieces
    return batches


def _cycle(count: int, seed: int, batch: int, kind: Kind) -> torch.Tensor | None:
    """Return a random cycle through a batch for "shuffle", int64 (B,): every tile gets another one's skip."""
    if kind != "shuffle":
        return None
    order = permutation(count, seed, "segment/interventions/shuffle", epoch=batch)
    partner = np.empty(count, np.int64)
    partner[order] = np.roll(order, 1)
    return torch.from_numpy(partner)
