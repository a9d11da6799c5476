"""`pretrain`: from unlabelled images to a backbone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sightline.config import PretrainConfig
from sightline.data import Images, load_images
from sightline.engine import Context, Progress, train
from sightline.engine.example import ExampleStep
from sightline.errors import ConfigError, DataError
from sightline.files import text_digest
from sightline.models import InitialBackbone, reading_of, save_model
from sightline.runs import RunFolder
from sightline.runs.results import PretrainResult
from sightline.tasks.pretrain.crops import crop_loader, preprocessing_of
from sightline.tasks.pretrain.example_step import example_step, steps_of
from sightline.tasks.pretrain.methods import method_class
from sightline.tasks.pretrain.monitor import Monitor
from sightline.tasks.pretrain.task import PretrainTask


def pretrain(config: PretrainConfig, out: Path, *, resume: bool = False, progress: Progress | None = None) -> RunFolder:
    """Pretrain a backbone by the method of `config`.

    Args:
        config: what to do, fully resolved.
        out: the run folder, new, or with `resume` one of the same configuration and data.
        resume: go on from the checkpoint; a finished run is returned as it is.
        progress: where to report; the terminal by default.

    Returns:
        The finished run; its weights are those of the method's backbone.

    Raises:
        DataError: too few images for one batch, or too many unreadable ones.
        RunError: `out` holds another run.
        NonFinite: the loss diverged.
    """
    return train(
        config,
        out,
        inputs=open_inputs,
        example=_example,
        build_task=build_task,
        finish=_finish,
        notes={"method": method_class(config.method).report(config).to_dict()},
        resume=resume,
        progress=progress,
    )


@dataclass(frozen=True)
class Inputs:
    """Images without labels, and the backbone to begin with."""

    images: Images
    start: InitialBackbone

    @property
    def fingerprint(self) -> str:
        """A digest of the images and of the weights that were loaded."""
        images, weights = self.images.listing.fingerprint, self.start.checksum
        return text_digest(images, weights) if weights else images


def open_inputs(config: PretrainConfig, say: Callable[[str], object]) -> Inputs:
    """Load the images and the weights to begin with."""
    images = load_images(config.data, progress=say, labels=False, earlier=reading_of(config))
    _check_size(config, len(images))
    return Inputs(images, InitialBackbone.of(config, images.channels, say))


def _example(config: PretrainConfig, inputs: Inputs) -> ExampleStep:
    example = example_step(config)
    return replace(example, steps=steps_of(config, example, len(inputs.images)))


def build_task(context: Context[PretrainConfig, Inputs]) -> PretrainTask:
    """Return the task as `pretrain` runs it, with its monitor."""
    config, images, fabric, start = context.config, context.inputs.images, context.fabric, context.inputs.start
    monitor = Monitor(config, images, preprocessing_of(config, start.preprocessing), fabric)
    loader = crop_loader(config, images, start.preprocessing, fabric)
    return PretrainTask(start.backbone, config, loader, fabric, monitor)


def _check_size(config: PretrainConfig, count: int) -> None:
    if config.batch_size % config.devices:
        raise ConfigError(f"batch_size = {config.batch_size}: expected a multiple of devices = {config.devices}")
    if config.batch_size < 2 * config.devices:
        raise ConfigError(
            f"batch_size = {config.batch_size}: the images of a batch are compared with each other, so a process needs "
            f"two; give at least {2 * config.devices}"
        )
    per_step = config.batch_size * config.accumulate
    if count < per_step:
        raise DataError(
            f"{config.data.source}: {count} readable images do not fill one step of {per_step}; "
            f"use more images or --set batch_size={max(2, count // 2)} --set accumulate=1"
        )


def _finish(context: Context[PretrainConfig, Inputs], task: PretrainTask, seconds: float) -> None:
    """Write weights and result; `warnings` names every collapse or plateau by epoch."""
    run, config, images = context.run, context.config, context.inputs.images
    method, backbone = task.method.report(config), task.method.backbone
    save_model(
        run,
        backbone.state_dict(),
        {
            "kind": "backbone",
            "backbone": backbone.name,
            "stem": backbone.stem,
            "dim": backbone.dim,
            "method": method.title,
            "in_chans": backbone.in_chans,
            "preprocessing": preprocessing_of(config, context.inputs.start.preprocessing).to_dict(),
            "reading": images.reading.to_dict(),
        },
    )
    epochs = [line for line in run.metrics() if any(key.startswith("health/") for key in line)]
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
        method=method,
    )
    run.finish(result, {"fit_seconds": seconds})
