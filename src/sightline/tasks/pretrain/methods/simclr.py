"""SimCLR: a simple framework for contrastive learning of visual representations (Chen et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from sightline.config import PretrainConfig
from sightline.config.methods.simclr import SimclrConfig
from sightline.engine.ranks import everyones
from sightline.models import Backbone, projector
from sightline.models.cpu import place
from sightline.runs.numbers import plain
from sightline.runs.results import HealthPlot, MethodReport
from sightline.tasks.pretrain.methods.base import Crops, EpochMeans, MeansMethod, ProjectedViews, gather_images

PLATEAU = 0.99  # of chance: a loss this near after the warm-up has learned next to nothing
# Uniformity of projections that all but coincide; evenly spread ones of many dimensions come to −4.
CLUMPED = -0.1
MEANS = ("contrastive_loss", "contrastive_accuracy", "alignment", "uniformity")


class Contrast(NamedTuple):
    """Scalars of one batch.

    Attributes:
        loss: NT-Xent, in nats.
        accuracy: share of views whose nearest other view is of the same image.
        alignment: mean squared distance between the two views of an image (Wang and Isola 2020, section 4.1).
        uniformity: log mean of exp(−2·squared distance) between views of different images (section 4.1).
    """

    loss: Tensor
    accuracy: Tensor
    alignment: Tensor
    uniformity: Tensor


def nt_xent(views: Tensor, everyone: Tensor, first: int, temperature: float) -> Contrast:
    """Return the normalized temperature-scaled cross-entropy (equation 1 and algorithm 1 of the paper).

    With s(i, j) the cosine of projections i and j over the temperature, and p(i) the other view of i's image::

        loss = mean over i of −s(i, p(i)) + log Σ_{j ≠ i} exp s(i, j)

    Args:
        views: projections of norm one of this process's images, float32 (2, B, d).
        everyone: those of all processes, float32 (2, N, d).
        first: where this process's images begin among the N.
        temperature: above 0.
    """
    batch, images = views.shape[1], everyone.shape[1]
    cosines = views.flatten(0, 1) @ everyone.flatten(0, 1).T
    place = torch.arange(first, first + batch, device=views.device)
    itself, positive = torch.cat([place, images + place]), torch.cat([images + place, place])
    logits = (cosines / temperature).scatter(1, itself[:, None], -math.inf)
    loss = functional.cross_entropy(logits, positive)
    with torch.no_grad():
        accuracy = (logits.argmax(dim=1) == positive).float().mean()
        pairs = cosines.gather(1, positive[:, None])
        # ‖x − y‖² = 2 − 2⟨x, y⟩ of vectors of norm one.
        potentials = (4 * (cosines - 1)).scatter(1, torch.stack([itself, positive], dim=1), -math.inf)
        others = max(1, len(cosines) * (2 * images - 2))
        uniformity = potentials.flatten().logsumexp(dim=0) - math.log(others)
        return Contrast(loss, accuracy, (2 - 2 * pairs).mean(), uniformity)


class Simclr(MeansMethod):
    """Backbone and projector; two views of an image attract each other, views of different images repel.

    With several processes, negatives are the images of all of them; with `accumulate`, those of one batch at a time.
    """

    def __init__(self, backbone: Backbone, config: PretrainConfig, fabric: Fabric, steps_per_epoch: int) -> None:
        del steps_per_epoch
        simclr = config.method
        assert isinstance(simclr, SimclrConfig)
        self.simclr, self.fabric, self._chance = simclr, fabric, chance_loss(config.batch_size)
        head = projector(backbone.dim, (simclr.hidden,), simclr.projection, batch_norm=simclr.batch_norm)
        network = ProjectedViews(backbone, head)
        self.network = place(network, fabric.device)
        self.backbone = self.network.backbone
        self.means = EpochMeans(MEANS, fabric)

    def loss(self, network: nn.Module, crops: Crops) -> tuple[Tensor, dict[str, Tensor]]:
        """Return NT-Xent over the two global views of this process's images, and its accuracy."""
        projections = network(crops[0])
        # In 32 bits: a cosine's rounding in bf16, 2⁻⁹, is a fiftieth of a logit at a temperature of 0.1.
        with torch.autocast(projections.device.type, enabled=False):
            views = functional.normalize(projections, dim=-1)
            contrast = nt_xent(views, *gather_images(views, self.fabric), self.simclr.temperature)
        if self.fabric.world_size > 1:
            # A mean of logarithms is not the logarithm of the mean.
            every = everyones(self.fabric, contrast.uniformity)
            contrast = contrast._replace(uniformity=every.logsumexp(dim=0) - math.log(len(every)))
        self.means.add(*contrast)
        return contrast.loss, {"contrastive_accuracy": contrast.accuracy}

    def remarks(self, health: Mapping[str, float]) -> list[str]:
        """Name a plateau at chance and projections that all but coincide."""
        findings = []
        loss, uniformity = health.get("contrastive_loss", 0.0), health.get("uniformity", -math.inf)
        if loss > PLATEAU * self._chance:
            findings.append(
                f"plateau at chance: the contrastive loss is {loss:.2f} of a guess's {self._chance:.2f} nats. Raise "
                "optim.lr, or change method.temperature"
            )
        if uniformity > CLUMPED:
            findings.append(
                f"collapse of the projections: their uniformity is {uniformity:.3f}, all point one way. Lower "
                "optim.lr, lengthen optim.warmup_epochs, or raise batch_size for more negatives"
            )
        return findings

    @classmethod
    def report(cls, config: PretrainConfig) -> MethodReport:
        """Return SimCLR's settings in the terms of its paper, and how to read what it logs."""
        simclr = config.method
        assert isinstance(simclr, SimclrConfig)
        norm = "with batch norm" if simclr.batch_norm else "without batch norm"
        return MethodReport(
            name="simclr",
            title="SimCLR",
            rows=(
                ("Projector", f"{simclr.hidden}, {simclr.projection}, {norm}"),
                ("Temperature", plain(simclr.temperature)),
                ("Negatives", f"{2 * (config.batch_size - 1)} a view"),
            ),
            health=_health(config.batch_size),
            fine="No plateau at chance and no collapse was found.",
        )


def chance_loss(images: int) -> float:
    """Return the loss of a guess among the 2N − 1 other views of a batch of N images, in nats."""
    return math.log(2 * images - 1)


def _health(images: int) -> tuple[HealthPlot, ...]:
    return (
        HealthPlot(
            name="health/contrastive_loss",
            title="Contrastive loss (nats)",
            words="lower finds the other view among all views of the batch",
            reference=chance_loss(images),
            reference_label="ln(2N − 1), a guess",
            unlearnt_from=PLATEAU * chance_loss(images),
        ),
        HealthPlot(
            name="health/contrastive_accuracy",
            title="Contrastive accuracy",
            words="share of views whose nearest other view is of the same image",
            percent=True,
            from_zero=True,
            reference=1 / (2 * images - 1),
            reference_label="a guess",
        ),
        HealthPlot(
            name="health/alignment",
            title="Alignment",
            words="mean squared distance between the two views of an image; lower is nearer",
            from_zero=True,
        ),
        HealthPlot(
            name="health/uniformity",
            title="Uniformity",
            words="0 when all projections coincide, lower is more evenly spread",
        ),
    )
