"""Semantic segmentation as a task: image and mask in, logits out, chosen by validation mean IoU."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sightline.config import IGNORE_INDEX, SegmentConfig
from sightline.data import Loader
from sightline.engine import BestWeights, OptimSchedule, Task, make_optimizer
from sightline.engine.task import Values
from sightline.models.segmentation import Segmenter

Loss = Callable[[Tensor, Tensor], Tensor]


class SegmentBatch(NamedTuple):
    """The batch of one training step.

    Attributes:
        images: normalised, float (B, 3, H, W), on the device.
        masks: class indices, int64 (B, H, W); 255 is ignored.
        keep_mask: which skip connections each sample keeps, bool (B, skips), of a network that can drop skips; None
            keeps all.
    """

    images: Tensor
    masks: Tensor
    keep_mask: Tensor | None

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The arguments of the network's call."""
        return (self.images,) if self.keep_mask is None else (self.images, self.keep_mask)


class Validation(NamedTuple):
    """Validation scores of a network: the number that chooses the epoch, and values to log."""

    mean_iou: float
    values: dict[str, float]


class SegmentTask(Task):
    """A loss between logits and masks; the epoch with the best validation mean IoU is kept.

    Args:
        model: the network, on the device.
        config: the run's configuration.
        loader: yields `SegmentBatch`.
        loss: (logits (B, K, H, W), masks (B, H, W)) → scalar.
        validate: (network in eval mode) → what validation says of it.
        on_epoch: (epoch, network in eval mode), called after each validation, for example to keep masks.
        total: sum over the processes that share out a batch; of one by default.
    """

    def __init__(
        self,
        model: Segmenter,
        config: SegmentConfig,
        loader: Loader,
        loss: Loss,
        validate: Callable[[Segmenter], Validation],
        on_epoch: Callable[[int, Segmenter], None],
        total: Callable[[Tensor], Tensor] = lambda tensor: tensor,
    ) -> None:
        self.trained: nn.Module = model
        self.model, self.config, self._loader, self._loss = model, config, loader, loss
        self._validate, self._on_epoch, self._total = validate, on_epoch, total
        optim, self.epochs = config.optim, config.epochs
        self.optimizer = make_optimizer(model, optim, lr_scales=[(model.encoder, optim.encoder_lr)])
        self.steps_per_epoch, self.clip, self.clip_per_tensor = loader.steps, optim.clip, optim.clip_per_tensor
        self._schedule = OptimSchedule(
            self.optimizer, optim, epochs=config.epochs, steps_per_epoch=loader.steps, batch=config.batch_size
        )
        self.averaged = copy.deepcopy(model).requires_grad_(False) if config.ema else None
        self.best = BestWeights(self.evaluated)

    @property
    def evaluated(self) -> Segmenter:
        """The network that is evaluated and taken away: the averaged one where there is one."""
        return self.model if self.averaged is None else self.averaged

    def batches(self, epoch: int, start: int) -> Generator[SegmentBatch]:
        """Yield batches."""
        return self._loader.batches(epoch, start)

    def shares(self, step: int) -> bool:
        """Return whether the batch of `step` is shared out among the processes."""
        return self._loader.shares(step % self.steps_per_epoch)

    def schedule(self, step: int) -> Values:
        """Set the learning rates and yield that of the parts with random weights."""
        yield "lr", self._schedule.set(step)

    def loss(self, batch: SegmentBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and pixel accuracy of a batch, ignored pixels left out."""
        logits = self.trained(*batch.inputs).float()
        with torch.no_grad():
            counted = batch.masks != IGNORE_INDEX
            right = ((logits.argmax(dim=1) == batch.masks) & counted).sum()
            hits = self._total(right) / self._total(counted.sum()).clamp(min=1)
        return self._loss(logits, batch.masks), {"train/pixel_accuracy": hits}

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Move the averaged network; early on it follows faster, so that random weights are soon forgotten."""
        if self.averaged is None:
            return
        momentum = min(self.config.ema, (1 + step) / (10 + step))
        torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
            list(self.averaged.parameters()), list(self.model.parameters()), weight=1 - momentum
        )
        for mine, theirs in zip(self.averaged.buffers(), self.model.buffers(), strict=True):
            mine.copy_(theirs)

    def evaluate(self, epoch: int) -> Values:
        """Yield the validation scores, and keep the weights where they are the best so far."""
        network = self.evaluated.eval()
        validation = self._validate(network)
        self.best.offer(validation.mean_iou, epoch, network)
        self._on_epoch(epoch, network)
        yield from ((f"val/{name}", value) for name, value in validation.values.items())

    def use_best(self) -> Segmenter:
        """Put the best epoch's weights into the evaluated network and return it, in eval mode."""
        self.best.restore(self.evaluated)
        return self.evaluated.eval()

    def modules(self) -> dict[str, nn.Module]:
        """Return the network, and the averaged one."""
        modules: dict[str, nn.Module] = {"model": self.model}
        return modules if self.averaged is None else {**modules, "averaged": self.averaged}

    def tensors(self) -> dict[str, Tensor]:
        """Return the best weights so far."""
        return self.best.tensors()

    def state(self) -> dict[str, Any]:
        """Return which epoch is the best."""
        return self.best.state()

    def load_state(self, state: dict[str, Any]) -> None:
        """Take back what `state` returned."""
        self.best.load_state(state)
