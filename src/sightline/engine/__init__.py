"""The life of a run, its training loop, and what they stand on: device, checkpoints, progress, signals, optimizers."""

from sightline.engine.best import BestWeights
from sightline.engine.device import make_fabric, resolve_device, resolve_precision, resolve_workers
from sightline.engine.extras import Extra, attempt
from sightline.engine.loop import Interrupted, fit
from sightline.engine.optimizers import OptimSchedule, make_optimizer, scaled_lr
from sightline.engine.precision import settle_precision
from sightline.engine.progress import NoProgress, Progress, make_progress
from sightline.engine.run import Context, record, train
from sightline.engine.sizes import check_sizes
from sightline.engine.task import Task
from sightline.engine.tuning import choose_rate, tuning_of

__all__ = [
    "BestWeights",
    "Context",
    "Extra",
    "Interrupted",
    "NoProgress",
    "OptimSchedule",
    "Progress",
    "Task",
    "attempt",
    "check_sizes",
    "choose_rate",
    "fit",
    "make_fabric",
    "make_optimizer",
    "make_progress",
    "record",
    "resolve_device",
    "resolve_precision",
    "resolve_workers",
    "scaled_lr",
    "settle_precision",
    "train",
    "tuning_of",
]
