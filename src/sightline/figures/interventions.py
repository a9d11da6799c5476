"""What a trained network loses when one skip is replaced at test time."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from sightline.figures.style import MUTED, Panel, color
from sightline.runs.results import Interventions

WIDTH = 4.0  # inches, as the other pictures of results


def intervention_panel(measured: Interventions, name: str = "") -> Panel:
    """Return bars of the change in mean IoU, a group for each skip and a bar for each kind.

    Args:
        measured: of the network.
        name: of the arm, for a unique panel name.
    """
    skips = measured.skips
    kinds = list(next(iter(skips.values())))

    def draw(axes: Axes) -> None:
        height = 0.8 / len(kinds)
        for index, kind in enumerate(kinds):
            values = [replaced[kind].change for replaced in skips.values()]
            places = np.arange(len(skips)) + (index - (len(kinds) - 1) / 2) * height
            axes.barh(places, values, height=height * 0.9, color=color(index), label=kind)
        axes.axvline(0, color=MUTED, linewidth=1)
        axes.set_yticks(range(len(skips)), [f"skip {skip}" for skip in skips])
        axes.invert_yaxis()
        axes.set_xlabel(f"change of mean IoU (all skips: {measured.mean_iou:.3f})")
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.legend(frameon=False, fontsize=7.5, loc="best")

    text = "; ".join(
        f"{kind} skip {skip}: {replaced[kind].change:+.3f}" for skip, replaced in skips.items() for kind in kinds
    )
    size = (WIDTH, 0.45 * len(skips) + 0.8)
    return Panel(f"interventions-{name}", "Skips replaced at test time", text, draw, size)
