"""Pretraining as a task for the one training loop; the method brings network and loss."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from sightline.config import PretrainConfig
from sightline.data import Loader
from sightline.engine import OptimSchedule, Task, make_optimizer
from sightline.engine.task import Values
from sightline.models import Backbone
from sightline.tasks.pretrain.methods import Crops, method_class
from sightline.tasks.pretrain.monitor import feature_remarks

Evaluation = Callable[[int, Backbone], Values]


class PretrainTask(Task):
    """One method at work on one loader.

    Args:
        backbone: what is to learn, on the CPU, with its first weights.
        config: the run's configuration.
        loader: yields crops on the training device.
        fabric: device, precision, processes.
        evaluation: (epoch, the method's backbone) → values, called at the end of an epoch.
    """

    def __init__(
        self, backbone: Backbone, config: PretrainConfig, loader: Loader[Crops], fabric: Fabric, evaluation: Evaluation
    ) -> None:
        self.config, self._loader, self._evaluation = config, loader, evaluation
        optim = config.optim
        self.accumulate, self.clip, self.clip_per_tensor = config.accumulate, optim.clip, optim.clip_per_tensor
        self.epochs, self.steps_per_epoch = config.epochs, loader.steps // config.accumulate
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            self.method = method_class(config.method)(backbone, config, fabric, self.steps_per_epoch)
        self.trained = self.method.network
        self._backbone = list(backbone.parameters())
        self.optimizer = make_optimizer(self.trained, optim)
        self._schedule = OptimSchedule(
            self.optimizer,
            optim,
            epochs=config.epochs,
            steps_per_epoch=self.steps_per_epoch,
            batch=config.batch_size * config.accumulate,
        )

    # -- batches
    def batches(self, epoch: int, start: int) -> Generator[Crops]:
        """Yield crops; trailing batches that fill no optimizer step are left to the next epoch's shuffle."""
        return self._loader.batches(epoch, start)

    # -- one step
    def schedule(self, step: int) -> Values:
        """Set learning rate, decay and what the method schedules for `step`."""
        if step % self.steps_per_epoch == 0:
            self.method.begin_epoch()
        yield "lr", self._schedule.set(step)
        yield from self.method.schedule(step)

    def loss(self, batch: Crops) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the method's loss of one batch of crops."""
        return self.method.loss(self.trained, batch)

    def after_backward(self, step: int) -> None:
        """Let the method change gradients, and hold the backbone still during a head warm-up."""
        self.method.after_backward(step)
        if self.config.init != "none" and step / self.steps_per_epoch < self.config.head_warmup_epochs:
            for parameter in self._backbone:
                parameter.grad = None

    def after_step(self, step: int) -> None:
        """Let the method do what it does once an optimizer step."""
        self.method.after_step(step)

    # -- evaluation and state
    def evaluate(self, epoch: int) -> Values:
        """Yield the method's health, then what the evaluation finds in its backbone's features."""
        yield from self.method.health()
        yield from self._evaluation(epoch, self.method.backbone)

    def remarks(self, epoch: int, values: Mapping[str, float]) -> list[str]:
        """Name what went wrong once the warm-up is over, or at the end; before, a loss near chance is no news."""
        if epoch + 1 <= self.config.optim.warmup_epochs and epoch + 1 < self.config.epochs:
            return []
        health = {name.removeprefix("health/"): value for name, value in values.items()}
        return [*self.method.remarks(health), *feature_remarks(health)]

    def modules(self) -> dict[str, nn.Module]:
        """Return the method's modules."""
        return self.method.modules()

    def tensors(self) -> dict[str, Tensor]:
        """Return the method's further tensors."""
        return self.method.tensors()

    def sums(self) -> dict[str, Tensor]:
        """Return the method's sums over the epoch."""
        return self.method.sums()
