"""The training loop and what it stands on: device, checkpoints, progress, signals, optimisers."""

from sightline.engine.device import make_fabric, resolve_device, resolve_precision, resolve_workers
from sightline.engine.loop import Interrupted, fit
from sightline.engine.optimizers import OptimSchedule, make_optimizer, scaled_lr
from sightline.engine.precision import settle_precision
from sightline.engine.progress import NoProgress, Progress, make_progress
from sightline.engine.session import recorded_run
from sightline.engine.task import Task

__all__ = [
    "Interrupted",
    "NoProgress",
    "OptimSchedule",
    "Progress",
    "Task",
    "fit",
    "make_fabric",
    "make_optimizer",
    "make_progress",
    "recorded_run",
    "resolve_device",
    "resolve_precision",
    "resolve_workers",
    "scaled_lr",
    "settle_precision",
]
