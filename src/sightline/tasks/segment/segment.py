"""`segment`: images with masks, a network, its skip connections; judged once on the test part."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from sightline.config import SegmentConfig
from sightline.data import Loader, SegmentImages, load_parts
from sightline.data.masks.formats import palette_png
from sightline.engine import (
    Progress,
    fit,
    make_fabric,
    make_progress,
    recorded_run,
    resolve_workers,
    settle_precision,
)
from sightline.files import text_digest
from sightline.files.atomic import write_json
from sightline.metrics import segmentation
from sightline.models.cpu import place
from sightline.models.initial import InitialBackbone, initial_backbone
from sightline.models.segmentation import (
    Segmenter,
    SkipPolicy,
    build_segmenter,
    describe,
    load_encoder,
    policy_of,
    save_segmenter,
    skips_of,
)
from sightline.randomness import sample_keys
from sightline.runs import RunFolder, artifacts
from sightline.runs.artifacts import INTERVENTIONS
from sightline.runs.results import SegmentResult
from sightline.tasks.segment.counts import Counts, count_tiles, describe_counts, kept_at_evaluation
from sightline.tasks.segment.example_step import example_step
from sightline.tasks.segment.interventions import interventable, interventions, some_tiles
from sightline.tasks.segment.losses import build_loss
from sightline.tasks.segment.predictor import Predictor
from sightline.tasks.segment.progress import MaskProgress, draw_progress, find_watched
from sightline.tasks.segment.task import SegmentBatch, SegmentTask, Validation
from sightline.views import JointCrop

PART = "test"  # judged once, at the end


def segment(config: SegmentConfig, out: Path, *, resume: bool = False, progress: Progress | None = None) -> RunFolder:
    """Train and judge a segmentation network.

    Args:
        config: what to do, fully resolved.
        out: the run folder, new, or with `resume` one of the same configuration and data.
        resume: go on from the checkpoint; a finished run is returned as it is.
        progress: where to report; the terminal by default.

    Returns:
        The finished run: test mean IoU with interval, per class, counts of every test tile, masks of watched images.

    Raises:
        DataError: no masks, or masks that do not fit their images.
        ConfigError: no such network, skip or watched image.
        NotAvailable: the reference weights cannot be had now.
        WeightsError: the weights do not fit the encoder.
    """
    report = progress or make_progress()
    images = load_parts(config.data, progress=report.say)
    start = initial_backbone(
        config.init,
        config.backbone,
        config.stem,
        config.seed,
        reference=config.reference,
        network=config.network,
    )
    config, precision = settle_precision(config, out, example_step(config, start.backbone), report.say)
    fabric = make_fabric(config)
    notes = {"precision": precision.to_dict()}
    fingerprint = text_digest(images.fingerprint, start.checksum)
    with recorded_run(fabric, out, config, kind="segment", fingerprint=fingerprint, resume=resume, notes=notes) as run:
        if not run.is_done:
            job = Job.open(config, run, images, start, fabric)
            task = job.task()
            seconds = fit(task, run, config, epochs=config.epochs, fabric=fabric, progress=report)
            if fabric.is_global_zero:
                job.finish(task, seconds)
            fabric.barrier()
    return run


@dataclass(frozen=True)
class Job:
    """Everything one segmentation run is made of."""

    config: SegmentConfig
    run: RunFolder
    images: SegmentImages
    start: InitialBackbone
    policy: SkipPolicy
    network: Segmenter
    fabric: Fabric

    @classmethod
    def open(
        cls, config: SegmentConfig, run: RunFolder, images: SegmentImages, start: InitialBackbone, fabric: Fabric
    ) -> Job:
        """Build the network, its encoder's weights loaded."""
        backbone = start.backbone
        policy = SkipPolicy.of(config.skips)
        # A skip that comes back at evaluation stays in the network, and batches say that training goes without it.
        built = SkipPolicy() if config.skips.at_evaluation == "keep" and policy.mode == "zero" else policy
        classes = len(images.palette.classes)
        network = build_segmenter(
            config.model, backbone.name, classes, stem=backbone.stem, policy=built, seed=config.seed
        )
        policy.dropped(skips_of(network))  # refuses a skip that the network does not have
        if config.init != "none":
            load_encoder(network, backbone.state_dict(), start.source)
        return cls(config, run, images, start, policy, place(network, fabric.device), fabric)

    def task(self) -> SegmentTask:
        """Build the task."""
        config, fabric = self.config, self.fabric
        loader = Loader(
            self.images.parts["train"],
            config.batch_size,
            self._batch_maker(),
            seed=config.seed,
            purpose="segment/order",
            drop_last=len(self.images.parts["train"]) >= config.batch_size,  # a rest of one or two makes a poor step
            workers=resolve_workers(config.workers, fabric.device.type),
            rank=fabric.global_rank,
            world=fabric.world_size,
        )
        loss = build_loss(config.loss, self._class_weights())
        return SegmentTask(self.network, config, loader, loss, self._validate, self._progress())

    def _batch_maker(self):
        config, images, policy = self.config, self.images, self.policy
        to_tensor = self.start.preprocessing.on(self.fabric.device)
        augment = JointCrop(config.crop, config.augment)
        skips, device = skips_of(self.network), self.fabric.device
        # What the network itself goes without, batches leave out.
        drops = policy.drop is not None and not policy_of(self.network).dropped(skips)

        def make(samples: np.ndarray, epoch: int) -> SegmentBatch:
            keys = sample_keys(config.seed, epoch, samples)
            seen, masks = augment([images.image(i) for i in samples], [images.mask(i) for i in samples], keys)
            kept = policy.kept(skips, config.seed, epoch, samples.tolist()) if drops else None
            return SegmentBatch(
                to_tensor(seen),
                torch.from_numpy(masks).to(device).long(),
                None if kept is None else torch.from_numpy(kept).to(device),
            )

        return make

    def _class_weights(self) -> list[float] | None:
        """Return weights of mean one, the inverse square roots of class shares in the training masks."""
        if self.config.class_weights == "none":
            return None
        classes = len(self.images.palette.classes)
        counts = sum(
            np.bincount(self.images.mask(i).ravel(), minlength=256)[:classes] for i in self.images.parts["train"]
        )
        shares = np.maximum(np.asarray(counts) / max(1, np.sum(counts)), 1e-6)
        weights = shares**-0.5
        return (weights / weights.mean()).tolist()

    # -- judging
    def counts(self, network: Segmenter, part: str, **options: Any) -> Counts:
        """Return what was counted on each tile of a part; options as of `count_tiles`."""
        kept, indices = partial(kept_at_evaluation, network, self.config), self.images.parts[part].tolist()
        return count_tiles(self._predictor(network), self.images, indices, kept=kept, **options)

    def _predictor(self, network: Segmenter) -> Predictor:
        return Predictor(network, self.start.preprocessing.on(self.fabric.device), self.fabric)

    def _validate(self, network: Segmenter) -> Validation:
        found = segmentation.mean_iou(self.counts(network, "val", boundaries=False).confusion.sum(axis=0))
        return Validation(found.mean, {"mean_iou": found.mean, "pixel_accuracy": found.pixel_accuracy})

    def _progress(self):
        config, images = self.config, self.images
        chosen = find_watched(config.watch, images.ids)
        keeper = MaskProgress(
            self.run.path / artifacts.PROGRESS,
            config.watch,
            [images.image(i) for i in chosen],
            [images.mask(i) for i in chosen],
            {"names": list(images.palette.classes), "colours": images.palette.colours.tolist()},
            config.epochs,
            config.watch_every,
        )

        def keep(epoch: int, network: Segmenter) -> None:
            if self.fabric.is_global_zero:
                predictor = self._predictor(network)
                keeper.keep(epoch, lambda image: predictor.classes(np.stack([image]))[0])

        return keep

    # -- the end
    def finish(self, task: SegmentTask, seconds: float) -> None:
        """Write weights, split, counts of every test tile and the result; judge once on the test part."""
        network = task.use_best()
        images, config = self.images, self.config
        self._save(network)
        write_json(self.run.path / artifacts.ARCHITECTURE, asdict(describe(network, config.crop, config.crop)))
        write_json(
            self.run.path / artifacts.SPLIT,
            {name: [images.ids[i] for i in part] for name, part in images.parts.items()} | images.named_scenes(),
        )
        test, drawn = images.parts[PART], list[bytes]()
        keep = lambda mask: drawn.append(palette_png(mask, images.palette.colours))  # noqa: E731
        counts = self.counts(network, PART, seen=keep)
        self.run.write_predictions({"id": [images.ids[i] for i in test], "mask": drawn})
        scenes = None if images.scenes is None else [images.scenes[i] for i in test]
        arrays = {
            "counts": counts.confusion,
            "boundary": counts.boundary,
            "ids": np.array([images.ids[i] for i in test]),
        }
        if scenes is not None:
            arrays["scenes"] = np.array(scenes)
        self.run.write_arrays(artifacts.COUNTS, **arrays)
        watched = draw_progress(self.run.path / artifacts.PROGRESS)
        result = {
            "classes": list(images.palette.classes),
            **describe_counts(counts, images.palette.classes, scenes),
            "val_mean_iou": task.best_mean_iou,
            "best_epoch": task.best_epoch + 1,
            "trained_on": len(images.parts["train"]),
            "images_seen": task.steps_per_epoch * config.batch_size * config.epochs,
            "parameters": sum(value.numel() for value in network.parameters()),
            "init": {"source": self.start.source, "matched": self.start.matched},
            "bad_images": len(images.bad),
            "interventions": self._intervene(network),
            "split": {name: len(part) for name, part in images.parts.items()},
            "progress": [str(path.relative_to(self.run.path)) for path in watched],
        }
        self.run.finish(SegmentResult.from_dict(result).to_dict(), {"fit_seconds": seconds})

    def _intervene(self, network: Segmenter) -> str | None:
        """Write interventions.json and return its name; None where none are asked for, or none can be.

        On the validation part: what is learned here may well decide which skip the next network goes without, and the
        test part must not.
        """
        if not self.config.interventions or not interventable(network):
            return None
        images = self.images
        chosen = some_tiles(images.parts["val"], self.config.data.split_seed)
        found = interventions(self._predictor(network), images, chosen, seed=self.config.data.split_seed)
        write_json(self.run.path / INTERVENTIONS, {"part": "val", **found})
        return INTERVENTIONS

    def _save(self, network: Segmenter) -> None:
        palette = self.images.palette
        save_segmenter(
            self.run,
            network,
            {
                "classes": list(palette.classes),
                "palette": palette.to_dict(),
                "image_size": self.config.data.image_size,
                "preprocessing": replace(self.start.preprocessing, input_size=None).to_dict(),
            },
        )
