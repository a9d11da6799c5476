"""DINO: self-distillation with no labels (Caron et al. 2021), as a pretraining method."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from sightline import schedules
from sightline.config import DinoConfig, PretrainConfig
from sightline.engine.ranks import everyones, summed
from sightline.engine.task import Values
from sightline.models import Backbone
from sightline.models.cpu import place
from sightline.runs.results import MethodReport
from sightline.tasks.pretrain.methods.base import (
    Crops,
    EpochMeans,
    PretrainMethod,
    gather_images,
    view_features,
)
from sightline.tasks.pretrain.methods.dino.head import DinoHead
from sightline.tasks.pretrain.methods.dino.health import PrototypeUse, diagnose
from sightline.tasks.pretrain.methods.dino.loss import (
    dino_loss,
    koleo,
    move_center,
    sinkhorn_probabilities,
    teacher_probabilities,
)
from sightline.tasks.pretrain.methods.dino.report import method_report


class Outputs(NamedTuple):
    """Outputs for V views of B images.

    Attributes:
        logits: float (V, B, K).
        bottleneck: vectors of norm one that the logits come from, float32 (V, B, d).
    """

    logits: Tensor
    bottleneck: Tensor


class Network(nn.Module):
    """Backbone and head."""

    def __init__(self, backbone: Backbone, head: DinoHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, *resolutions: Tensor) -> Outputs:
        """Return the outputs for tensors (V_i, B, 3, H_i, W_i), V = ΣV_i."""
        batch = resolutions[0].shape[1]
        bottleneck = self.head.project(view_features(self.backbone, resolutions))
        return Outputs(*(x.unflatten(0, (-1, batch)) for x in (self.head.last_layer(bottleneck), bottleneck)))


class Dino(PretrainMethod):
    """Student, teacher and center; a user takes away the teacher's backbone."""

    def __init__(self, backbone: Backbone, config: PretrainConfig, fabric: Fabric, steps_per_epoch: int) -> None:
        dino = config.method
        assert isinstance(dino, DinoConfig)
        self.dino, self.fabric, self._accumulate = dino, fabric, config.accumulate
        self._steps_per_epoch, self._total = steps_per_epoch, config.epochs * steps_per_epoch
        batch_norms = (dino.head_batch_norm, dino.bottleneck_batch_norm)
        head = DinoHead(backbone.dim, dino.hidden, dino.bottleneck, dino.prototypes, *batch_norms)
        student = place(Network(backbone, head), fabric.device)
        self.teacher = copy.deepcopy(student).requires_grad_(False)
        self.network = self._student = student
        self.backbone = self.teacher.backbone
        self.center = torch.zeros(dino.prototypes, device=fabric.device)
        self._batch_mean = torch.zeros_like(self.center)
        self.use = PrototypeUse(dino.prototypes, fabric)
        self._losses = EpochMeans(("loss",), fabric)
        # The two lists pair the same tensors for one fused EMA call.
        self._pairs: tuple[list[Tensor], list[Tensor]] = (list(self.teacher.parameters()), list(student.parameters()))
        self._last_layer = list(student.head.last_layer.parameters())
        self._temperature = dino.teacher_temperature_start

    # -- one step
    def begin_epoch(self) -> None:
        """Clear the epoch's statistics."""
        self.use.clear()
        self._losses.clear()

    def schedule(self, step: int) -> Values:
        """Set the teacher's momentum and temperature for `step`."""
        dino = self.dino
        self.momentum = schedules.cosine(step, self._total, self._first_momentum(), dino.momentum_end)
        self._temperature = schedules.linear_then_constant(
            step,
            round(dino.teacher_temperature_epochs * self._steps_per_epoch),
            dino.teacher_temperature_start,
            dino.teacher_temperature,
        )
        return ("momentum", self.momentum), ("teacher_temperature", self._temperature)

    def _first_momentum(self) -> float:
        half_life = self.dino.momentum_half_life
        if half_life is None:
            return self.dino.momentum
        return schedules.momentum_of_half_life(half_life * self._steps_per_epoch)

    def loss(self, network: nn.Module, crops: Crops) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of one batch of crops: DINO's, and KoLeo's where the recipe asks for it."""
        dino = self.dino
        with torch.no_grad():
            teacher_logits = self.teacher(crops[0]).logits.float()
            teacher = self._targets(teacher_logits)
        student = network(*crops)
        loss = dino_loss(student.logits, teacher, dino.student_temperature)
        self._batch_mean += teacher_logits.mean(dim=(0, 1)) / self._accumulate
        self.use.add(teacher)
        self._losses.add(loss)
        if not dino.koleo:
            return loss, {}
        vectors = student.bottleneck[: len(teacher)]
        spread = koleo(vectors, *gather_images(vectors, self.fabric))
        return loss + dino.koleo * spread, {"dino": loss, "koleo": spread}

    def _targets(self, logits: Tensor) -> Tensor:
        if self.dino.centering == "mean":
            return teacher_probabilities(logits, self.center, self._temperature)
        return sinkhorn_probabilities(
            logits, self._temperature, self._logsumexp_all if self.fabric.world_size > 1 else None
        )

    def _logsumexp_all(self, local: Tensor) -> Tensor:
        return everyones(self.fabric, local).logsumexp(dim=0)

    def after_backward(self, step: int) -> None:
        """Hold the last layer still in the first epochs."""
        if step / self._steps_per_epoch < self.dino.freeze_last_layer_epochs:
            for parameter in self._last_layer:
                parameter.grad = None

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Move teacher and center, once per optimizer step however many batches it had."""
        del step
        torch._foreach_lerp_(*self._pairs, weight=1 - self.momentum)  # pyright: ignore[reportPrivateImportUsage]
        mean = self._batch_mean
        if self.fabric.world_size > 1:
            mean = summed(self.fabric, mean) / self.fabric.world_size
        move_center(self.center, mean, self.dino.center_momentum)
        self._batch_mean.zero_()

    # -- health and state
    def health(self) -> Values:
        """Yield the loss over ln K, and how the teacher uses its prototypes."""
        yield "health/loss_over_ln_k", self._losses.values()["loss"] / math.log(self.dino.prototypes)
        yield from ((f"health/{name}", value) for name, value in self.use.values().items())

    def remarks(self, health: Mapping[str, float]) -> list[str]:
        """Name collapse and plateau."""
        return diagnose(health, self.dino.prototypes)

    @classmethod
    def report(cls, config: PretrainConfig) -> MethodReport:
        """Return DINO's settings in the terms of its paper, and how to read what it logs."""
        assert isinstance(config.method, DinoConfig)
        return method_report(config.method)

    def modules(self) -> dict[str, nn.Module]:
        """Return student and teacher."""
        return {"student": self._student, "teacher": self.teacher}

    def tensors(self) -> dict[str, Tensor]:
        """Return the center."""
        return {"center": self.center}

    def sums(self) -> dict[str, Tensor]:
        """Return the epoch's running statistics."""
        return {"losses": self._losses.sums, **self.use.tensors()}
