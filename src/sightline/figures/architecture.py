"""A segmentation network as a diagram, from its description (plain data): what runs, at what size, what is skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from sightline.figures.style import INK, MUTED, RULE, Panel, color
from sightline.runs.architecture import ArchitectureDescription, SkipDescription, StageDescription, network_title

Box = tuple[float, float]  # centre, in the units of the axes: one is an inch on paper
Places = tuple[dict[str, Box], tuple[float, float]]  # by stage, and the size of the whole

BOX_WIDTH, BOX_HEIGHT, ROW = 1.16, 0.4, 0.64
STEP = 0.2  # by which each row of the U is further in
ENCODER, DECODER, CONTEXT, HEAD, GONE = color(0), color(1), color(3), color(2), color(4)
ROLES = {"encoder": ENCODER, "decoder": DECODER, "context": CONTEXT, "head": HEAD}
MARGIN = 0.62  # at the left, for strides
WORDS = {"zeroed": "zeroed", "removed": "removed", "random": "one of these gone, at random"}


def architecture_panel(description: ArchitectureDescription) -> Panel:
    """Return the diagram of a network: a U for one with skips, else its encoder and what comes after.

    Args:
        description: of the network.
    """
    names = {stage.name: stage for stage in description.stages}
    encoder = [stage for stage in description.stages if stage.role == "encoder"]
    if any(name.startswith("decoder.") for name in names):
        places, size = _place_u(description.stages, encoder)
    elif "aspp" in names:
        places, size = _place_pyramid(encoder)
    else:
        places, size = _place_plain(encoder, _rest(description))

    def draw(axes: Axes) -> None:
        axes.set_xlim(0, size[0])
        axes.set_ylim(-size[1] + 0.3, 0.3)
        axes.set_aspect("equal")
        axes.set_axis_off()
        _draw_image(axes, places["image"], description)
        _draw_strides(axes, [names[name] for name in names if name in places], places)
        for name, place in places.items():
            if name != "image":
                _draw_stage(axes, names[name], place, description)
        _draw_flow(axes, description, places)
        for skip in description.skips:
            _draw_skip(axes, skip, places)
        axes.text(
            size[0] / 2, -size[1] + 0.36, _caption(description), ha="center", va="bottom", color=MUTED, fontsize=7.5
        )

    title = f"{network_title(description.model)} on {description.encoder}"
    return Panel(f"architecture-{description.model}", title, _describe(description), draw, size)


# -- where things are
def _place_u(stages: Sequence[StageDescription], encoder: Sequence[StageDescription]) -> Places:
    """Encoder down the left, decoder up the right; stages of one index on one row."""
    decoder = [stage for stage in stages if stage.name.startswith("decoder.")]
    rows: list[int | None] = [*sorted({0, *(stage.index for stage in (*encoder, *decoder) if stage.index is not None)})]
    depth = len(rows) - 1
    half = BOX_WIDTH / 2
    width = MARGIN + 4 * half + 2 * STEP * depth + 1.0 + BOX_WIDTH + 0.5
    right = width - 0.1 - BOX_WIDTH - 0.4 - half
    places = {"image": (MARGIN + half, 0.0)}
    for stage in encoder:
        row = rows.index(stage.index)
        places[stage.name] = (MARGIN + half + STEP * row, -ROW * row)
    for stage in decoder:
        row = rows.index(stage.index)
        places[stage.name] = (right - STEP * row, -ROW * row)
    # The deepest stage is the bottom of the U.
    places[encoder[-1].name] = ((MARGIN + half + right) / 2, -ROW * depth)
    places["logits"] = (width - 0.1 - half, 0.0)
    return places, (width, ROW * depth + 1.0)


def _place_pyramid(encoder: Sequence[StageDescription]) -> Places:
    """Encoder down the left; the pyramid beside its end, the decoder above it."""
    half, depth = BOX_WIDTH / 2, len(encoder)
    left = MARGIN + half
    places = {"image": (left, 0.0)}
    places |= {stage.name: (left, -ROW * row) for row, stage in enumerate(encoder, 1)}
    low = places["encoder.2"][1]
    middle, right = left + 2.15, left + 4.5
    places |= {"low_level": (middle, low), "aspp": (right, -ROW * depth), "fused": (right, low), "logits": (right, 0.0)}
    return places, (right + half + 0.15, ROW * depth + 1.2)


def _place_plain(encoder: Sequence[StageDescription], rest: Sequence[str]) -> Places:
    """Encoder down the left; what comes after it in a row beside its end, however it is called; the head above."""
    half, depth = BOX_WIDTH / 2, len(encoder)
    left = MARGIN + half
    columns = [left + 2.4 + (BOX_WIDTH + 0.4) * i for i in range(max(1, len(rest)))]
    places = {"image": (left, 0.0)}
    places |= {stage.name: (left, -ROW * row) for row, stage in enumerate(encoder, 1)}
    places |= {name: (x, -ROW * depth) for name, x in zip(rest, columns, strict=False)}
    places["logits"] = (columns[-1], 0.0)
    return places, (columns[-1] + half + 0.15, ROW * depth + 1.0)


def _rest(description: ArchitectureDescription) -> list[str]:
    """Return the names of the stages between encoder and head, in the order they run."""
    return [stage.name for stage in description.stages if stage.role in ("context", "decoder")]


# -- boxes
def _draw_image(axes: Axes, place: Box, description: ArchitectureDescription) -> None:
    _draw_box(axes, place, MUTED, "image", f"3 × {description.height}×{description.width}")


def _draw_stage(axes: Axes, stage: StageDescription, place: Box, description: ArchitectureDescription) -> None:
    label = stage.label
    if stage.name == "logits":
        label = f"{description.classes} classes"
    size = f"{stage.channels} × {stage.height}×{stage.width}"
    _draw_box(axes, place, ROLES[stage.role], label, size)
    if stage.parameters:
        side = -1 if stage.role == "encoder" else 1  # outside of the arrows to the next row
        axes.text(
            place[0] + side * (BOX_WIDTH / 2 - 0.03),
            place[1] - BOX_HEIGHT / 2 - 0.015,
            _short(stage.parameters),
            ha="left" if side < 0 else "right",
            va="top",
            fontsize=5.5,
            color=MUTED,
        )


def _draw_box(axes: Axes, place: Box, tone: str, label: str, size: str) -> None:
    corner = (place[0] - BOX_WIDTH / 2, place[1] - BOX_HEIGHT / 2)
    for fill, alpha in ((tone, 0.14), ("none", 1.0)):
        axes.add_patch(
            FancyBboxPatch(
                corner,
                BOX_WIDTH,
                BOX_HEIGHT,
                boxstyle="round,pad=0,rounding_size=0.06",
                facecolor=fill,
                edgecolor=tone if fill == "none" else "none",
                alpha=alpha,
                linewidth=1.1,
            )
        )
    axes.text(place[0], place[1] + 0.085, label, ha="center", va="center", fontsize=8, fontweight="bold", color=INK)
    axes.text(place[0], place[1] - 0.085, size, ha="center", va="center", fontsize=6.5, color=INK)


def _draw_strides(axes: Axes, stages: Sequence[StageDescription], places: Mapping[str, Box]) -> None:
    """Write at the left how coarse each row of the encoder is, and rule the row off faintly."""
    rows = {places["image"][1]: 1} | {places[s.name][1]: s.stride for s in stages if s.role == "encoder"}
    for y, stride in rows.items():
        axes.text(0.04, y, f"1/{stride}" if stride > 1 else "1", ha="left", va="center", fontsize=7.5, color=MUTED)
        axes.plot([0.36, MARGIN - 0.08], [y, y], color=RULE, linewidth=0.7)


# -- arrows
def _draw_flow(axes: Axes, description: ArchitectureDescription, places: Mapping[str, Box]) -> None:
    stages = {stage.name: stage for stage in description.stages}
    encoder = ["image", *(name for name, stage in stages.items() if stage.role == "encoder")]
    pairs = list(pairwise(encoder))
    # The low level of a pyramid is no step of the way, but a skip into it; and a U has places for its own blocks alone.
    rest = [name for name in _rest(description) if name in places and name != "low_level"]
    path = [encoder[-1], *rest, "logits"]
    plain = "aspp" not in stages and not any(name.startswith("decoder.") for name in rest)
    later = list(pairwise(path))
    for a, b in pairs:
        _arrow(axes, *_ends(places[a], places[b]), MUTED)
    for a, b in later:
        start, end = _ends(places[a], places[b])
        if b == "aspp":
            _draw_branches(axes, start, end, description.aspp_rates)
            continue
        _arrow(axes, start, end, MUTED)
        if plain and rest and b == rest[0]:
            axes.text((start[0] + end[0]) / 2, start[1] + 0.075, "features", ha="center", fontsize=6.5, color=MUTED)
            continue
        factor = stages[a].stride / stages[b].stride
        if factor > 1:
            x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
            level = abs(start[1] - end[1]) < 0.01
            axes.text(
                x if level else x + 0.07,
                y + 0.08 if level else y,
                f"×{factor:g}",
                ha="center" if level else "left",
                va="bottom" if level else "center",
                fontsize=6.5,
                color=MUTED,
            )


def _ends(a: Box, b: Box) -> tuple[Box, Box]:
    """Return where an arrow leaves box a and enters box b: from side to side on one row, else from edge to edge."""
    half_width, half_height = BOX_WIDTH / 2, BOX_HEIGHT / 2
    if abs(a[1] - b[1]) < 0.01:
        sign = 1 if b[0] > a[0] else -1
        return (a[0] + sign * half_width, a[1]), (b[0] - sign * half_width, b[1])
    sign = 1 if b[1] > a[1] else -1
    inner = (max(a[0], b[0]) - half_width, min(a[0], b[0]) + half_width)
    if inner[0] < inner[1] - 0.2:  # one above the other: straight, where they overlap
        x = (inner[0] + inner[1]) / 2
        return (x, a[1] + sign * half_height), (x, b[1] - sign * half_height)
    side = 1 if b[0] > a[0] else -1
    if sign < 0:  # down and across: out of the bottom, into the side
        return (a[0] + side * half_width / 2, a[1] - half_height), (b[0] - side * half_width, b[1])
    return (a[0] + side * half_width, a[1]), (b[0] - side * half_width / 2, b[1] - half_height)


def _draw_skip(axes: Axes, skip: SkipDescription, places: Mapping[str, Box]) -> None:
    start, end = _ends(places[skip.source], places[skip.target])
    gone = skip.state in ("zeroed", "removed")
    tone = GONE if gone else ENCODER
    dashed = gone or skip.state == "random"
    _arrow(axes, start, end, tone, (0, (3, 2.2)) if dashed else "-", 1.3)
    x, y = (start[0] + end[0]) / 2, start[1]
    text = f"skip {skip.index}" if skip.state != "fixed" else f"feature {skip.index}"
    if gone:
        axes.plot([x], [y], marker="x", color=GONE, markersize=8, markeredgewidth=2.2)
        text += f" {WORDS[skip.state]}"
    axes.text(
        x, y + 0.075, text, ha="center", va="bottom", fontsize=6.5, color=tone, fontweight="bold" if gone else "normal"
    )
    if skip.state == "fixed":  # the narrowed feature goes on into the decoder
        _arrow(axes, *_ends(places[skip.target], places["fused"]), ENCODER, "-", 1.3)


def _arrow(axes: Axes, start: Box, end: Box, tone: str, line: Any = "-", width: float = 1.0) -> None:
    style = {"arrowstyle": "-|>,head_width=0.16,head_length=0.32", "color": tone, "linewidth": width, "linestyle": line}
    axes.annotate("", end, start, arrowprops={**style, "shrinkA": 1, "shrinkB": 1})


def _draw_branches(axes: Axes, start: Box, end: Box, rates: Sequence[int]) -> None:
    """Draw the pyramid's branches side by side on the way into it."""
    words = ["1×1", *(f"3×3, rate {rate}" for rate in rates), "image pooling"]
    center, reach, gap = (start[0] + end[0]) / 2, 0.45, 0.215
    for row, word in enumerate(words):
        y = start[1] + gap * ((len(words) - 1) / 2 - row)
        axes.plot([start[0], start[0] + 0.32, center - reach], [start[1], y, y], color=MUTED, linewidth=0.9)
        axes.plot([center + reach, end[0] - 0.5, end[0] - 0.22], [y, y, end[1]], color=MUTED, linewidth=0.9)
        _draw_tag(axes, (center, y), (2 * reach, gap - 0.05), word)
    _arrow(axes, (end[0] - 0.22, end[1]), end, MUTED)


def _draw_tag(axes: Axes, place: Box, size: Box, word: str) -> None:
    corner = (place[0] - size[0] / 2, place[1] - size[1] / 2)
    shape = FancyBboxPatch(corner, *size, boxstyle="round,pad=0,rounding_size=0.04", linewidth=0.8)
    shape.set(facecolor="none", edgecolor=CONTEXT)
    axes.add_patch(shape)
    axes.text(place[0], place[1] - 0.005, word, ha="center", va="center", fontsize=6.5, color=INK)


# -- words
def _caption(description: ArchitectureDescription) -> str:
    text = f"{_short(description.parameters)} parameters, {_short(description.encoder_parameters)} in the encoder"
    if description.stem != "published":
        text += f"; {description.stem.replace('x', '×')} stem"
    if any(skip.state == "random" for skip in description.skips):
        text += "; in training each sample goes without one skip, drawn at random"
    if description.match_parameters:
        text += "; decoder widened to keep the number of parameters"
    return text


def _describe(description: ArchitectureDescription) -> str:
    stages = "; ".join(
        f"{s.label} {s.channels} × {s.height}×{s.width} at stride {s.stride}" for s in description.stages
    )
    skips = "; ".join(f"skip {s.index} {s.state}" for s in description.skips)
    rates = f" ASPP rates {', '.join(map(str, description.aspp_rates))}." if description.aspp_rates else ""
    return f"{stages}. {skips or 'no skips to drop'}.{rates} {_caption(description)}"


def _short(count: int) -> str:
    """Return 14.3 M for 14,321,234."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:#.3g}".rstrip(".") + f" {unit}"
    return str(count)
