"""`pretrain`: from unlabelled images to a backbone."""

from __future__ import annotations

from pathlib import Path

from lightning_fabric import Fabric

from sightline.config import PretrainConfig
from sightline.data import Images, load_images
from sightline.engine import Progress, fit, make_fabric, make_progress, recorded_run, settle_precision
from sightline.errors import ConfigError, DataError
from sightline.models import Backbone, build_backbone, load_backbone, save_model
from sightline.runs import RunFolder
from sightline.runs.results import MethodReport, PretrainResult
from sightline.tasks.pretrain.crops import crop_loader
from sightline.tasks.pretrain.example_step import example_step
from sightline.tasks.pretrain.methods import method_class
from sightline.tasks.pretrain.monitor import Monitor
from sightline.tasks.pretrain.task import Evaluation, PretrainTask


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
    report = progress or make_progress()
    config, precision = settle_precision(config, out, example_step(config), report.say)
    fabric = make_fabric(config)
    images = load_images(config.data, progress=report.say)
    _check_size(config, len(images))
    fingerprint = images.listing.fingerprint
    method = method_class(config.method).report(config)
    notes = {"precision": precision.to_dict(), "method": method.to_dict()}
    with recorded_run(fabric, out, config, kind="pretrain", fingerprint=fingerprint, resume=resume, notes=notes) as run:
        if run.is_done:
            return run
        task = make_task(config, images, fabric, Monitor(config, images, fabric))
        seconds = fit(task, run, config, epochs=config.epochs, fabric=fabric, progress=report)
        if fabric.is_global_zero:
            _finish(run, task, images, method, seconds)
        fabric.barrier()
    return run


def make_task(config: PretrainConfig, images: Images, fabric: Fabric, evaluation: Evaluation) -> PretrainTask:
    """Return the task of `config` on `images`, as `pretrain` runs it."""
    return PretrainTask(_initial_backbone(config), config, crop_loader(config, images, fabric), fabric, evaluation)


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
    if config.init == "none":
        return build_backbone(config.backbone, config.stem, seed=config.seed)
    return load_backbone(config.init, name=config.backbone, stem=config.stem).backbone


def _finish(run: RunFolder, task: PretrainTask, images: Images, method: MethodReport, seconds: float) -> None:
    """Write weights and result; `warnings` names every collapse or plateau by epoch."""
    config, backbone = task.config, task.method.backbone
    views = config.views
    save_model(
        run,
        backbone.state_dict(),
        {
            "kind": "backbone",
            "backbone": backbone.name,
            "stem": backbone.stem,
            "dim": backbone.dim,
            "method": method.title,
            "preprocessing": {"input_size": views.global_size, "mean": list(views.mean), "std": list(views.std)},
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
    run.finish(result.to_dict(), {"fit_seconds": seconds})
