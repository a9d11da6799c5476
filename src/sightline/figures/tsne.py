"""The t-SNE pair: the same samples in the same colours at the first and at the last epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes

from sightline.figures.style import COLORS, MARKERS, Key, Panel, color

PLURALS = {"class": "classes", "style": "styles"}


def class_keys(labels: Sequence[str]) -> list[Key]:
    """Return one key a class in sorted order: ten colours, then the next marker, 60 in all before they repeat."""
    return [
        Key(name, color(index), MARKERS[index // len(COLORS) % len(MARKERS)])
        for index, name in enumerate(sorted(set(labels)))
    ]


def tsne_panels(
    first: np.ndarray,
    last: np.ndarray,
    labels: Sequence[str],
    titles: tuple[str, str] = ("First epoch", "Last epoch"),
    of: Literal["class", "style"] = "class",
) -> list[Panel]:
    """Return two panels.

    Args:
        first: float (N, 2), the map at the first epoch.
        last: float (N, 2), the map of the same samples at the last epoch.
        labels: class or style of each sample.
        titles: of the two panels.
        of: which of the two it is.
    """
    names = np.asarray(labels)
    keys = class_keys(labels)
    text = f"t-SNE map of {len(names)} samples of {len(keys)} {PLURALS[of]}"
    text += "; how well classes separate is given in numbers" if of == "class" else ""
    prefix = "tsne" if of == "class" else f"tsne-{of}"
    return [
        Panel(f"{prefix}-{stage}", title, text, _drawer(points, names, keys), (3.4, 3.4))
        for stage, points, title in zip(("first", "last"), (first, last), titles, strict=True)
    ]


def _drawer(points: np.ndarray, names: np.ndarray, keys: Sequence[Key]):
    side = float(np.clip(500 / np.sqrt(len(points)), 4, 22))  # square points: fewer samples, larger dots

    def draw(axes: Axes) -> None:
        for key in keys:
            cluster = points[names == key.label]
            # As pixels inside the SVG: thousands of elements would make the page slow.
            axes.scatter(cluster[:, 0], cluster[:, 1], s=side, c=key.color, marker=key.marker, alpha=0.75, linewidths=0,
                         rasterized=True)  # fmt: skip
        axes.set(xticks=[], yticks=[])
        axes.set_aspect("equal", adjustable="datalim")
        for spine in axes.spines.values():
            spine.set_visible(True)

    return draw
