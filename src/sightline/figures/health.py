"""Health of a self-supervised run, measured without labels: one small panel a quantity, with a reference value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from sightline.figures.curves import Lines, by_epoch, finish_axes
from sightline.figures.style import MUTED, Panel, color
from sightline.runs.results import COMMON_HEALTH, HealthPlot

COMMON_SCHEDULES = (HealthPlot(name="lr", title="Learning rate", words="by step"),)


def logged(lines: Lines, plots: Sequence[HealthPlot]) -> list[HealthPlot]:
    """Return the plots whose quantity some line has."""
    return [plot for plot in plots if len(by_epoch(lines, plot.name)[0])]


def health_panels(lines: Lines, plots: Sequence[HealthPlot] = COMMON_HEALTH) -> list[Panel]:
    """Return a panel for each health value that was logged, by epoch.

    Args:
        lines: of the run's metrics.jsonl.
        plots: what to draw, and how; a method brings its own.
    """
    return [_panel(plot, *by_epoch(lines, plot.name), "epoch") for plot in logged(lines, plots)]


def schedule_panels(lines: Lines, plots: Sequence[HealthPlot] = COMMON_SCHEDULES) -> list[Panel]:
    """Return a panel for each schedule that was logged, by step."""
    panels = []
    for plot in plots:
        points = [(line["step"], line[plot.name]) for line in lines if plot.name in line]
        if points:
            x, y = (np.array(column, dtype=np.float64) for column in zip(*points, strict=True))
            panels.append(_panel(plot, x, y, "step"))
    return panels


def _reference(plot: HealthPlot, y: np.ndarray) -> float | None:
    """Return where to draw the line to compare with, where the curve comes near enough to it."""
    if plot.reference_from is not None and y.max() <= plot.reference_from:
        return None
    return plot.reference


def _panel(plot: HealthPlot, x: np.ndarray, y: np.ndarray, unit: str) -> Panel:
    reference = _reference(plot, y)

    def draw(axes: Axes) -> None:
        axes.plot(x, y, color=color(0), marker="o" if len(x) < 15 else None, markersize=2.5)
        if reference is not None:
            axes.axhline(reference, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        finish_axes(axes, percent=plot.percent, x_label=unit, y_label=plot.y_label)
        if plot.from_zero:
            axes.set_ylim(bottom=0)

    text = f"{plot.words}; {y[0]:.3g} at {unit} {x[0]:g}, {y[-1]:.3g} at {unit} {x[-1]:g}"
    if reference is not None and plot.reference_label:
        text += f"; the line at {reference:.3g} is {plot.reference_label}"
    return Panel(plot.name.replace("/", "-"), plot.title, text, draw, (2.6, 1.7))
