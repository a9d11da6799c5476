"""DINO (Caron et al. 2021): self-distillation with no labels."""

from sightline.tasks.pretrain.methods.dino.head import DinoHead
from sightline.tasks.pretrain.methods.dino.loss import (
    dino_loss,
    koleo,
    move_center,
    sinkhorn_probabilities,
    teacher_probabilities,
)
from sightline.tasks.pretrain.methods.dino.method import Dino

__all__ = [
    "Dino",
    "DinoHead",
    "dino_loss",
    "koleo",
    "move_center",
    "sinkhorn_probabilities",
    "teacher_probabilities",
]
