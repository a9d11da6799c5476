"""`pretrain`: from unlabelled images to a backbone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lightning_fabric import Fabric
from torch import Tensor

from sightline.config import PretrainConfig
from sightline.data import Images, Loader, load_images
from sightline.engine import Context, Progress, resolve_workers, train
from sightline.errors import ConfigError, DataError
from sightline.metrics.features import feature_std, knn_accuracy, rankme
from sightline.models import Backbone, initial_backbone, save_model
from sightline.models.features import extract_features
from sightline.randomness import permutation
from sightline.runs import RunFolder
from sightline.runs.results import PretrainResult
from sightline.tasks.dino.example_step import example_step
from sightline.tasks.dino.report import method_report
from sightline.tasks.dino.task import DinoTask, Evaluation, make_crops
from sightline.views import MultiCrop, Resize
from sightline.views.device import DeviceMultiCrop, Preprocessing

HEALTH_IMAGES = 1024  # twice the widest feature of a ResNet-18: RankMe is bounded by min(images, dim)
MONITOR_IMAGES = 5000  # leave-one-out k-NN over these takes a second


def pretrain(config: PretrainConfig, out: Path, *, resume: bool = False, progress: Progress | None = None) -> RunFolder:
    """Pretrain a backbone with DINO.

    Args:
        config: what to do, fully resolved.
        out: the run folder, new, or with `resume` one of the same configuration and data.
        resume: go on from the checkpoint; a finished run is returned as it is.
        progress: where to report; the terminal by default.

    Returns:
        The finished run; its weights are the teacher's backbone.

    Raises:
        DataError: too few images for one batch, or too many unreadable ones.
        RunError: `out` holds another run.
        NonFinite: the loss diverged.
    """
    return train(
        config,
        out,
        inputs=_open_inputs,
        example=lambda config, inputs: example_step(config),
        build_task=build_task,
        finish=_finish,
        notes={"method": method_report(config).to_dict()},
        resume=resume,
        progress=progress,
    )


@dataclass(frozen=True)
class Inputs:
    """Images without labels."""

    images: Images

    @property
    def fingerprint(self) -> str:
        """A digest of the images."""
        return self.images.listing.fingerprint


def _open_inputs(config: PretrainConfig, say: Callable[[str], object]) -> Inputs:
    images = load_images(config.data, progress=say)
    _check_size(config, len(images))
    return Inputs(images)


def build_task(context: Context[PretrainConfig, Inputs]) -> DinoTask:
    """Return the task as `pretrain` runs it, with its evaluation."""
    config, images, fabric = context.config, context.inputs.images, context.fabric
    return make_task(config, images, fabric, _evaluation(config, images, fabric))


def make_task(config: PretrainConfig, images: Images, fabric: Fabric, evaluation: Evaluation) -> DinoTask:
    """Return the task of `config` on `images`, as `pretrain` runs it."""
    return DinoTask(_initial_backbone(config), config, _loader(config, images, fabric), fabric, evaluation)


def _check_size(config: PretrainConfig, count: int) -> None:
    if config.batch_size % config.devices:
        raise ConfigError(f"batch_size = {config.batch_size}: expected a multiple of devices = {config.devices}")
    per_step = config.batch_size * config.accumulate
    if count < per_step:
        raise DataError(
            f"{config.data.source}: {count} readable images do not fill one step of {per_step}; "
            f"use more images or --set batch_size={max(2, count // 2)} --set accumulate=1"
        )


def _initial_backbone(config: PretrainConfig) -> Backbone:
    start = initial_backbone(
        config.init,
        config.backbone,
        config.stem,
        config.seed,
        reference=config.reference,
        network=config.network,
    )
    return start.backbone


def _loader(config: PretrainConfig, images: Images, fabric: Fabric) -> Loader:
    views = config.views
    to_device = Preprocessing(views.global_size, views.mean, views.std).on(fabric.device)

    on_device = config.views_on == "device" or (config.views_on == "auto" and fabric.device.type == "cuda")
    render = DeviceMultiCrop(views, fabric.device) if on_device else MultiCrop(views)

    def by_view(crops: np.ndarray | Tensor) -> Tensor:
        count, batch = crops.shape[:2]
        return to_device(crops.reshape(count * batch, *crops.shape[2:])).unflatten(0, (count, batch))

    return Loader(
        np.arange(len(images)),
        config.batch_size,
        make_crops(images.gather, render, by_view, config.seed),
        seed=config.seed,
        purpose="pretrain/order",
        drop_last=True,
        workers=resolve_workers(config.workers, fabric.device.type),
        rank=fabric.global_rank,
        world=fabric.world_size,
    )


def _evaluation(config: PretrainConfig, images: Images, fabric: Fabric) -> Evaluation:
    """Return the health of the teacher's features, and k-NN accuracy on monitoring labels every few epochs."""
    views = config.views

    def features(backbone: Backbone, source: Images, chosen: np.ndarray) -> np.ndarray:
        resize = Resize(views.global_size)
        to_device = Preprocessing(views.global_size, views.mean, views.std).on(fabric.device)
        return extract_features(backbone, lambda ids: to_device(resize(source.gather(ids))), chosen, fabric)

    health_ids = np.sort(permutation(len(images), config.seed, "pretrain/health")[:HEALTH_IMAGES])
    monitor = config.monitor
    labelled = load_images(monitor.data.stored_for(views.global_size)) if monitor.data else None

    def evaluate(epoch: int, backbone: Backbone) -> dict[str, float]:
        own = features(backbone, images, health_ids)
        values = {
            "health/rankme": rankme(own),
            "health/feature_std": feature_std(own) * math.sqrt(own.shape[1]),
        }
        last = epoch == config.epochs - 1
        if labelled is not None and ((epoch + 1) % monitor.every_epochs == 0 or last):
            ids = np.sort(permutation(len(labelled), config.seed, "pretrain/monitor")[:MONITOR_IMAGES])
            labels = labelled.listing.labels[ids]
            bank = features(backbone, labelled, ids)
            values["knn/accuracy"] = knn_accuracy(bank, labels, k=monitor.neighbours)
        return values

    return evaluate


def _finish(context: Context[PretrainConfig, Inputs], task: DinoTask, seconds: float) -> None:
    """Write weights and result; `warnings` names every collapse or plateau by epoch."""
    run, config, images = context.run, context.config, context.inputs.images
    teacher = task.teacher.backbone
    views = config.views
    save_model(
        run,
        teacher.state_dict(),
        {
            "kind": "backbone",
            "backbone": teacher.name,
            "stem": teacher.stem,
            "dim": teacher.dim,
            "method": "DINO",
            "preprocessing": Preprocessing(views.global_size, views.mean, views.std).to_dict(),
        },
    )
    epochs = [line for line in run.metrics() if "health/loss_over_ln_k" in line]
    warnings = [f"epoch {line['epoch'] + 1}: {text}" for line in epochs for text in task.remarks(line["epoch"], line)]
    last = epochs[-1] if epochs else {}
    steps = config.epochs * task.steps_per_epoch
    result = PretrainResult(
        epochs=config.epochs,
        steps=steps,
        images=len(images),
        images_seen=steps * config.batch_size * config.accumulate,
        bad_images=len(images.listing.bad),
        health={k: v for k, v in last.items() if k.startswith(("health/", "knn/"))},
        warnings=tuple(warnings),
        method=method_report(config),
    )
    run.finish(result.to_dict(), {"fit_seconds": seconds})
