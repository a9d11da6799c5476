"""How every figure looks, and how it becomes SVG or PNG. Same data, same bytes (for one version of matplotlib)."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sightline.files.atomic import write_bytes

INK, MUTED, RULE, PAPER = "#1b1f24", "#5d6673", "#c9ced6", "#ffffff"
# Mid tones: each has a contrast of about 3 or more with white and with near black.
COLORS = (
    "#3478d4", "#d1702a", "#2f9158", "#9463c9", "#d14a5a",
    "#21929a", "#cf5c9f", "#8f8526", "#a0694b", "#75808f",
)  # fmt: skip
MARKERS = ("o", "^", "s", "D", "v", "P")
SYMBOLS: dict[str, str] = dict(zip(MARKERS, "●▲■◆▼✚", strict=True))
DPI = 200

_RC: dict[Any, Any] = {
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same metrics on every machine
    "font.size": 8,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.5,
    "path.simplify": True,
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched, and takes the page's font
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "$5"
    "xtick.color": MUTED,
    "xtick.labelsize": 7.5,
    "ytick.color": MUTED,
    "ytick.labelsize": 7.5,
}


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        name: unique on a page; salts the identifiers inside the SVG.
        title: a few words.
        description: what a reader who cannot see it should know.
        draw: draws into the axes given.
        size: inches.
    """

    name: str
    title: str
    description: str
    draw: Callable[[Axes], None]
    size: tuple[float, float] = (3.4, 2.2)


@dataclass(frozen=True)
class Key:
    """One entry of a legend."""

    label: str
    color: str
    marker: str = "o"

    @property
    def symbol(self) -> str:
        """The marker as a character."""
        return SYMBOLS[self.marker]


def color(index: int) -> str:
    """Return the colour of the index-th series; they repeat after ten."""
    return COLORS[index % len(COLORS)]


def svg(panel: Panel) -> str:
    """Return an <svg> element to put inside HTML.

    Ink and rules follow the page's `currentColor`, `--muted` and `--rule`, so it reads on light and dark; the font is
    the page's. It holds no identifiers but the salted ones it refers to itself, and no address.
    """
    with _styled(panel.name):
        figure = Figure(figsize=panel.size, layout="constrained")
        FigureCanvasSVG(figure)
        panel.draw(figure.add_subplot())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, dpi=DPI, metadata={"Date": None, "Creator": None})
    return _inline(buffer.getvalue(), panel)


def png(panels: Sequence[Panel], path: Path, *, columns: int = 2, keys: Sequence[Key] = ()) -> Path:
    """Write panels as one sheet on white, with their titles and one legend below; return `path`."""
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    width, height = panels[0].size
    legend_rows = -(-len(keys) // (3 * columns))
    with _styled(path.stem):
        figure = Figure(figsize=(width * columns, height * rows + 0.2 * legend_rows), layout="constrained")
        canvas = FigureCanvasAgg(figure)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, panel in zip(grid, panels, strict=False):
            panel.draw(axes)
            axes.set_title(panel.title)
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        if keys:
            handles = [Line2D([], [], linestyle="", marker=k.marker, color=k.color, label=k.label) for k in keys]
            figure.legend(handles=handles, loc="outside lower left", ncols=3 * columns, frameon=False)
        buffer = io.BytesIO()
        canvas.print_figure(buffer, format="png", dpi=DPI, facecolor=PAPER, metadata={"Software": None})
    write_bytes(path, buffer.getvalue())
    return path


@contextmanager
def _styled(salt: str) -> Iterator[None]:
    with matplotlib.rc_context({**_RC, "svg.hashsalt": salt}), warnings.catch_warnings():
        # A class name in a script that DejaVu lacks: the page's own font shows it, a PNG shows a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def _inline(text: str, panel: Panel) -> str:
    """Turn matplotlib's SVG document into an element for HTML."""
    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", body))
    body = re.sub(r' id="([^"]+)"', lambda m: m.group(0) if m.group(1) in used else "", body)
    body = body.replace("xlink:href", "href")
    body = re.sub(r"\s*<style.*?</style>", "", body, flags=re.DOTALL)  # would hold for the whole page
    body = re.sub(r"font-family: [^;\"]+;? ?", "", body)
    for fixed, themed in ((INK, "currentColor"), (MUTED, "var(--muted)"), (RULE, "var(--rule)")):
        body = body.replace(fixed, themed)
    view = re.search(r'viewBox="[^"]+"', body)
    assert view is not None, "matplotlib writes a viewBox"
    label = escape(f"{panel.title}. {panel.description}", quote=True)
    opening = f'<svg class="plot" {view.group(0)} role="img" aria-label="{label}">'
    return opening + body[body.index(">") + 1 :].strip()
