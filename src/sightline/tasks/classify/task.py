"""Downstream classification as a task: a model from inputs to logits, chosen on validation, judged once on test."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from sightline.config import FEATURE_BATCH, ClassifyConfig
from sightline.data import Loader
from sightline.engine import BestWeights, OptimSchedule, Task, make_optimizer
from sightline.engine.ranks import shared_out, weight
from sightline.engine.task import Values
from sightline.models import Classifier

Batch = tuple[Tensor, Tensor]  # inputs on the device, class indices int64 (B,)
MakeInputs = Callable[[np.ndarray], Tensor]
OnEpoch = Callable[[int], None]


class ClassifyTask(Task):
    """Cross-entropy on labels; the epoch with the best validation accuracy is kept.

    Args:
        model: inputs → logits, on the device. With cached features it is the head alone.
        network: images → logits, of the same backbone and head: what is taken away.
        config: the run's configuration.
        loader: yields (inputs, labels) on the device.
        evaluation_inputs: sample indices → inputs without augmentation.
        labels: class indices by sample index, int64 (N,).
        validation: sample indices of the validation split.
        fabric: device and precision.
        on_epoch: called after each epoch's evaluation, for example to keep features.
    """

    def __init__(
        self,
        model: nn.Module,
        network: Classifier,
        config: ClassifyConfig,
        loader: Loader,
        evaluation_inputs: MakeInputs,
        labels: np.ndarray,
        validation: np.ndarray,
        fabric: Fabric,
        on_epoch: OnEpoch,
    ) -> None:
        self.model = self.trained = model
        self.network, self.epochs = network, config.epochs
        self.config, self.fabric, self._loader, self._on_epoch = config, fabric, loader, on_epoch
        self._inputs, self._labels, self._validation = evaluation_inputs, labels, validation
        self.optimizer = make_optimizer(model, config.optim)
        self.steps_per_epoch = loader.steps
        self.clip, self.clip_per_tensor = config.optim.clip, config.optim.clip_per_tensor
        self._schedule = OptimSchedule(
            self.optimizer,
            config.optim,
            epochs=config.epochs,
            steps_per_epoch=self.steps_per_epoch,
            batch=config.batch_size,
        )
        self.best = BestWeights(model)

    def batches(self, epoch: int, start: int) -> Generator[Batch]:
        """Yield (inputs, labels)."""
        return self._loader.batches(epoch, start)

    def shares(self, step: int) -> bool:
        """Return whether the batch of `step` is shared out among the processes."""
        return self._loader.shares(step % self.steps_per_epoch)

    def schedule(self, step: int) -> Values:
        """Set the learning rate and yield it."""
        yield "lr", self._schedule.set(step)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return cross-entropy in nats and training accuracy."""
        inputs, labels = batch
        logits = self.trained(inputs).float()
        accuracy = (logits.argmax(dim=1) == labels).float().mean()
        loss = functional.cross_entropy(logits, labels)
        if self.fabric.world_size > 1:
            # Of a last batch, processes have shares of different sizes.
            part = weight(self.fabric, loss.new_tensor(len(labels)))
            loss, accuracy = loss * part, accuracy * part
        return loss, {"train/accuracy": accuracy}

    @torch.no_grad()
    def probabilities(self, indices: np.ndarray, batch_size: int = FEATURE_BATCH) -> np.ndarray:
        """Return class probabilities of samples, float32 (N, classes), in eval mode."""
        self.model.eval()
        parts = []
        for begin in range(0, len(indices), batch_size):
            with self.fabric.autocast():
                logits = self.model(self._inputs(indices[begin : begin + batch_size]))
            parts.append(logits.float().softmax(dim=1).cpu().numpy())
        self.model.train()
        return np.concatenate(parts)

    def evaluate(self, epoch: int) -> Values:
        """Yield validation loss and accuracy, keep the best, and lower the learning rate on a plateau."""
        probabilities = shared_out(self.fabric, self._validation, self.probabilities)
        labels = self._labels[self._validation]
        accuracy = float((probabilities.argmax(axis=1) == labels).mean())
        likelihood = probabilities[np.arange(len(labels)), labels]
        loss = float(-np.log(np.maximum(likelihood, np.finfo(np.float32).tiny)).mean())
        self.best.offer(accuracy, epoch, self.model)
        self._schedule.end_epoch(loss)
        self._on_epoch(epoch)
        yield "val/loss", loss
        yield "val/accuracy", accuracy

    def modules(self) -> dict[str, nn.Module]:
        """Return the model."""
        return {"model": self.model}

    def tensors(self) -> dict[str, Tensor]:
        """Return the best weights so far."""
        return self.best.tensors()

    def state(self) -> dict[str, Any]:
        """Return the schedule's state and the best epoch."""
        return self._schedule.state() | self.best.state()

    def load_state(self, state: dict[str, Any]) -> None:
        """Take back what `state` returned."""
        self._schedule.load_state(state)
        self.best.load_state(state)

    def use_best(self) -> None:
        """Load the weights of the best epoch into the model."""
        self.best.restore(self.model)
