"""Optimizer, learning rate and its schedule: one set of keys for every kind of training run."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from sightline.config.base import Effects, Frozen
from sightline.config.optimizers import OPTIMIZER_TEXT, OptimizerName, optimizers_using
from sightline.config.types import Factor, Fraction, NonNegative, Schedule, Weight


class OptimConfig(Frozen):
    """Optimizer, learning rate and schedule; the defaults are those of pretraining, each other kind has its own."""

    effective: ClassVar[Effects] = {
        **{key: ("name", optimizers_using(key)) for key in ("momentum", "nesterov", "betas")},
        "final_lr": ("schedule", ("cosine",)),
        "poly_power": ("schedule", ("poly",)),
        "plateau_patience": ("schedule", ("plateau",)),
        "plateau_factor": ("schedule", ("plateau",)),
    }

    name: OptimizerName = Field(default="sgd", description=OPTIMIZER_TEXT)
    lr: Weight = Field(default=0.03, description="Peak learning rate, at `lr_batch` images a step.")
    lr_batch: NonNegative = Field(
        default=256,
        description="Images a step that `lr` is meant for: the rate is lr × batch / lr_batch; 0 takes lr as it is.",
    )
    momentum: Fraction = Field(default=0.9, description="Momentum of sgd and lars.")
    nesterov: bool = Field(default=False, description="Whether sgd looks ahead by Nesterov's momentum.")
    betas: tuple[Factor, Factor] = Field(default=(0.9, 0.999), description="Averaging factors of adam and adamw.")
    weight_decay: Weight = Field(
        default=1e-4, description="Weight decay of all weights of two or more dimensions; biases and norms have none."
    )
    weight_decay_end: Weight | None = Field(
        default=None, description="Weight decay at the end, reached by a cosine; none keeps it constant."
    )
    schedule: Schedule = Field(
        default="cosine",
        description="Course of the learning rate after the warm-up: cosine, poly, constant, or plateau, which lowers "
        "it where the validation loss no longer falls.",
    )
    warmup_epochs: Weight = Field(default=10, description="Epochs in which the learning rate rises linearly from zero.")
    final_lr: Weight = Field(default=1e-6, description="Learning rate at the end of a cosine.")
    poly_power: Weight = Field(default=0.9, description="Exponent of the poly schedule, as in DeepLab.")
    plateau_patience: NonNegative = Field(
        default=3, description="Epochs without a lower validation loss before plateau lowers the learning rate."
    )
    plateau_factor: Fraction = Field(default=0.1, description="Factor by which plateau lowers the learning rate.")
    clip: Weight = Field(default=3.0, description="Largest norm of the gradient; 0 turns clipping off.")
    clip_per_tensor: bool = Field(
        default=False, description="Whether each tensor is clipped by its own norm, as the official DINO code does."
    )


class ClassifyOptim(OptimConfig):
    """Optimizer and schedule of classification: the published recipe of the five settings."""

    name: OptimizerName = Field(default="adam", description=OPTIMIZER_TEXT)
    lr: Weight = Field(default=1e-4, description="Learning rate.")
    lr_batch: NonNegative = Field(
        default=0,
        description="Images a step that `lr` is meant for; 0 takes lr as it is, as published.",
    )
    schedule: Schedule = Field(
        default="plateau",
        description="Course of the learning rate after the warm-up: plateau lowers it where the validation loss no "
        "longer falls; or cosine, poly, constant.",
    )
    warmup_epochs: Weight = Field(
        default=0, description="Epochs in which the learning rate rises linearly from zero; none at so low a rate."
    )
    final_lr: Weight = Field(default=0.0, description="Learning rate at the end of a cosine.")
    clip: Weight = Field(default=0.0, description="Largest norm of the gradient; 0 turns clipping off.")


class SegmentOptim(OptimConfig):
    """Optimizer and schedule of segmentation, for a network whose decoder, at least, begins with random weights."""

    name: OptimizerName = Field(default="adamw", description=OPTIMIZER_TEXT)
    lr: Weight = Field(
        default=1e-3,
        description="Peak learning rate; the encoder's is times optim.encoder_lr.",
    )
    encoder_lr: Weight = Field(
        default=1.0, description="Factor on the encoder's learning rate; below 1 spares pretrained weights."
    )
    lr_batch: NonNegative = Field(default=0, description="Images a step that `lr` is meant for; 0 takes lr as it is.")
    nesterov: bool = Field(default=True, description="Whether sgd looks ahead by Nesterov's momentum.")
    warmup_epochs: Weight = Field(default=1, description="Epochs in which the learning rate rises linearly from zero.")
    final_lr: Weight = Field(default=0.0, description="Learning rate at the end of a cosine.")
    clip: Weight = Field(default=0.0, description="Largest norm of the gradient; 0 turns clipping off.")
