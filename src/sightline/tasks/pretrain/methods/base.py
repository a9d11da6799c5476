"""What a pretraining method is to the rest of Sightline, and parts that several methods share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from sightline.config import PretrainConfig
from sightline.engine.ranks import everyones, summed
from sightline.engine.task import Values
from sightline.models import Backbone
from sightline.runs.results import MethodReport

# Global views (2, B, 3, G, G) and local views (L, B, 3, l, l) of B images, float, normalized; L may be 0.
Crops = tuple[Tensor, Tensor]


class PretrainMethod(ABC):
    """A method of self-supervised learning: a network, a loss, and measures of its health.

    `PretrainTask` owns it and does the rest: views, optimizer, learning rate, monitoring, checkpoints, report. Its
    random initial weights come from torch's generator, which the task has seeded.

    Attributes:
        network: what learns, on the device. Several processes hand `loss` this network wrapped.
        backbone: what a user takes away, and whose features are monitored.
    """

    network: nn.Module
    backbone: Backbone

    @abstractmethod
    def __init__(self, backbone: Backbone, config: PretrainConfig, fabric: Fabric, steps_per_epoch: int) -> None:
        """Build the network.

        Args:
            backbone: what is to learn, on the CPU, with its first weights.
            config: the run's; `config.method` is the method's own.
            fabric: device, precision, processes.
            steps_per_epoch: optimizer steps.
        """

    # -- one step
    def begin_epoch(self) -> None:  # noqa: B027  (a method may have nothing to do here)
        """Forget the statistics of the epoch before."""

    def schedule(self, step: int) -> Values:
        """Set everything of the method's own that depends on the step, and return what was set, for the log."""
        del step
        return ()

    @abstractmethod
    def loss(self, network: nn.Module, crops: Crops) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the scalar loss of this process's share of a batch and further scalars to log; no host sync.

        The gradients of the processes are averaged. A loss that joins images of the whole batch gathers them itself.
        """

    def after_backward(self, step: int) -> None:  # noqa: B027
        """Change gradients before they are clipped."""

    def after_step(self, step: int) -> None:  # noqa: B027
        """Do what happens once an optimizer step, for example move a moving average."""

    # -- health
    @abstractmethod
    def health(self) -> Values:
        """Yield (name, value) of the epoch, each name beginning with "health/"."""

    @abstractmethod
    def remarks(self, health: Mapping[str, float]) -> list[str]:
        """Name what went wrong in one epoch after the warm-up, each with what to change.

        Args:
            health: values by name, without "health/".
        """

    @classmethod
    @abstractmethod
    def report(cls, config: PretrainConfig) -> MethodReport:
        """Return the settings, quantities and words that the report shows of the method."""

    # -- state
    def modules(self) -> dict[str, nn.Module]:
        """Return every module whose tensors belong to the state, by name."""
        return {"network": self.network}

    def tensors(self) -> dict[str, Tensor]:
        """Return further state tensors, the same in every process, to be filled in place on resume."""
        return {}

    def sums(self) -> dict[str, Tensor]:
        """Return further state tensors, of which each process has its part and the state is their sum."""
        return {}


class EpochMeans:
    """Means over an epoch of what its batches gave, summed on the device, as resumable tensors.

    Args:
        names: of the quantities.
        fabric: device and processes.
    """

    def __init__(self, names: Sequence[str], fabric: Fabric) -> None:
        self._names, self._fabric = tuple(names), fabric
        # One sum a quantity, and the number of batches.
        self.sums = torch.zeros(len(self._names) + 1, dtype=torch.float64, device=fabric.device)

    def add(self, *values: Tensor) -> None:
        """Add one batch's scalars, in the order of the names.

        What each of several processes adds counts as its part of one batch, so that an epoch may be begun by some
        number of processes and ended by another.
        """
        weight = torch.ones_like(values[0], dtype=torch.float64)
        parts = torch.stack([*(value.detach().double() for value in values), weight])
        self.sums += parts / self._fabric.world_size

    def clear(self) -> None:
        """Begin a new epoch."""
        self.sums.zero_()

    def values(self) -> dict[str, float]:
        """Return the means by name, over all processes."""
        *totals, batches = summed(self._fabric, self.sums).tolist()
        return {name: total / (batches or 1.0) for name, total in zip(self._names, totals, strict=True)}


class MeansMethod(PretrainMethod):
    """A method whose health is the means, over an epoch, of what its batches gave.

    Attributes:
        means: of the quantities, each logged as "health/" and its name; `loss` adds to them.
    """

    means: EpochMeans

    def begin_epoch(self) -> None:
        """Clear the epoch's means."""
        self.means.clear()

    def health(self) -> Values:
        """Yield the epoch's means."""
        return [(f"health/{name}", value) for name, value in self.means.values().items()]

    def sums(self) -> dict[str, Tensor]:
        """Return the epoch's sums."""
        return {"means": self.means.sums}


class ProjectedViews(nn.Module):
    """Backbone and projector; views of one resolution go through the backbone as one batch."""

    def __init__(self, backbone: Backbone, projector: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.projector = projector

    def forward(self, *resolutions: Tensor) -> Tensor:
        """Return the projections, float32 (V, B, d), of tensors (V_i, B, 3, H_i, W_i), V = ΣV_i."""
        batch = resolutions[0].shape[1]
        projections = self.projector(view_features(self.backbone, resolutions))
        return projections.float().unflatten(0, (-1, batch))


def view_features(backbone: Backbone, resolutions: Sequence[Tensor]) -> Tensor:
    """Return pooled features (ΣV_i·B, dim) of tensors (V_i, B, 3, H_i, W_i), in that order; V_i may be 0."""
    return torch.cat([backbone(views.flatten(0, 1)) for views in resolutions if len(views)])


def gather_images(views: Tensor, fabric: Fabric) -> tuple[Tensor, int]:
    """Return the vectors of all processes' images and where this process's begin; gradients flow back.

    Args:
        views: of this process's images, (V, B, d).
        fabric: processes, whose images are set side by side: (V, B·processes, d).
    """
    if fabric.world_size == 1:
        return views, 0
    return everyones(fabric, views).transpose(0, 1).flatten(1, 2), fabric.global_rank * views.shape[1]
