"""DINO: self-distillation with no labels (Caron et al. 2021), as a task for the one training loop."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Generator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from sightline import schedules
from sightline.config import DinoConfig, PretrainConfig
from sightline.data import Loader
from sightline.engine import OptimSchedule, Task, make_optimizer
from sightline.engine.task import Values
from sightline.models import Backbone, DinoHead
from sightline.models.cpu import place
from sightline.randomness import sample_keys
from sightline.tasks.dino.health import PrototypeUse, diagnose
from sightline.tasks.dino.loss import dino_loss, koleo, move_center, sinkhorn_probabilities, teacher_probabilities

Crops = tuple[Tensor, Tensor]  # globals (2, B, 3, G, G) and locals (L, B, 3, l, l), normalised


class Outputs(NamedTuple):
    """Of V views of B images: logits (V, B, K), and the bottleneck of norm one that they come from, (V, B, d)."""

    logits: Tensor
    bottleneck: Tensor


class Network(nn.Module):
    """Backbone and head; views of one resolution go through the backbone as one batch."""

    def __init__(self, backbone: Backbone, head: DinoHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, *resolutions: Tensor) -> Outputs:
        """Return the outputs for tensors (V_i, B, 3, H_i, W_i), V = ΣV_i."""
        batch = resolutions[0].shape[1]
        features = [self.backbone(views.flatten(0, 1)) for views in resolutions if len(views)]
        bottleneck = self.head.project(torch.cat(features))
        return Outputs(*(x.unflatten(0, (-1, batch)) for x in (self.head.last_layer(bottleneck), bottleneck)))


def dino_config(config: PretrainConfig) -> DinoConfig:
    """Return the method's configuration of a run whose method is DINO."""
    assert isinstance(config.method, DinoConfig)
    return config.method


def make_network(backbone: Backbone, dino: DinoConfig) -> Network:
    """Return the backbone with a new head of that configuration, drawn from torch's generator."""
    batch_norms = (dino.head_batch_norm, dino.bottleneck_batch_norm)
    return Network(backbone, DinoHead(backbone.dim, dino.hidden, dino.bottleneck, dino.prototypes, *batch_norms))


Evaluation = Callable[[int, Backbone], dict[str, float]]


class DinoTask(Task):
    """Student, teacher and centre.

    Args:
        backbone: the student's, on the CPU, initialised.
        config: the run's configuration.
        loader: yields crops on the training device.
        fabric: device, precision, processes.
        evaluation: (epoch, teacher's backbone in eval mode) → health values, called at the end of an epoch.
    """

    def __init__(
        self, backbone: Backbone, config: PretrainConfig, loader: Loader, fabric: Fabric, evaluation: Evaluation
    ) -> None:
        self.config, self.fabric, self._loader, self._evaluation = config, fabric, loader, evaluation
        dino, optim = dino_config(config), config.optim
        self.dino = dino
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            student = make_network(backbone, dino)
        student = place(student, fabric.device)
        self.teacher = copy.deepcopy(student).requires_grad_(False)
        self.trained = self._student = student
        self.optimizer = make_optimizer(student, optim)
        self.accumulate, self.clip, self.clip_per_tensor = config.accumulate, optim.clip, optim.clip_per_tensor
        self.epochs, self.steps_per_epoch = config.epochs, loader.steps // config.accumulate
        self._schedule = OptimSchedule(
            self.optimizer,
            optim,
            epochs=config.epochs,
            steps_per_epoch=self.steps_per_epoch,
            batch=config.batch_size * config.accumulate,
        )
        self.center = torch.zeros(dino.prototypes, device=fabric.device)
        self._batch_mean = torch.zeros_like(self.center)
        self.use = PrototypeUse(dino.prototypes, fabric.device)
        self.losses = torch.zeros(2, dtype=torch.float64, device=fabric.device)  # sum over the epoch, steps
        # The two lists pair the same tensors for one fused EMA call.
        self._pairs: tuple[list[Tensor], list[Tensor]] = (list(self.teacher.parameters()), list(student.parameters()))
        self._last_layer = list(student.head.last_layer.parameters())
        self._temperature = dino.teacher_temperature_start

    # -- batches
    def batches(self, epoch: int, start: int) -> Generator[Crops]:
        """Yield crops; trailing batches that fill no optimiser step are left to the next epoch's shuffle."""
        return self._loader.batches(epoch, start)

    # -- one step
    def schedule(self, step: int) -> Values:
        """Set learning rate, decay, teacher momentum and temperature for `step`."""
        dino, total = self.dino, self.config.epochs * self.steps_per_epoch
        lr = self._schedule.set(step)
        self.momentum = schedules.cosine(step, total, self._first_momentum(), dino.momentum_end)
        self._temperature = schedules.linear_then_constant(
            step,
            round(dino.teacher_temperature_epochs * self.steps_per_epoch),
            dino.teacher_temperature_start,
            dino.teacher_temperature,
        )
        if step % self.steps_per_epoch == 0:
            self.use.clear()
            self.losses.zero_()
        yield from (("lr", lr), ("momentum", self.momentum), ("teacher_temperature", self._temperature))

    def _first_momentum(self) -> float:
        half_life = self.dino.momentum_half_life
        if half_life is None:
            return self.dino.momentum
        return schedules.momentum_of_half_life(half_life * self.steps_per_epoch)

    def loss(self, batch: Crops) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of one batch of crops: DINO's, and KoLeo's where the recipe asks for it."""
        dino = self.dino
        with torch.no_grad():
            teacher_logits = self.teacher(batch[0]).logits.float()
            teacher = self._targets(teacher_logits)
        student = self.trained(*batch)
        loss = dino_loss(student.logits, teacher, dino.student_temperature)
        self._batch_mean += teacher_logits.mean(dim=(0, 1)) / self.accumulate
        self.use.add(teacher)
        self.losses += torch.stack([loss.detach().double(), torch.ones_like(loss, dtype=torch.float64)])
        if not dino.koleo:
            return loss, {}
        spread = koleo(student.bottleneck[: len(teacher)])
        return loss + dino.koleo * spread, {"dino": loss, "koleo": spread}

    def _targets(self, logits: Tensor) -> Tensor:
        if self.dino.centering == "mean":
            return teacher_probabilities(logits, self.center, self._temperature)
        return sinkhorn_probabilities(
            logits, self._temperature, self._logsumexp_all if self.fabric.world_size > 1 else None
        )

    def _logsumexp_all(self, own: Tensor) -> Tensor:
        gathered = self.fabric.all_gather(own)
        assert isinstance(gathered, Tensor)
        return gathered.logsumexp(dim=0)

    def after_backward(self, step: int) -> None:
        """Hold the last layer still in the first epochs, and the backbone during a head warm-up."""
        epoch = step / self.steps_per_epoch
        still: list[nn.Parameter] = []
        if epoch < self.dino.freeze_last_layer_epochs:
            still += self._last_layer
        if self.config.init != "none" and epoch < self.config.head_warmup_epochs:
            still += list(self._student.backbone.parameters())
        for parameter in still:
            parameter.grad = None

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Move teacher and centre, once per optimiser step however many batches it had."""
        del step
        torch._foreach_lerp_(*self._pairs, weight=1 - self.momentum)  # pyright: ignore[reportPrivateImportUsage]
        mean = self._batch_mean
        if self.fabric.world_size > 1:
            mean = self.fabric.all_reduce(mean, reduce_op="mean")
        move_center(self.center, mean, self.dino.center_momentum)  # pyright: ignore[reportArgumentType]
        self._batch_mean.zero_()

    # -- evaluation and state
    def evaluate(self, epoch: int) -> Values:
        """Yield health values, prefix health/, and what the evaluation adds."""
        mean_loss = float(self.losses[0] / self.losses[1].clamp(min=1))
        yield "health/loss_over_ln_k", mean_loss / math.log(self.dino.prototypes)
        yield from ((f"health/{name}", value) for name, value in self.use.values().items())
        self.teacher.eval()
        yield from self._evaluation(epoch, self.teacher.backbone).items()
        self.teacher.train()

    def remarks(self, epoch: int, values: Mapping[str, float]) -> list[str]:
        """Name collapse and plateau once the warm-up is over; before, a loss near ln K is no news."""
        if epoch + 1 <= self.config.optim.warmup_epochs:
            return []
        health = {name.removeprefix("health/"): value for name, value in values.items()}
        return diagnose(health, self.dino.prototypes)

    def modules(self) -> dict[str, nn.Module]:
        """Return student and teacher."""
        return {"student": self._student, "teacher": self.teacher}

    def tensors(self) -> dict[str, Tensor]:
        """Return the centre and the epoch's running statistics."""
        return {"center": self.center, "losses": self.losses, **self.use.tensors()}


def make_crops(
    gather: Callable[[np.ndarray], list[np.ndarray]], views: Any, normalise: Callable[[Any], Tensor], seed: int
) -> Callable[[np.ndarray, int], Crops]:
    """Return the function a loader calls: (sample indices, epoch) → normalised crops on the device."""

    def make(samples: np.ndarray, epoch: int) -> Crops:
        keys = sample_keys(seed, epoch, samples)
        crops = views(gather(samples), keys)
        return normalise(crops.globals), normalise(crops.locals)

    return make
