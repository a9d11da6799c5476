"""`classify`: a labelled data set, weights from somewhere, all trained or the backbone frozen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from sightline.config import ClassifyConfig
from sightline.data import Images, Loader, Split, load_images, split
from sightline.engine import (
    Progress,
    fit,
    make_fabric,
    make_progress,
    recorded_run,
    resolve_workers,
    settle_precision,
)
from sightline.errors import DataError
from sightline.files import text_digest
from sightline.files.atomic import write_json
from sightline.metrics import statistics
from sightline.models import (
    Backbone,
    Classifier,
    InitialBackbone,
    LinearHead,
    initial_backbone,
    save_model,
)
from sightline.models.cpu import place
from sightline.models.features import extract_features
from sightline.randomness import generator
from sightline.runs import RunFolder
from sightline.runs.artifacts import FEATURES, SPLIT
from sightline.runs.results import ClassifyResult
from sightline.tasks.classify.example_step import example_step
from sightline.tasks.classify.inputs import FeatureInputs, ImageInputs
from sightline.tasks.classify.task import ClassifyTask, FrozenBackbone


def classify(
    config: ClassifyConfig, out: Path, *, resume: bool = False, on_test: bool = True, progress: Progress | None = None
) -> RunFolder:
    """Train and judge a classifier in one setting.

    Args:
        config: what to do, fully resolved.
        out: the run folder, new, or with `resume` one of the same configuration and data.
        resume: go on from the checkpoint; a finished run is returned as it is.
        on_test: use the test split, once, at the end; trials of a tuning do not.
        progress: where to report; the terminal by default.

    Returns:
        The finished run: test accuracy with interval, per class, and predictions.parquet.

    Raises:
        DataError: images without labels, or a split without one of the classes.
        NotAvailable: the reference weights cannot be had now.
        WeightsError: the weights do not fit.
    """
    report = progress or make_progress()
    if config.tune:
        config = _tuned(config, out, report)
    images = load_images(config.data, progress=report.say)
    if not images.listing.classes:
        raise DataError(
            f"{config.data.source}: these images carry no labels; point at class folders or a CSV id,filename,label"
        )
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
    fingerprint = text_digest(images.listing.fingerprint, start.checksum)
    notes = {"precision": precision.to_dict()}
    with recorded_run(fabric, out, config, kind="classify", fingerprint=fingerprint, resume=resume, notes=notes) as run:
        if not run.is_done:
            job = _Job.open(config, run, images, start, fabric)
            task = job.task(report)
            seconds = fit(task, run, config, epochs=config.epochs, fabric=fabric, progress=report)
            if fabric.is_global_zero:
                job.finish(task, seconds, on_test)
            fabric.barrier()
    return run


def labelled_part(train: np.ndarray, labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return a stratified share of the training indices, at least one a class; smaller shares are subsets."""
    if share >= 1:
        return train
    chosen = []
    for label in np.unique(labels[train]):
        members = train[labels[train] == label]
        order = generator(seed, "classify/labels", sample=int(label)).permutation(len(members))
        chosen.append(members[order[: max(1, round(share * len(members)))]])
    return np.sort(np.concatenate(chosen))


@dataclass(frozen=True)
class _Job:
    """Everything one classification run is made of."""

    config: ClassifyConfig
    run: RunFolder
    images: Images
    parts: Split
    train: np.ndarray
    start: InitialBackbone
    backbone: Backbone
    head: nn.Module
    fabric: Fabric

    @classmethod
    def open(
        cls, config: ClassifyConfig, run: RunFolder, images: Images, start: InitialBackbone, fabric: Fabric
    ) -> _Job:
        listing = images.listing
        parts = split(listing, config.data.split)
        train = labelled_part(parts.train, listing.labels, config.labels, config.data.split.seed)
        backbone = place(start.backbone, fabric.device)
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            head = LinearHead(backbone.dim, len(listing.classes)).to(fabric.device)
        return cls(config, run, images, parts, train, start, backbone, head, fabric)

    def task(self, report: Progress) -> ClassifyTask:
        """Build the task: the head alone on cached features, or the whole model on images."""
        config, fabric = self.config, self.fabric
        inputs = images = ImageInputs(config, self.images, self.start.preprocessing, fabric.device)
        cached = config.freeze and config.feature_cache
        if cached:
            report.say(f"{self.run.path.name}: computing frozen features once")
            rest = np.concatenate([self.parts.val, self.parts.test])
            inputs = FeatureInputs(config, self.backbone, images, self.train, rest, fabric)
            model = self.head
        else:
            model = Classifier(FrozenBackbone(self.backbone) if config.freeze else self.backbone, self.head)
        labels = torch.from_numpy(self.images.listing.labels).to(fabric.device)

        def batch(samples: np.ndarray, epoch: int) -> tuple[Tensor, Tensor]:
            return inputs.augmented(samples, epoch), labels[torch.from_numpy(samples).to(fabric.device)]

        loader = Loader(
            self.train,
            config.batch_size,
            batch,
            seed=config.seed,
            purpose="classify/order",
            workers=0
            if cached
            else resolve_workers(
                config.workers, fabric.device.type
            ),  # features in memory are indexed faster than handed over
            rank=fabric.global_rank,
            world=fabric.world_size,
        )

        def keep(epoch: int) -> None:
            self._keep_features(epoch, images)

        labels_by_sample = self.images.listing.labels
        return ClassifyTask(model, config, loader, inputs.plain, labels_by_sample, self.parts.val, fabric, keep)

    def _keep_features(self, epoch: int, inputs: ImageInputs) -> None:
        """Write penultimate features of some training samples, features/first.npz and features/last.npz."""
        config, stages = self.config, {self.config.epochs - 1: "last", 0: "first"}
        if not config.keep_features or epoch not in stages or not self.fabric.is_global_zero:
            return
        order = generator(config.data.split.seed, "classify/kept").permutation(len(self.train))
        chosen = np.sort(self.train[order[: config.keep_features]])
        features = extract_features(self.backbone, inputs.plain, chosen, self.fabric)
        listing = self.images.listing
        ids = np.array([listing.ids[i] for i in chosen])
        arrays = {"features": features, "labels": listing.labels[chosen], "ids": ids}
        self.run.write_arrays(FEATURES[stages[epoch]], compressed=False, **arrays, epoch=epoch + 1)

    def finish(self, task: ClassifyTask, seconds: float, on_test: bool) -> None:
        """Write weights, split and result; evaluate once on the test split."""
        task.use_best()
        config, listing = self.config, self.images.listing
        self._save_weights()
        write_json(self.run.path / SPLIT, self.parts.to_dict())
        result = {
            "val_accuracy": task.best_accuracy,
            "best_epoch": task.best_epoch + 1,
            "trained_on": len(self.train),
            "images_seen": len(self.train) * config.epochs,
            "lr": config.optim.lr,
            "init": {"source": self.start.source, "matched": self.start.matched},
            "bad_images": len(listing.bad),
            "split": {name: len(ids) for name, ids in self.parts.to_dict().items()},
        }
        result = ClassifyResult.from_dict(result | (self._test_scores(task) if on_test else {}))
        self.run.finish(result.to_dict(), {"fit_seconds": seconds})

    def _test_scores(self, task: ClassifyTask) -> dict[str, object]:
        listing, test = self.images.listing, self.parts.test
        probabilities = task.probabilities(test)
        labels, predicted = listing.labels[test], probabilities.argmax(axis=1)
        correct = predicted == labels
        self.run.write_predictions(
            {
                "id": [listing.ids[i] for i in test],
                "label": [listing.classes[i] for i in labels],
                "predicted": [listing.classes[i] for i in predicted],
                "probability": probabilities.max(axis=1),
                "correct": correct,
            }
        )
        low, high = statistics.wilson(int(correct.sum()), len(correct))
        per_class = {
            name: {"accuracy": float(correct[labels == i].mean()), "n": int((labels == i).sum())}
            for i, name in enumerate(listing.classes)
            if (labels == i).any()
        }
        accuracy = {"value": float(correct.mean()), "low": low, "high": high, "n": len(correct)}
        return {"accuracy": accuracy, "per_class": per_class}

    def _save_weights(self) -> None:
        state = Classifier(self.backbone, self.head).state_dict()
        description = {
            "kind": "classifier",
            "backbone": self.backbone.name,
            "stem": self.backbone.stem,
            "dim": self.backbone.dim,
            "classes": list(self.images.listing.classes),
            "image_size": self.config.data.image_size,
            "preprocessing": replace(self.start.preprocessing, input_size=self.config.input_size).to_dict(),
        }
        save_model(self.run, state, description)


def _tuned(config: ClassifyConfig, out: Path, report: Progress) -> ClassifyConfig:
    """Train once for each learning rate of `tune`, and return `config` with the one best on validation."""
    scores: dict[float, float] = {}
    for lr in config.tune:
        trial = _with_lr(config, lr).model_copy(update={"keep_features": 0})
        run = classify(
            trial, out.with_name(f"{out.name}-tune") / f"lr-{lr:g}", resume=True, on_test=False, progress=report
        )
        scores[lr] = run.result()["val_accuracy"]
    best = max(scores, key=lambda lr: scores[lr])
    tried = ", ".join(f"{lr:g}: {score:.3f}" for lr, score in scores.items())
    report.say(f"{out.name}: learning rate {best:g} is best on validation of {tried}")
    return _with_lr(config, best)


def _with_lr(config: ClassifyConfig, lr: float) -> ClassifyConfig:
    return config.model_copy(update={"optim": config.optim.model_copy(update={"lr": lr}), "tune": ()})
