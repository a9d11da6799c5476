"""The comparison at a glance: each arm with its interval and seeds, and each difference with its interval."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from sightline.confidence import INTERVAL
from sightline.figures.style import INK, MUTED, RULE, Panel, color
from sightline.runs.metrics import Metric
from sightline.runs.study_result import ArmResult, Comparison

ROW = 0.46  # inches an arm
LABEL_ABOVE = 0.31  # rows
WIDTH = 4.0  # narrow, so that its text can still be read on a phone


def arm_panel(arms: Sequence[ArmResult]) -> Panel:
    """Return bars from zero with the 95 % interval as a line and each seed as a dot; arms that did not run say so.

    Args:
        arms: of a study, all of one metric; at least one.
    """
    metric = arms[0].measure

    def draw(axes: Axes) -> None:
        for row, arm in enumerate(arms):
            y, score = len(arms) - 1 - row, arm.score
            axes.text(0, y + LABEL_ABOVE, f"{arm.arm} · {arm.name}", va="center", fontsize=8)
            if score is None:
                axes.text(0, y, arm.status, va="center", color=MUTED, style="italic")
                continue
            axes.barh(y, score.mean, height=0.3, color=color(row), alpha=0.35, linewidth=0)
            axes.plot([score.low, score.high], [y, y], color=color(row), linewidth=2, solid_capstyle="butt")
            axes.plot([score.mean] * 2, [y - 0.15, y + 0.15], color=color(row), linewidth=2)
            axes.plot(score.seeds, [y] * len(score.seeds), "o", color=INK, markersize=2.6, linestyle="")
        axes.set(xlim=(0, _reach(arms, metric)), ylim=(-0.45, len(arms) - 1 + LABEL_ABOVE + 0.25), yticks=[])
        axes.spines["left"].set_color(RULE)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        if metric.in_percent:
            axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))

    name = f"arms-{metric.name.replace('_', '-')}"
    return Panel(name, f"{metric.title} by arm", _describe(arms), draw, (WIDTH, ROW * len(arms) + 0.45))


def difference_panel(comparisons: Sequence[Comparison], metric: Metric) -> Panel:
    """Return each difference a − b with its 95 % interval and a line at zero.

    Args:
        comparisons: of a study, all of one metric; at least one.
        metric: of them; it has the unit.
    """
    scale, unit = metric.scale, metric.unit

    def draw(axes: Axes) -> None:
        axes.axvline(0, color=MUTED, linewidth=1)
        for row, of in enumerate(comparisons):
            y = len(comparisons) - 1 - row
            axes.plot([of.low, of.high], [y, y], color=INK, linewidth=1.5)
            axes.plot(of.difference, y, "o", color=INK, markersize=5, markerfacecolor=INK if of.decided else "none")
        axes.set_ylim(-0.6, len(comparisons) - 0.4)
        names = [f"{of.a} − {of.b}" for of in comparisons]
        axes.set_yticks(range(len(comparisons)), names[::-1], color=INK)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _signed(scale * value)))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
        axes.set_xlabel(unit)

    text = "; ".join(
        f"{of.a} minus {of.b}: {of.difference * scale:+.3g} {unit}, {of.low * scale:+.3g} to {of.high * scale:+.3g}"
        for of in comparisons
    )
    size = (WIDTH, 0.34 * len(comparisons) + 0.6)
    return Panel(f"differences-{metric.name}", "Differences between arms", text, draw, size)


def _signed(value: float) -> str:
    return "0" if abs(value) < 1e-9 else f"{value:+.3g}".replace("-", "−")


def _reach(arms: Sequence[ArmResult], metric: Metric) -> float:
    """Return where the axis ends: behind the farthest mark, but not beyond what the metric can reach."""
    top = 1.0 if metric.top is None else metric.top
    values = [value for arm in arms if arm.score is not None for value in (arm.score.high, *arm.score.seeds)]
    if not values:
        return top
    return 1.05 * max(values) if metric.top is None else min(top, 1.05 * max(values))


def _describe(arms: Sequence[ArmResult]) -> str:
    return "; ".join(
        f"{arm.arm}: {arm.score.mean:.3f}, {INTERVAL} {arm.score.low:.3f} to {arm.score.high:.3f}"
        if arm.score is not None
        else f"{arm.arm}: {arm.status}"
        for arm in arms
    )
