"""`classify`: train a classifier on a labelled data set, from any weights, wholly or in part."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sightline.config import ClassifyConfig, at_rate
from sightline.data import Images, Loader, Split, load_images, split
from sightline.data.copies.seen import keep_trained_on
from sightline.engine import (
    Context,
    Progress,
    attempt,
    check_sizes,
    choose_rate,
    make_progress,
    record,
    resolve_workers,
    train,
    tuning_of,
)
from sightline.engine.example import ExampleStep
from sightline.errors import DataError
from sightline.files import text_digest
from sightline.files.atomic import atomic_path, write_json
from sightline.models import Backbone, Classifier, InitialBackbone, LinearHead, reading_of, save_model
from sightline.models.batch_norm import use_any_batch_norm
from sightline.models.cpu import place
from sightline.models.features import extract_features
from sightline.models.freezing import freeze, is_frozen
from sightline.randomness import generator
from sightline.runs import RunFolder
from sightline.runs.artifacts import FEATURES, SPLIT
from sightline.runs.results import ClassifyResult, Init, Network
from sightline.tasks.classify.example_step import example_step, steps_of
from sightline.tasks.classify.inputs import FeatureInputs, ImageInputs
from sightline.tasks.classify.linear import PENALTIES, fit_linear
from sightline.tasks.classify.scores import Judged, judge_on_test
from sightline.tasks.classify.task import ClassifyTask

VALIDATION = "val_accuracy"  # of result.json: by which a learning rate is chosen


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
    if config.fits_head:
        report = progress or make_progress()
        inputs = _open_inputs(config, report.say)
        work = partial(_fit_head, on_test=on_test)
        return record(config, out, inputs, work, resume=resume, progress=report)
    return train(
        config,
        out,
        inputs=_open_inputs,
        example=_example,
        build_task=_build_task,
        finish=partial(_finish, on_test=on_test),
        resume=resume,
        progress=progress,
    )


@dataclass(frozen=True)
class Inputs:
    """Labelled images, how they are split, and the backbone to begin with.

    Attributes:
        images: all of them.
        parts: sample indices of training, validation and test.
        train: those of the training part whose labels are used.
        start: the backbone.
    """

    images: Images
    parts: Split
    train: np.ndarray
    start: InitialBackbone

    @property
    def fingerprint(self) -> str:
        """A digest of images, parts and weights: a split file is part of the data, whatever its path."""
        parts = json.dumps(self.parts.to_dict())
        return text_digest(self.images.listing.fingerprint, parts, self.start.checksum)


Run = Context[ClassifyConfig, Inputs]


def _open_inputs(config: ClassifyConfig, say: Callable[[str], object]) -> Inputs:
    images = load_images(config.data, progress=say, earlier=reading_of(config))
    listing = images.listing
    if not listing.classes:
        why = listing.unclear or f"layout {config.data.layout}"
        raise DataError(
            f"{config.data.source}: these images carry no labels ({why}); "
            "point at class folders, CLASS/image, or a CSV id,filename,label"
        )
    parts = split(listing, config.data.split, config.data.split_file)
    seed = config.data.split.seed
    train = labelled_part(parts.train, listing.labels, config.label_fraction, seed, config.label_draw)
    if len(listing.classes) < 2:
        raise DataError(
            f"{config.data.source}: all images are of one class, {', '.join(listing.classes)}; a classifier needs two"
        )
    sizes = {"train": len(train), "val": len(parts.val), "test": len(parts.test)}
    check_sizes(config, sizes, config.data.source)
    start = InitialBackbone.of(config, images.channels, say)
    return Inputs(images, parts, train, start)


def labelled_part(train: np.ndarray, labels: np.ndarray, fraction: float, seed: int, draw: int = 0) -> np.ndarray:
    """Return a stratified fraction of the training indices, at least one a class; smaller ones of a draw are parts."""
    if fraction >= 1:
        return train
    chosen = []
    for label in np.unique(labels[train]):
        members = train[labels[train] == label]
        order = generator(seed, "classify/labels", epoch=draw, sample=int(label)).permutation(len(members))
        chosen.append(members[order[: max(1, round(fraction * len(members)))]])
    return np.sort(np.concatenate(chosen))


def _example(config: ClassifyConfig, inputs: Inputs) -> ExampleStep:
    example = example_step(config, inputs.start.backbone.name, inputs.start.backbone.stem)
    steps = steps_of(config, example, len(inputs.train), len(inputs.parts.val), len(inputs.parts.test))
    return replace(example, steps=steps)


def _build_task(context: Run) -> ClassifyTask:
    """Build the task: the head alone on cached features, or the whole model on images."""
    config, inputs, fabric = _tuned(context), context.inputs, context.fabric
    backbone = place(use_any_batch_norm(inputs.start.backbone), fabric.device)
    freeze(backbone, config.train)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        head = LinearHead(backbone.dim, len(inputs.images.listing.classes)).to(fabric.device)
    pictures = ImageInputs(config, inputs.images, inputs.start.preprocessing, fabric.device)
    cached = is_frozen(backbone) and config.feature_cache
    model = network = Classifier(backbone, head)
    source = pictures
    if cached:
        context.report.say(f"{context.run.path.name}: computing frozen features once")
        rest = np.concatenate([inputs.parts.val, inputs.parts.test])
        source = FeatureInputs(config, backbone, pictures, inputs.train, rest, fabric)
        model = head
    return ClassifyTask(
        model,
        network,
        config,
        _loader(context, source, cached),
        source.plain,
        inputs.images.listing.labels,
        inputs.parts.val,
        fabric,
        lambda epoch: _keep_features(context, backbone, (epoch,), pictures),
    )


def _loader(context: Run, source: ImageInputs | FeatureInputs, cached: bool) -> Loader[tuple[Tensor, Tensor]]:
    config, fabric = context.config, context.fabric
    labels = torch.from_numpy(context.inputs.images.listing.labels).to(fabric.device)

    def batch(samples: np.ndarray, epoch: int) -> tuple[Tensor, Tensor]:
        return source.augmented(samples, epoch), labels[torch.from_numpy(samples).to(fabric.device)]

    # Features in memory are indexed faster than handed over from another thread.
    workers = 0 if cached else resolve_workers(config.workers, fabric.device.type)
    return Loader(
        context.inputs.train,
        config.batch_size,
        batch,
        seed=config.seed,
        purpose="classify/order",
        workers=workers,
        rank=fabric.global_rank,
        world=fabric.world_size,
    )


def _keep_features(context: Run, backbone: Backbone, epochs: Sequence[int], pictures: ImageInputs) -> None:
    """Write penultimate features of some training samples, features/first.npz and features/last.npz.

    Args:
        epochs: at whose ends the backbone is as it is now, from 0; only the first and the last are kept.
    """
    config, train, listing = context.config, context.inputs.train, context.inputs.images.listing
    names = {config.epochs - 1: "last", 0: "first"}
    stages = {names[epoch]: epoch for epoch in epochs if epoch in names}
    if not config.keep_features or not stages or not context.fabric.is_global_zero:
        return
    order = generator(config.data.split.seed, "classify/kept").permutation(len(train))
    chosen = np.sort(train[order[: config.keep_features]])

    def keep() -> None:
        features = extract_features(backbone, pictures.plain, chosen, context.fabric)
        ids = np.array([listing.ids[i] for i in chosen])
        styles = np.array([listing.samples[i].style for i in chosen])
        arrays = {"features": features, "labels": listing.labels[chosen], "ids": ids, "styles": styles}
        for stage, epoch in stages.items():
            context.run.write_arrays(FEATURES[stage], compressed=False, **arrays, epoch=epoch + 1)

    attempt(context.run, f"features of the {' and '.join(stages)} epoch", keep, context.report.say)


# -- the end
@dataclass(frozen=True)
class Trained:
    """What training gave.

    Attributes:
        network: images → logits.
        probabilities: sample indices → class probabilities, float32 (N, classes).
        val_accuracy: by which it was chosen.
        images_seen: with repetition.
        best_epoch: counted from 1; None where there are none.
        lr: learning rate; None likewise.
        penalty: of L-BFGS.
    """

    network: Classifier
    probabilities: Callable[[np.ndarray], np.ndarray]
    val_accuracy: float
    images_seen: int
    best_epoch: int | None = None
    lr: float | None = None
    penalty: float | None = None


def _finish(context: Run, task: ClassifyTask, seconds: float, on_test: bool) -> None:
    """Take the best epoch of a training and judge it."""
    task.use_best()
    trained = Trained(
        network=task.network,
        probabilities=task.probabilities,
        val_accuracy=task.best.score,
        images_seen=len(context.inputs.train) * task.config.epochs,
        best_epoch=task.best.epoch + 1,
        lr=task.config.optim.lr,
    )
    _judge(context, trained, seconds, on_test)


def _judge(context: Run, trained: Trained, seconds: float, on_test: bool) -> None:
    """Write weights, split and result; evaluate once on the test split."""
    inputs, run = context.inputs, context.run
    _save_weights(context, trained.network)
    write_json(run.path / SPLIT, inputs.parts.to_dict())
    if on_test:
        keep_trained_on(run, inputs.images.__getitem__, inputs.train, inputs.parts.val)
    judged = (
        judge_on_test(run, inputs.images.listing, inputs.parts.test, trained.probabilities) if on_test else Judged()
    )
    result = ClassifyResult(
        val_accuracy=trained.val_accuracy,
        best_epoch=trained.best_epoch,
        trained_on=len(inputs.train),
        images_seen=trained.images_seen,
        lr=trained.lr,
        tuning=tuning_of(run, context.config.tune, VALIDATION),
        penalty=trained.penalty,
        init=Init(source=inputs.start.source, matched=inputs.start.matched),
        bad_images=len(inputs.images.listing.bad),
        split={name: len(ids) for name, ids in inputs.parts.to_dict().items()},
        accuracy=judged.accuracy,
        per_class=judged.per_class,
        scores=judged.scores,
        network=Network(
            backbone=inputs.start.backbone.name, stem=inputs.start.backbone.stem,
            input_size=context.config.input_size,
            parameters=sum(value.numel() for value in trained.network.parameters()),
        ),
    )  # fmt: skip
    run.finish(result, {"fit_seconds": seconds})


def _save_weights(context: Run, network: Classifier) -> None:
    config, start = context.config, context.inputs.start
    backbone = start.backbone
    description = {
        "kind": "classifier",
        "backbone": backbone.name,
        "stem": backbone.stem,
        "dim": backbone.dim,
        "in_chans": backbone.in_chans,
        "classes": list(context.inputs.images.listing.classes),
        "image_size": config.data.image_size,
        "preprocessing": replace(start.preprocessing, input_size=config.input_size).to_dict(),
        "reading": context.inputs.images.reading.to_dict(),
    }
    save_model(context.run, network.state_dict(), description)


# -- a head at its optimum
def _fit_head(context: Run, on_test: bool) -> None:
    """Compute features once, fit the head on them, and judge it. Of several processes the first does."""
    if not context.fabric.is_global_zero:
        return
    begin = time.perf_counter()
    config, inputs, fabric, name = context.config, context.inputs, context.fabric, context.run.path.name
    backbone = place(use_any_batch_norm(inputs.start.backbone), fabric.device)
    freeze(backbone, config.train)
    pictures = ImageInputs(config, inputs.images, inputs.start.preprocessing, fabric.device)
    labels, val = inputs.images.listing.labels, inputs.parts.val
    features_of = frozen_features(context, backbone, pictures)
    features, val_features = features_of(inputs.train), features_of(val)
    views = range(config.head_views if config.augment != "none" else 0)
    for view in views:
        context.report.say(f"{name}: computing features of augmented view {view + 1} of {len(views)}")
        augmented = extract_features(backbone, lambda ids, v=view: pictures.augmented(ids, v), inputs.train, fabric)
        features = np.concatenate([features, augmented])
    train_labels = np.tile(labels[inputs.train], 1 + len(views))
    context.report.say(f"{name}: fitting the head by L-BFGS under {len(PENALTIES)} penalties")
    classes = len(inputs.images.listing.classes)
    fit = fit_linear(features, train_labels, val_features, labels[val], classes)
    if not fit.converged:
        context.report.say(f"! {name}: L-BFGS did not reach its tolerance under the penalty {fit.penalty:.3g}")
    head = LinearHead(backbone.dim, classes).to(fabric.device)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(fit.weight))
        head.bias.copy_(torch.from_numpy(fit.bias))
    _keep_features(context, backbone, (0, config.epochs - 1), pictures)  # frozen features are the same at both
    seconds = time.perf_counter() - begin

    def probabilities(samples: np.ndarray) -> np.ndarray:
        logits = features_of(samples) @ fit.weight.T + fit.bias
        return torch.from_numpy(logits).softmax(dim=1).numpy()

    values = {"val/accuracy": fit.val_accuracy}
    context.run.truncate_metrics(0)
    context.run.append_metrics(step=1, epoch=1, values=values)
    network = Classifier(backbone, head)
    trained = Trained(network, probabilities, fit.val_accuracy, len(inputs.train), penalty=fit.penalty)
    _judge(context, trained, seconds, on_test)


def frozen_features(context: Run, backbone: Backbone, pictures: ImageInputs) -> Callable[[np.ndarray], np.ndarray]:
    """Return sample indices → features of the plain images, float32 (N, dim).

    With `shared_features` those of all images are computed once and kept in a file that is named by all they depend
    on; random weights, which every seed has its own of, are not shared.
    """
    config, inputs, report, name = context.config, context.inputs, context.report, context.run.path.name

    def extract(samples: np.ndarray) -> np.ndarray:
        report.say(f"{name}: computing features of {len(samples)} images once")
        return extract_features(backbone, pictures.plain, samples, context.fabric)

    if not config.shared_features or not inputs.start.checksum:
        return extract
    settings = [config.data.to_dict(), config.input_size, inputs.start.preprocessing.to_dict(), config.precision]
    key = text_digest(inputs.images.listing.fingerprint, inputs.start.checksum, json.dumps(settings))
    path = Path(config.shared_features) / f"{key}.npy"
    if not path.is_file():
        features = extract(np.arange(len(inputs.images)))
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, features)
    table = np.load(path, mmap_mode="r", allow_pickle=False)
    return lambda samples: np.asarray(table[samples])


# -- the learning rate
def _tuned(context: Run) -> ClassifyConfig:
    """Return the configuration with the learning rate of `tune` that is best on validation."""
    config = context.config
    if not config.tune:
        return config

    def trial(lr: float, folder: Path) -> RunFolder:
        tried = at_rate(config, lr).model_copy(update={"keep_features": 0, "logger": ()})
        return classify(tried, folder, resume=True, on_test=False, progress=context.report)

    return at_rate(config, choose_rate(context.run, config.tune, trial, VALIDATION, context.report.say))
