"""The comparison at a glance: each arm with its interval and seeds, and each difference with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from sightline.figures.style import INK, MUTED, RULE, Panel, colour

Entry = Mapping[str, Any]
ROW = 0.46  # inches an arm
LABEL_ABOVE = 0.31  # rows
WIDTH = 4.0  # narrow, so that its text can still be read on a phone


def arm_panel(arms: Sequence[Entry]) -> Panel:
    """Return bars from zero with the 95 % interval as a line and each seed as a dot; arms that did not run say so.

    Args:
        arms: entries of `arms` in a study's result.json, all of one metric.
    """

    def draw(axes: Axes) -> None:
        for row, arm in enumerate(arms):
            y = len(arms) - 1 - row
            axes.text(0, y + LABEL_ABOVE, f"{arm['arm']} · {arm.get('name', '')}", va="center", fontsize=8)
            if arm["status"] != "done":
                axes.text(0, y, arm["status"], va="center", color=MUTED, style="italic")
                continue
            axes.barh(y, arm["mean"], height=0.3, color=colour(row), alpha=0.35, linewidth=0)
            axes.plot([arm["low"], arm["high"]], [y, y], color=colour(row), linewidth=2, solid_capstyle="butt")
            axes.plot([arm["mean"]] * 2, [y - 0.15, y + 0.15], color=colour(row), linewidth=2)
            axes.plot(arm["seeds"], [y] * len(arm["seeds"]), "o", color=INK, markersize=2.6, linestyle="")
        axes.set(xlim=(0, _reach(arms)), ylim=(-0.45, len(arms) - 1 + LABEL_ABOVE + 0.25), yticks=[])
        axes.spines["left"].set_color(RULE)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        if _is_accuracy(arms):
            axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))

    name = "arms-accuracy" if _is_accuracy(arms) else "arms-mean-iou"
    return Panel(name, "Accuracy by arm" if _is_accuracy(arms) else "Mean IoU by arm", _describe(arms), draw,
                 (WIDTH, ROW * len(arms) + 0.45))  # fmt: skip


def difference_panel(comparisons: Sequence[Entry], metric: str = "accuracy") -> Panel:
    """Return each difference a − b with its 95 % interval and a line at zero: percentage points, or mean IoU.

    Args:
        comparisons: entries of `comparisons` in a study's result.json, all of one metric; at least one.
        metric: of them, accuracy or mean_iou.
    """
    scale, unit = (100, "percentage points") if metric == "accuracy" else (1, "mean IoU")

    def draw(axes: Axes) -> None:
        axes.axvline(0, color=MUTED, linewidth=1)
        for row, entry in enumerate(comparisons):
            y = len(comparisons) - 1 - row
            decided = entry["verdict"] != "undecided"
            axes.plot([entry["low"], entry["high"]], [y, y], color=INK, linewidth=1.5)
            axes.plot(entry["difference"], y, "o", color=INK, markersize=5, markerfacecolor=INK if decided else "none")
        axes.set_ylim(-0.6, len(comparisons) - 0.4)
        names = [f"{entry['a']} − {entry['b']}" for entry in comparisons]
        axes.set_yticks(range(len(comparisons)), names[::-1], color=INK)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _signed(scale * value)))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
        axes.set_xlabel(unit)

    text = "; ".join(
        f"{e['a']} minus {e['b']}: {e['difference'] * scale:+.3g} {unit}, "
        f"{e['low'] * scale:+.3g} to {e['high'] * scale:+.3g}"
        for e in comparisons
    )
    size = (WIDTH, 0.34 * len(comparisons) + 0.6)
    return Panel(f"differences-{metric}", "Differences between arms", text, draw, size)


def _signed(value: float) -> str:
    return "0" if abs(value) < 1e-9 else f"{value:+.3g}".replace("-", "−")


def _is_accuracy(arms: Sequence[Entry]) -> bool:
    return all(arm.get("metric", "accuracy") == "accuracy" for arm in arms)


def _reach(arms: Sequence[Entry]) -> float:
    values = [value for arm in arms if arm["status"] == "done" for value in (arm["high"], *arm["seeds"])]
    return min(1.0, 1.05 * max(values)) if values else 1.0


def _describe(arms: Sequence[Entry]) -> str:
    return "; ".join(
        f"{a['arm']}: {a['mean']:.3f}, 95 % interval {a['low']:.3f} to {a['high']:.3f}"
        if a["status"] == "done"
        else f"{a['arm']}: {a['status']}"
        for a in arms
    )
