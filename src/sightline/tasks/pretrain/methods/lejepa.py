"""LeJEPA: provable and scalable self-supervised learning without the heuristics (Balestriero and LeCun 2025).

Projections of an image's views are drawn to their mean, and SIGReg (sketched isotropic Gaussian regularization, their
section 4) keeps all projections together distributed as N(0, I), which no collapsed network's are. There is no second
network, no stop-gradient and no schedule of the method's own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from sightline.config import PretrainConfig
from sightline.config.methods.lejepa import LejepaConfig
from sightline.engine.ranks import everyones
from sightline.engine.task import Values
from sightline.models import Backbone, projector
from sightline.models.cpu import place
from sightline.randomness import generator
from sightline.runs.numbers import plain
from sightline.runs.results import HealthPlot, MethodReport
from sightline.tasks.pretrain.methods.base import Crops, EpochMeans, MeansMethod, ProjectedViews

# The statistic's integral, as in algorithm 1: the trapezoid rule on 17 knots from −5 to 5. The integrand is even, so
# the 9 knots from 0 on give the same number at half the work.
LIMIT, KNOTS = 5.0, 9
COLLAPSED = 0.9  # of the statistic of projections that are all 0: SIGReg has not begun to spread them
MEANS = ("sigreg", "prediction", "projection_std")


def directions(seed: int, step: int, width: int, slices: int) -> np.ndarray:
    """Return the slices of a step, float32 (width, slices), uniform on the sphere: the same in every process."""
    normal = generator(seed, "lejepa/slices", sample=step).standard_normal((width, slices), dtype=np.float32)
    return normal / np.linalg.norm(normal, axis=0)


def knots(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """Return the knots t ≥ 0, the characteristic function of N(0, 1) there, and the weights of both halves together."""
    t = torch.linspace(0, LIMIT, KNOTS, dtype=dtype)
    normal = (-t.square() / 2).exp()
    trapezoid = torch.full_like(t, 2 * LIMIT / (KNOTS - 1))
    trapezoid[[0, -1]] /= 2
    # The integrand is weighted by exp(−t²/2) too.
    return t, normal, trapezoid * normal


def sigreg(projections: Tensor, slices: Tensor, fabric: Fabric) -> Tensor:
    """Return SIGReg by the Epps-Pulley statistic (algorithm 1 of the paper), a scalar.

    With φ(t) = exp(−t²/2) and z the N projections of a view, all processes together::

        SIGReg = mean over views and slices a of N ∫ |mean_n exp(i t ⟨a, z_n⟩) − φ(t)|² φ(t) dt

    It is `gaussian_level()` on average where z is Gaussian, whatever N is.

    Args:
        projections: of this process's images, float32 (V, B, d).
        slices: of norm one, float32 (d, M), the same in every process.
        fabric: processes, whose characteristic functions are averaged; gradients flow back.
    """
    t, normal, weights = (values.to(projections.device) for values in knots(projections.dtype))
    waves = (projections @ slices).unsqueeze(-1) * t
    function = torch.stack([waves.cos().mean(dim=1), waves.sin().mean(dim=1)])
    images = projections.shape[1] * fabric.world_size
    if fabric.world_size > 1:
        function = everyones(fabric, function).mean(dim=0)
    real, imaginary = function
    errors = (real - normal).square() + imaginary.square()
    return images * (errors @ weights).mean()


def prediction(projections: Tensor, globals_: int) -> Tensor:
    """Return the mean squared distance, a dimension, of views to their image's mean global view (algorithm 2).

    Args:
        projections: float32 (V, B, d), the global views first.
        globals_: how many of the views are global.
    """
    return (projections - projections[:globals_].mean(dim=0)).square().mean()


def spread(projections: Tensor, fabric: Fabric) -> Tensor:
    """Return the std over the images of all processes, mean over views and dimensions, of projections (V, B, d)."""
    if fabric.world_size == 1:
        return projections.std(dim=1, correction=0).mean()
    variances, means = torch.var_mean(projections, dim=1, correction=0)
    variances, means = everyones(fabric, torch.stack([variances, means])).transpose(0, 1)
    return (variances.mean(dim=0) + means.var(dim=0, correction=0)).sqrt().mean()


def gaussian_level() -> float:
    """Return SIGReg's mean for N(0, I): N·E|mean exp(itz) − φ|² is 1 − φ², so it does not depend on N."""
    _, normal, weights = knots()
    return float(((1 - normal.square()) * weights).sum())


def collapsed_level(images: int) -> float:
    """Return SIGReg of projections that are all 0."""
    _, normal, weights = knots()
    return images * float(((1 - normal).square() * weights).sum())


class Lejepa(MeansMethod):
    """Backbone and projector, on global and local views alike."""

    def __init__(self, backbone: Backbone, config: PretrainConfig, fabric: Fabric, steps_per_epoch: int) -> None:
        del steps_per_epoch
        lejepa = config.method
        assert isinstance(lejepa, LejepaConfig)
        self.lejepa, self.fabric = lejepa, fabric
        self._seed, self._step, self._images = config.seed, 0, config.batch_size
        hidden = (lejepa.hidden, lejepa.hidden)
        network = ProjectedViews(
            backbone, projector(backbone.dim, hidden, lejepa.projection, batch_norm=lejepa.batch_norm)
        )
        self.network = place(network, fabric.device)
        self.backbone = self.network.backbone
        self.means = EpochMeans(MEANS, fabric)

    def schedule(self, step: int) -> Values:
        """Take the slices of `step`."""
        self._step = step
        return ()

    def loss(self, network: nn.Module, crops: Crops) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (1 − λ)·prediction + λ·SIGReg, and both."""
        lejepa, globals_ = self.lejepa, len(crops[0])
        projections = network(*crops)
        # In 32 bits: bf16 would round the angle of a projection of 3 at the last knot, 15 rad, by up to 0.03.
        with torch.autocast(projections.device.type, enabled=False):
            slices = torch.from_numpy(directions(self._seed, self._step, lejepa.projection, lejepa.slices))
            statistic = sigreg(projections, slices.to(projections.device), self.fabric)
            distance = prediction(projections, globals_)
        self.means.add(statistic, distance, spread(projections.detach()[:globals_], self.fabric))
        loss = (1 - lejepa.sigreg) * distance + lejepa.sigreg * statistic
        return loss, {"prediction": distance, "sigreg": statistic}

    def remarks(self, health: Mapping[str, float]) -> list[str]:
        """Name projections that have collapsed to a point."""
        level = collapsed_level(self._images)
        if health.get("sigreg", 0.0) <= COLLAPSED * level:
            return []
        return [
            f"collapse of the projections: SIGReg is {health['sigreg']:.1f} where all being 0 gives {level:.1f}. Raise "
            "method.sigreg or optim.lr"
        ]

    @classmethod
    def report(cls, config: PretrainConfig) -> MethodReport:
        """Return LeJEPA's settings in the terms of its paper, and how to read what it logs."""
        lejepa = config.method
        assert isinstance(lejepa, LejepaConfig)
        norm = "with batch norm" if lejepa.batch_norm else "without batch norm"
        return MethodReport(
            name="lejepa",
            title="LeJEPA",
            rows=(
                ("Projector", f"{lejepa.hidden}, {lejepa.hidden}, {lejepa.projection}, {norm}"),
                ("SIGReg", f"weight {plain(lejepa.sigreg)}, {lejepa.slices} slices a step"),
            ),
            health=_health(),
            fine="No collapse was found.",
        )


def _health() -> tuple[HealthPlot, ...]:
    return (
        HealthPlot(
            name="health/sigreg",
            title="SIGReg",
            words="how far the projections are from N(0, I), by the Epps-Pulley statistic; lower is nearer",
            from_zero=True,
            reference=gaussian_level(),
            reference_label="its mean for N(0, I)",
        ),
        HealthPlot(
            name="health/prediction",
            title="Prediction loss",
            words="mean squared distance of views to their image's mean, a dimension; 0 where views agree",
            from_zero=True,
        ),
        HealthPlot(
            name="health/projection_std",
            title="Spread of the projections",
            words="std over images, mean over dimensions; 0 is collapse to a point",
            from_zero=True,
            reference=1.0,
            reference_label="that of N(0, I)",
        ),
    )
