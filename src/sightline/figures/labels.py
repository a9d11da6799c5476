"""Scores over the number of labels: one line an arm, with its interval as a band."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, PercentFormatter

from sightline.figures.curves import label_ends
from sightline.figures.style import INK, Panel, color
from sightline.runs.metrics import Metric
from sightline.runs.study_result import LabelCurve


def label_panel(curves: Sequence[LabelCurve], metric: Metric) -> Panel:
    """Return each arm's mean over draws on a logarithmic axis of labels, its 95 % interval, and each draw as a dot.

    Args:
        curves: of a study; at least one with a point.
        metric: of them.
    """

    def draw(axes: Axes) -> None:
        ends: list[tuple[str, str, float, float]] = []
        ticks: set[int] = set()
        axes.set_xscale("log")
        for index, curve in enumerate(curves):
            if not curve.points:
                continue
            labels = [point.labels for point in curve.points]
            ticks.update(labels)
            low, high = [point.low for point in curve.points], [point.high for point in curve.points]
            axes.fill_between(labels, low, high, color=color(index), alpha=0.18, linewidth=0)
            axes.plot(labels, [point.mean for point in curve.points], color=color(index), marker="o", markersize=3)
            for point in curve.points:
                axes.plot([point.labels] * len(point.seeds), point.seeds, ".", color=INK, markersize=2, linestyle="")
            ends.append((curve.arm, color(index), float(labels[-1]), curve.points[-1].mean))
        axes.set_xticks(sorted(ticks), [str(tick) for tick in sorted(ticks)])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("labels for training")
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        if metric.in_percent:
            axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        label_ends(axes, ends)

    return Panel("labels", f"{metric.title} by number of labels", _describe(curves), draw, (4.2, 2.8))


def _describe(curves: Sequence[LabelCurve]) -> str:
    parts = []
    for curve in curves:
        if curve.points:
            first, last = curve.points[0], curve.points[-1]
            parts.append(f"{curve.arm}: {first.mean:.3f} of {first.labels} labels, {last.mean:.3f} of {last.labels}")
    return "Mean over draws by number of labels. " + "; ".join(parts)
