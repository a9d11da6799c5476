"""What a classifier confuses, as a matrix, and how often it is right by how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import PercentFormatter

from sightline.figures.style import COLORS, INK, MUTED, RULE, Panel
from sightline.metrics.classification import Reliability
from sightline.runs.numbers import percent

NAMED = 14  # classes whose names still fit beside the matrix
WRITTEN = 8  # classes whose shares still fit into the cells
DARKEST = 0.75  # a cell's text stays readable on it, on light and on dark pages


def confusion_panel(confusion: np.ndarray, classes: Sequence[str], name: str, title: str) -> Panel:
    """Return a matrix of shares of each true class, rows truth, columns prediction.

    Args:
        confusion: images, int64 (K, K).
        classes: K names.
        name: of the panel.
        title: above it.
    """
    samples = confusion.sum(axis=1, keepdims=True)
    shares = confusion / np.where(samples, samples, 1)

    def draw(axes: Axes) -> None:
        cells = np.zeros((*shares.shape, 4))
        cells[..., :3], cells[..., 3] = to_rgb(COLORS[0]), DARKEST * shares
        axes.imshow(cells, interpolation="nearest")
        if len(classes) <= WRITTEN:
            for (row, column), share in np.ndenumerate(shares):
                if share:
                    axes.text(column, row, percent(share, 0), ha="center", va="center", fontsize=6, color=INK)
        ticks = range(len(classes)) if len(classes) <= NAMED else ()
        axes.set_xticks(list(ticks), [classes[i] for i in ticks], rotation=90, color=INK)
        axes.set_yticks(list(ticks), [classes[i] for i in ticks], color=INK)
        axes.tick_params(length=0)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true class")
        for side in axes.spines.values():
            side.set_visible(True)
            side.set_color(RULE)

    right = "; ".join(f"{of} {percent(shares[i, i])}" for i, of in enumerate(classes) if samples[i, 0])
    return Panel(name, title, f"Share of each true class that is named right: {right}", draw, (3.2, 3.0))


def reliability_panel(of: Reliability, name: str, title: str) -> Panel:
    """Return accuracy over confidence by bin, the size of a dot by its share of the images, and the line of equality.

    Args:
        of: at least one sample.
        name: of the panel.
        title: above it.
    """
    full = of.counts > 0
    confidence, accuracy, shares = of.confidence[full], of.accuracy[full], of.counts[full] / of.counts.sum()

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
        axes.vlines(confidence, confidence, accuracy, color=COLORS[0], alpha=0.5)
        axes.scatter(confidence, accuracy, s=8 + 120 * shares, color=COLORS[0], linewidths=0, alpha=0.8)
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="confidence", ylabel="right")
        axes.grid(axis="both")
        axes.set_axisbelow(True)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))

    pairs = zip(confidence, accuracy, strict=True)
    text = "; ".join(f"{percent(sure)} sure: {percent(right)} right" for sure, right in pairs)
    return Panel(name, title, text, draw, (2.6, 2.4))
