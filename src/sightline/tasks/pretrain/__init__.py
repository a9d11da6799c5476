"""Self-supervised pretraining, by any method of `sightline.config.METHODS`."""

from sightline.tasks.pretrain.example_step import example_step
from sightline.tasks.pretrain.methods import PretrainMethod, method_class
from sightline.tasks.pretrain.pretrain import build_task, open_inputs, pretrain
from sightline.tasks.pretrain.task import PretrainTask

__all__ = [
    "PretrainMethod",
    "PretrainTask",
    "build_task",
    "example_step",
    "method_class",
    "open_inputs",
    "pretrain",
]
