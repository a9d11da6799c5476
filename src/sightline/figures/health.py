"""How a self-supervised run went, told without labels: one small panel a quantity, each with what to compare it to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from sightline.figures.curves import Lines, by_epoch, finish_axes
from sightline.figures.style import MUTED, Panel, colour


@dataclass(frozen=True)
class Quantity:
    """A logged value and how to read it."""

    key: str
    title: str
    reading: str
    percent: bool = False
    from_zero: bool = False


HEALTH = (
    Quantity("health/loss_over_ln_k", "Loss / ln K", "1 is a uniform guess over the prototypes"),
    Quantity("health/teacher_entropy", "Teacher entropy / ln K", "1 says nothing, 0 is certain"),
    Quantity("health/kl_to_uniform", "KL to uniform (nats)", "ln K when all samples share one prototype"),
    Quantity("health/prototypes_used", "Prototypes used", "share that won at least one sample", True, True),
    Quantity("health/rankme", "RankMe", "effective rank of the features", from_zero=True),
    Quantity("health/feature_std", "Feature spread", "1 is a random direction, 0 is collapse", from_zero=True),
    Quantity("knn/accuracy", "k-NN accuracy", "labels used for looking only", True),
)
SCHEDULES = (
    Quantity("lr", "Learning rate", "by step"),
    Quantity("momentum", "Teacher momentum", "by step"),
    Quantity("teacher_temperature", "Teacher temperature", "by step"),
)
UNIFORM_LOSS = 1.0  # of ln K


def health_panels(lines: Lines, prototypes: int | None = None) -> list[Panel]:
    """Return a panel for each health value that was logged, by epoch.

    Args:
        lines: of the run's metrics.jsonl.
        prototypes: K; marks ln K where the KL comes near it.
    """
    panels = []
    for quantity in HEALTH:
        x, y = by_epoch(lines, quantity.key)
        if len(x):
            panels.append(_panel(quantity, x, y, "epoch", _mark(quantity, y, prototypes)))
    return panels


def schedule_panels(lines: Lines) -> list[Panel]:
    """Return a panel for each schedule that was logged, by step."""
    panels = []
    for quantity in SCHEDULES:
        found = [(line["step"], line[quantity.key]) for line in lines if quantity.key in line]
        if found:
            x, y = (np.array(column, dtype=np.float64) for column in zip(*found, strict=True))
            panels.append(_panel(quantity, x, y, "step", None))
    return panels


def readings(panels: Sequence[Panel]) -> list[str]:
    """Return "title: how to read it" of the panels given, in their order."""
    known = {quantity.title: quantity.reading for quantity in (*HEALTH, *SCHEDULES)}
    return [f"{panel.title}: {known[panel.title]}" for panel in panels if panel.title in known]


def _mark(quantity: Quantity, y: np.ndarray, prototypes: int | None) -> float | None:
    if quantity.key == "health/loss_over_ln_k":
        return UNIFORM_LOSS
    if quantity.key == "health/kl_to_uniform" and prototypes and y.max() > math.log(prototypes) / 2:
        return math.log(prototypes)
    return None


def _panel(quantity: Quantity, x: np.ndarray, y: np.ndarray, unit: str, mark: float | None) -> Panel:
    def draw(axes: Axes) -> None:
        axes.plot(x, y, color=colour(0), marker="o" if len(x) < 15 else None, markersize=2.5)
        if mark is not None:
            axes.axhline(mark, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        finish_axes(axes, percent=quantity.percent, x_label=unit)
        if quantity.from_zero:
            axes.set_ylim(bottom=0)

    text = f"{quantity.reading}; {y[0]:.3g} at {unit} {x[0]:g}, {y[-1]:.3g} at {unit} {x[-1]:g}"
    return Panel(quantity.key.replace("/", "-"), quantity.title, text, draw, (2.6, 1.7))
