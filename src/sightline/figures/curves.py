"""Learning curves: one line an arm, the mean over its seeds, with the range of the seeds behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from sightline.figures.style import Panel, color
from sightline.runs.metrics import METRICS

Lines = Sequence[Mapping[str, Any]]  # of metrics.jsonl
Series = tuple[np.ndarray, np.ndarray]  # x, y


@dataclass(frozen=True)
class Measure:
    """A logged quantity of training or validation: its key in metrics.jsonl and its title."""

    key: str
    title: str
    percent: bool = False


MEASURES = (
    *(Measure(f"val/{metric.name}", f"Validation {metric.text}", metric.in_percent) for metric in METRICS.values()),
    Measure("val/loss", "Validation loss (nats)"),
    Measure("train/accuracy", "Training accuracy", percent=True),
    Measure("train/pixel_accuracy", "Training pixel accuracy", percent=True),
    Measure("train/loss", "Training loss"),
)
ALIASES = {"train/loss": "loss"}  # the loop's own name for the loss it steps on
LABEL_GAP = 0.07  # of the axes' height, between labels at the ends of lines


def by_epoch(lines: Lines, key: str) -> Series:
    """Return (epochs counted from 1, means of `key` over each epoch's lines); empty when no line has it."""
    scores: dict[int, list[float]] = defaultdict(list)
    for line in lines:
        value = line.get(key, line.get(ALIASES.get(key, key)))
        if value is not None:
            scores[int(line["epoch"]) + 1].append(float(value))
    epochs = sorted(scores)
    return np.array(epochs), np.array([np.mean(scores[epoch]) for epoch in epochs])


def learning_panels(arms: Mapping[str, Sequence[Lines]], prefix: str = "curves") -> list[Panel]:
    """Return a panel for each measure that any run has logged.

    Args:
        arms: metrics.jsonl lines of each seed's run, by arm; a single entry is drawn without a label.
        prefix: of the panels' names.
    """
    panels = []
    for measure in MEASURES:
        key = measure.key
        series = {arm: [s for lines in runs if len((s := by_epoch(lines, key))[0])] for arm, runs in arms.items()}
        if any(series.values()):
            name = f"{prefix}-{key.replace('/', '-')}"
            panels.append(Panel(name, measure.title, _describe(series, key), _drawer(series, measure.percent)))
    return panels


def mean_over_seeds(runs: Sequence[Series]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return epochs, mean, least and greatest over the seeds that reached each epoch."""
    epochs = np.unique(np.concatenate([x for x, _ in runs]))
    columns = [np.concatenate([y[x == epoch] for x, y in runs]) for epoch in epochs]
    return (
        epochs,
        np.array([column.mean() for column in columns]),
        np.array([column.min() for column in columns]),
        np.array([column.max() for column in columns]),
    )


def _drawer(series: Mapping[str, Sequence[Series]], percent: bool) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        ends: list[tuple[str, str, float, float]] = []
        for index, (arm, runs) in enumerate(series.items()):
            if not runs:
                continue
            x, mean, low, high = mean_over_seeds(runs)
            axes.fill_between(x, low, high, color=color(index), alpha=0.18, linewidth=0)
            axes.plot(x, mean, color=color(index), marker="o" if len(x) == 1 else None, markersize=3)
            ends.append((arm, color(index), float(x[-1]), float(mean[-1])))
        finish_axes(axes, percent=percent, x_label="epoch")
        if len(series) > 1:
            label_ends(axes, ends)

    return draw


def finish_axes(axes: Axes, *, percent: bool = False, x_label: str = "", y_label: str = "") -> None:
    """Give axes a grid, whole numbers below, percent at the side where asked, and labels."""
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    if x_label:
        axes.set_xlabel(x_label)
    if y_label:
        axes.set_ylabel(y_label)


def label_ends(axes: Axes, ends: Sequence[tuple[str, str, float, float]]) -> None:
    """Write each line's name at its end, moved apart where lines meet: colour is not the only cue.

    Args:
        axes: drawn into already, so that its limits stand.
        ends: label, colour, x, y.
    """
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top)
    gap = LABEL_GAP * (top - bottom)
    height = -np.inf
    for label, line_color, x, y in sorted(ends, key=lambda end: end[3]):
        height = max(y, height + gap)
        axes.annotate(
            label, (x, height), xytext=(4, 0), textcoords="offset points", color=line_color, va="center",
            weight="bold", annotation_clip=False,
        )  # fmt: skip


def _describe(series: Mapping[str, Sequence[Series]], key: str) -> str:
    parts = []
    for arm, runs in series.items():
        if runs:
            x, mean, _, _ = mean_over_seeds(runs)
            who = f"{arm}: " if arm else ""
            parts.append(f"{who}{mean[0]:.3g} at epoch {x[0]}, {mean[-1]:.3g} at epoch {x[-1]}")
    return f"{key} by epoch, mean over seeds. " + "; ".join(parts)
