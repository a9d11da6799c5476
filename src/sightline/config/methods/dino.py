"""Configuration of DINO (Caron et al. 2021)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from sightline.config.base import Effects, Pairs
from sightline.config.methods.base import MethodConfig
from sightline.config.types import Above, Fraction, Positive, Weight


class DinoConfig(MethodConfig):
    """Head, loss and teacher of DINO; the defaults are the paper's for ResNet-50."""

    exclusive: ClassVar[Pairs] = (("momentum", "momentum_half_life"),)
    effective: ClassVar[Effects] = {"center_momentum": ("centering", ("mean",))}

    name: Literal["dino"] = "dino"
    prototypes: Positive = Field(default=65536, description="Prototypes K, the dimension of the output.")
    hidden: Positive = Field(default=2048, description="Width of the head's hidden layers.")
    bottleneck: Positive = Field(default=256, description="Width of the head's last hidden layer.")
    head_batch_norm: bool = Field(default=False, description="Whether the head's hidden layers have batch norm.")
    bottleneck_batch_norm: bool = Field(
        default=False,
        description="Whether the bottleneck has batch norm; without it all features of an untrained network point the "
        "same way.",
    )
    student_temperature: Above = Field(default=0.1, description="Temperature of the student's softmax.")
    teacher_temperature: Above = Field(default=0.04, description="Temperature of the teacher's softmax.")
    teacher_temperature_start: Above = Field(
        default=0.04, description="Temperature of the teacher at the first step, from which it changes linearly."
    )
    teacher_temperature_epochs: Weight = Field(
        default=0, description="Epochs until the teacher's temperature is reached."
    )
    centering: Literal["mean", "sinkhorn"] = Field(
        default="mean",
        description="How the teacher's outputs are balanced: by a running mean, or by sinkhorn as in SwAV and DINOv2, "
        "which needs no memory and so acts from the first step on.",
    )
    center_momentum: Fraction = Field(default=0.9, description="Momentum of the running mean of the teacher's outputs.")
    koleo: Weight = Field(default=0.0, description="Weight of DINOv2's spreading term (KoLeo); 0 is DINO as published.")
    momentum: Fraction = Field(
        default=0.996, description="Momentum of the teacher at the first step, by a cosine to momentum_end at the last."
    )
    momentum_end: Fraction = Field(default=1.0, description="Momentum of the teacher at the last step.")
    momentum_half_life: float | None = Field(
        default=None,
        description="Epochs in which the teacher's memory of a step halves; takes the place of momentum, and holds for "
        "any number of images.",
    )
    freeze_last_layer_epochs: Weight = Field(
        default=1, description="Epochs at the start in which the head's last layer does not learn."
    )
