"""DINO pretraining."""

from sightline.tasks.dino.example_step import example_step
from sightline.tasks.dino.loss import dino_loss, koleo, move_center, sinkhorn_probabilities, teacher_probabilities
from sightline.tasks.dino.pretrain import Inputs, build_task, make_task, pretrain
from sightline.tasks.dino.task import DinoTask

__all__ = [
    "DinoTask",
    "Inputs",
    "build_task",
    "dino_loss",
    "example_step",
    "koleo",
    "make_task",
    "move_center",
    "pretrain",
    "sinkhorn_probabilities",
    "teacher_probabilities",
]
