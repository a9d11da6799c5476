"""A finished segmentation run, judged on other data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from sightline.config import IGNORE_INDEX, RunConfig, SegmentConfig, SegmentDataConfig
from sightline.config.types import Device
from sightline.data import Palette, SegmentImages, load_masks
from sightline.data.copies.seen import trained_on, unseen
from sightline.data.images.reading import Reading
from sightline.engine import make_fabric
from sightline.errors import DataError
from sightline.models.cpu import place
from sightline.models.segmentation import load_segmenter
from sightline.runs import RunFolder
from sightline.runs.artifacts import INTERVENTIONS
from sightline.runs.results import SegmentEvaluation, SegmentScores
from sightline.tasks.segment.counts import Counts, count_tiles, describe_counts, keep_mask_at_evaluation
from sightline.tasks.segment.interventions import interventions as measure_skips
from sightline.tasks.segment.predictor import Predictor
from sightline.views.device import Preprocessing


def evaluate(
    run_path: Path, data: SegmentDataConfig, *, part: str = "all", interventions: bool = False, device: Device = "auto"
) -> SegmentEvaluation:
    """Judge a segmenter on images with masks.

    Args:
        run_path: a finished segment run.
        data: images and masks whose classes are the run's, or some of them; matched by name.
        part: all, train, val or test; with a split file that names scenes the interval is over scenes.
        interventions: also zero, average and shuffle each skip, and write RUN/interventions.json.
        device: auto, cpu, cuda or mps.

    Returns:
        Mean IoU with its interval, Boundary IoU, pixel accuracy and counts by class, of all tiles and without those
        that the run was trained on; interventions where asked for.

    Raises:
        RunError: no finished segment run.
        DataError: classes that the run does not have, or a part that is empty.
        ConfigError: interventions on a network without skips.
    """
    run = RunFolder.open(run_path)
    loaded = load_segmenter(run_path)
    description = loaded.description
    config = SegmentConfig.build(run.config())
    sized = data.model_copy(update={"image_size": data.image_size or description["image_size"]})
    palette = Palette.from_dict(description["palette"])
    reading = Reading.from_dict(description.get("reading"))
    images = load_masks(sized, earlier=reading, known=palette, split=part != "all")
    indices = images.parts[part].tolist()
    truth = _matching(images, palette)
    fabric = make_fabric(RunConfig(device=device))
    preprocessing = Preprocessing.from_dict(description["preprocessing"])
    network = place(loaded.segmenter, fabric.device)
    predictor = Predictor(network, preprocessing.on(fabric.device), fabric)
    keep_mask = partial(keep_mask_at_evaluation, network, config)
    counts = count_tiles(predictor, images, indices, keep_mask=keep_mask, truth=truth, classes=len(palette.classes))
    scenes = None if images.scenes is None else [images.scenes[i] for i in indices]
    known = trained_on(run, images.image, np.array(indices))
    new = unseen(known)
    of_new = None if new is None else _scores_of(new, counts, palette, scenes)
    result = SegmentEvaluation(
        **vars(describe_counts(counts, palette.classes, scenes)),
        seen=None if known is None else int(known.sum()),
        unseen=None if of_new is None else of_new.mean_iou,
        unseen_scores=of_new,
    )
    if not interventions:
        return result
    seed = config.data.split_seed
    measured = measure_skips(predictor, images, indices, part=part, data=data.source, seed=seed, truth=truth)
    measured.write(run.path / INTERVENTIONS)
    return replace(result, interventions=measured)


def _scores_of(chosen: np.ndarray, counts: Counts, palette: Palette, scenes: Sequence[str] | None) -> SegmentScores:
    """Return the scores of some of the tiles."""
    some = Counts(counts.confusion[chosen], counts.boundary[chosen])
    return describe_counts(some, palette.classes, None if scenes is None else np.array(scenes)[chosen].tolist())


def _matching(images: SegmentImages, palette: Palette) -> np.ndarray | None:
    """Return the run's class of each of the data's, uint8 (256,); None where they are the same."""
    labels = images.palette.classes
    if labels == palette.classes:
        return None
    if unknown := [name for name in labels if name not in palette.classes]:
        raise DataError(
            f"{images.listing.name}: classes {', '.join(unknown)} are not among the run's: "
            f"{', '.join(palette.classes)}; give masks in the palette that the run was trained on"
        )
    table = np.full(256, IGNORE_INDEX, np.uint8)
    table[: len(labels)] = [palette.classes.index(name) for name in labels]
    return table
