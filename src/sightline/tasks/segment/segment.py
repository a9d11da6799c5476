"""`segment`: images with masks, a network, its skip connections; judged once on the test part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.config import SegmentConfig, at_rate
from sightline.data import Loader, SegmentImages, check_classes, load_masks
from sightline.data.copies.seen import keep_trained_on
from sightline.data.masks.formats import palette_png
from sightline.engine import (
    Context,
    Extra,
    Progress,
    attempt,
    check_sizes,
    choose_rate,
    resolve_workers,
    train,
    tuning_of,
)
from sightline.engine.example import ExampleStep
from sightline.engine.ranks import shared_out, summed
from sightline.files import text_digest
from sightline.files.atomic import write_json
from sightline.metrics import segmentation
from sightline.models import reading_of
from sightline.models.cpu import place
from sightline.models.initial import InitialBackbone
from sightline.models.segmentation import (
    Segmenter,
    SkipPolicy,
    build_segmenter,
    describe,
    load_encoder,
    load_segmenter,
    policy_of,
    save_segmenter,
    skips_of,
)
from sightline.randomness import sample_keys
from sightline.runs import RunFolder, artifacts
from sightline.runs.artifacts import INTERVENTIONS
from sightline.runs.mask_history import MaskColors
from sightline.runs.results import Init, Network, SegmentResult
from sightline.tasks.segment.counts import Counts, count_tiles, describe_counts, keep_mask_at_evaluation
from sightline.tasks.segment.example_step import example_step, steps_of
from sightline.tasks.segment.interventions import interventable, interventions, some_tiles
from sightline.tasks.segment.losses import build_loss
from sightline.tasks.segment.predictor import Predictor
from sightline.tasks.segment.progress import MaskProgress, draw_progress, find_watched
from sightline.tasks.segment.task import SegmentBatch, SegmentTask, Validation
from sightline.views import JointCrop

PART = "test"  # judged once, at the end
VALIDATION = "val_mean_iou"  # of result.json: by which a learning rate is chosen


def segment(
    config: SegmentConfig, out: Path, *, resume: bool = False, on_test: bool = True, progress: Progress | None = None
) -> RunFolder:
    """Train and judge a segmentation network.

    Args:
        config: what to do, fully resolved.
        out: the run folder, new, or with `resume` one of the same configuration and data.
        resume: go on from the checkpoint; a finished run is returned as it is.
        on_test: use the test part, once, at the end; a trial of a learning rate is judged on validation, and no more.
        progress: where to report; the terminal by default.

    Returns:
        The finished run: test mean IoU with interval, per class, counts of every test tile, masks of watched images.

    Raises:
        DataError: no masks, masks that do not fit their images, or fewer than two classes to learn.
        ConfigError: no such network, skip or watched image.
        NotAvailable: the reference weights cannot be had now.
        WeightsError: the weights do not fit the encoder.
    """
    return train(
        config,
        out,
        inputs=open_inputs,
        example=_example,
        build_task=build_task,
        finish=_finish if on_test else _finish_trial,
        extras=_extras if on_test else None,
        resume=resume,
        progress=progress,
    )


@dataclass(frozen=True)
class Inputs:
    """Images with masks, in their parts, and the backbone whose weights the encoder begins with."""

    images: SegmentImages
    start: InitialBackbone

    @property
    def fingerprint(self) -> str:
        """A digest of images, masks and weights."""
        return text_digest(self.images.fingerprint, self.start.checksum)


Run = Context[SegmentConfig, Inputs]


def open_inputs(config: SegmentConfig, say: Callable[[str], object]) -> Inputs:
    """Load images, masks and initial weights."""
    images = load_masks(config.data, progress=say, earlier=reading_of(config))
    check_classes(images, "train", say)
    check_sizes(config, {name: len(part) for name, part in images.parts.items()}, config.data.source)
    find_watched(config.log_images, images.ids)
    start = InitialBackbone.of(config, images.channels, say)
    return Inputs(images, start)


def _example(config: SegmentConfig, inputs: Inputs) -> ExampleStep:
    example = example_step(config, inputs.start.backbone.name, inputs.start.backbone.stem)
    sizes = {name: len(part) for name, part in inputs.images.parts.items()}
    return replace(example, steps=steps_of(config, example, sizes))


# -- training
def build_task(context: Run) -> SegmentTask:
    """Build the task: the network with its encoder's weights loaded, its batches and its validation."""
    config, fabric, images = _tuned(context), context.fabric, context.inputs.images
    policy = SkipPolicy.of(config.skips)
    network = place(_network(context, policy), fabric.device)
    loader = Loader(
        images.parts["train"],
        config.batch_size,
        _batch_maker(context, network, policy),
        seed=config.seed,
        purpose="segment/order",
        # A rest of one or two images makes a poor step.
        drop_last=len(images.parts["train"]) >= config.batch_size,
        workers=resolve_workers(config.workers, fabric.device.type),
        rank=fabric.global_rank,
        world=fabric.world_size,
    )
    loss = build_loss(config.loss, _class_weights(context), processes=fabric if fabric.world_size > 1 else None)
    validate, keep = partial(_validate, context), _mask_keeper(context)
    return SegmentTask(network, config, loader, loss, validate, keep, partial(summed, fabric))


def _tuned(context: Run) -> SegmentConfig:
    """Return the configuration with the learning rate of `tune` that is best on validation."""
    config = context.config
    if not config.tune:
        return config

    def trial(lr: float, folder: Path) -> RunFolder:
        tried = at_rate(config, lr).model_copy(update={"log_images": (), "interventions": False, "logger": ()})
        return segment(tried, folder, resume=True, on_test=False, progress=context.report)

    return at_rate(config, choose_rate(context.run, config.tune, trial, VALIDATION, context.report.say))


def _network(context: Run, policy: SkipPolicy) -> Segmenter:
    config, start, backbone = context.config, context.inputs.start, context.inputs.start.backbone
    # A skip that comes back at evaluation stays in the network, and batches say that training goes without it.
    built = SkipPolicy() if config.skips.at_evaluation == "keep" and policy.mode == "zero" else policy
    classes = len(context.inputs.images.palette.classes)
    network = build_segmenter(
        config.model,
        backbone.name,
        classes,
        stem=backbone.stem,
        policy=built,
        seed=config.seed,
        in_chans=backbone.in_chans,
    )
    policy.dropped(skips_of(network))  # refuses a skip that the network does not have
    if config.init != "none":
        load_encoder(network, backbone.state_dict(), start.source)
    return network


def _batch_maker(context: Run, network: Segmenter, policy: SkipPolicy) -> Callable[[np.ndarray, int], SegmentBatch]:
    config, images, normalize = context.config, context.inputs.images, _normalizer(context)
    augment = JointCrop(config.crop, config.augment)
    skips, device = skips_of(network), context.fabric.device
    # What the network itself goes without, batches leave out.
    drops = policy.drop is not None and not policy_of(network).dropped(skips)

    def make(samples: np.ndarray, epoch: int) -> SegmentBatch:
        keys = sample_keys(config.seed, epoch, samples)
        seen, masks = augment([images.image(i) for i in samples], [images.mask(i) for i in samples], keys)
        keep_mask = policy.keep_mask(skips, config.seed, epoch, samples.tolist()) if drops else None
        return SegmentBatch(
            normalize(seen),
            torch.from_numpy(masks).to(device).long(),
            None if keep_mask is None else torch.from_numpy(keep_mask).to(device),
        )

    return make


def _normalizer(context: Run) -> Callable[[np.ndarray], Tensor]:
    return context.inputs.start.preprocessing.on(context.fabric.device)


def _class_weights(context: Run) -> list[float] | None:
    """Return weights of mean one, the inverse square roots of class shares in the training masks."""
    images = context.inputs.images
    if context.config.class_weights == "none":
        return None
    classes = len(images.palette.classes)
    counts = sum(np.bincount(images.mask(i).ravel(), minlength=256)[:classes] for i in images.parts["train"])
    fractions = np.maximum(np.asarray(counts) / max(1, np.sum(counts)), 1e-6)
    weights = fractions**-0.5
    return (weights / weights.mean()).tolist()


# -- evaluation
def _counts(context: Run, network: Segmenter, part: str, **options: Any) -> Counts:
    """Return what was counted on each tile of a part; options as of `count_tiles`."""
    images = context.inputs.images
    keep_mask = partial(keep_mask_at_evaluation, network, context.config)
    return count_tiles(
        _predictor(context, network), images, images.parts[part].tolist(), keep_mask=keep_mask, **options
    )


def _predictor(context: Run, network: Segmenter) -> Predictor:
    return Predictor(network, _normalizer(context), context.fabric)


def _validate(context: Run, network: Segmenter) -> Validation:
    images, keep_mask = context.inputs.images, partial(keep_mask_at_evaluation, network, context.config)

    def count(tiles: np.ndarray) -> np.ndarray:
        predictor = _predictor(context, network)
        return count_tiles(predictor, images, tiles.tolist(), keep_mask=keep_mask, boundaries=False).confusion

    confusion = shared_out(context.fabric, images.parts["val"], count).sum(axis=0)
    scores = segmentation.mean_iou(confusion)
    return Validation(scores.mean, {"mean_iou": scores.mean, "pixel_accuracy": scores.pixel_accuracy})


def _mask_keeper(context: Run) -> Callable[[int, Segmenter], None]:
    config, images = context.config, context.inputs.images
    chosen = find_watched(config.log_images, images.ids)
    keeper = MaskProgress(
        context.run,
        config.log_images,
        [images.image(i) for i in chosen],
        [images.mask(i) for i in chosen],
        MaskColors(names=images.palette.classes, colors=tuple(map(tuple, images.palette.colors.tolist()))),
        config.epochs,
        config.log_images_every,
    )

    def keep(epoch: int, network: Segmenter) -> None:
        if context.fabric.is_global_zero:
            predictor = _predictor(context, network)
            masks = partial(keeper.keep, epoch, lambda image: predictor.classes(np.stack([image]))[0])
            attempt(context.run, f"masks of epoch {epoch + 1}", masks, context.report.say)

    return keep


# -- the end
def _finish(context: Run, task: SegmentTask, seconds: float) -> None:
    """Write weights, split, counts of every test tile and the result; judge once on the test part."""
    network, images = task.use_best(), context.inputs.images
    _save(context, network)
    write_json(
        context.run.path / artifacts.SPLIT,
        {name: [images.ids[i] for i in part] for name, part in images.parts.items()} | images.named_scenes(),
    )
    keep_trained_on(context.run, images.image, images.parts["train"], images.parts["val"])
    test, drawn = images.parts[PART], list[bytes]()
    keep = lambda mask: drawn.append(palette_png(mask, images.palette.colors))  # noqa: E731
    counts = _counts(context, network, PART, seen=keep)
    context.run.write_predictions({"id": [images.ids[i] for i in test], "mask": drawn})
    scenes = None if images.scenes is None else [images.scenes[i] for i in test]
    arrays = {
        "counts": counts.confusion,
        "boundary": counts.boundary,
        "ids": np.array([images.ids[i] for i in test]),
    }
    if scenes is not None:
        arrays["scenes"] = np.array(scenes)
    context.run.write_arrays(artifacts.COUNTS, **arrays)
    context.run.finish(_result(context, task, counts, scenes), {"fit_seconds": seconds})


def _finish_trial(context: Run, task: SegmentTask, seconds: float) -> None:
    """Write what validation says of the best epoch: enough to choose a learning rate by."""
    counts = _counts(context, task.use_best(), "val")
    context.run.finish(_result(context, task, counts, None), {"fit_seconds": seconds})


def _result(context: Run, task: SegmentTask, counts: Counts, scenes: list[str] | None) -> SegmentResult:
    images, config, start = context.inputs.images, context.config, context.inputs.start
    parameters = sum(value.numel() for value in task.evaluated.parameters())
    return SegmentResult(
        **vars(describe_counts(counts, images.palette.classes, scenes)),
        classes=tuple(images.palette.classes),
        val_mean_iou=task.best.score,
        best_epoch=task.best.epoch + 1,
        lr=task.config.optim.lr,
        tuning=tuning_of(context.run, config.tune, VALIDATION),
        trained_on=len(images.parts["train"]),
        images_seen=task.steps_per_epoch * config.batch_size * config.epochs,
        parameters=parameters,
        network=Network(
            backbone=start.backbone.name, stem=start.backbone.stem, input_size=config.crop, parameters=parameters
        ),
        init=Init(source=start.source, matched=start.matched),
        bad_images=len(images.bad),
        interventions=None,
        split={name: len(part) for name, part in images.parts.items()},
        progress=(),
    )


def _extras(context: Run) -> list[Extra]:
    """Return what the run makes of its weights and of the masks it kept, once its result is written."""
    run, crop = context.run, context.config.crop

    @cache
    def network() -> Segmenter:
        return place(load_segmenter(run.path).segmenter, context.fabric.device).eval()

    def architecture() -> dict[str, Any]:
        describe(network(), crop, crop).write(run.path / artifacts.ARCHITECTURE)
        return {}

    def mask_history() -> dict[str, Any]:
        pictures = draw_progress(run)
        return {"progress": [str(path.relative_to(run.path)) for path in pictures]}

    return [
        Extra("architecture", architecture),
        Extra("mask history", mask_history),
        Extra("interventions", lambda: {"interventions": _intervene(context, network())}),
    ]


def _intervene(context: Run, network: Segmenter) -> str | None:
    """Write interventions.json and return its name; None where none are asked for, or none can be.

    On the validation part: what is learned here may well decide which skip the next network goes without, and the
    test part must not.
    """
    config, images = context.config, context.inputs.images
    if not config.interventions or not interventable(network):
        return None
    chosen = some_tiles(images.parts["val"], config.data.split_seed)
    effects = interventions(_predictor(context, network), images, chosen, part="val", seed=config.data.split_seed)
    effects.write(context.run.path / INTERVENTIONS)
    return INTERVENTIONS


def _save(context: Run, network: Segmenter) -> None:
    start, palette = context.inputs.start, context.inputs.images.palette
    save_segmenter(
        context.run,
        network,
        {
            "classes": list(palette.classes),
            "palette": palette.to_dict(),
            "image_size": context.config.data.image_size,
            "preprocessing": replace(start.preprocessing, input_size=None).to_dict(),
            "reading": context.inputs.images.reading.to_dict(),
        },
    )
