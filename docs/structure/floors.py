"""Draw the floors of the house: which room imports which, read from the imports, on the floors that CI holds.

    uv run python docs/structure/floors.py

writes docs/structure/floors.svg. A room is a module or a package right below `sightline`; a floor is a line of the
layers in pyproject.toml. An arrow says that a module of one room imports a module of the other; an arrow
that a chain of others implies is left out, or the picture would be black.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from xml.sax.saxutils import escape

import grimp

ROOT = Path(__file__).resolve().parents[2]
PICTURE = Path(__file__).with_name("floors.svg")
PACKAGE = "sightline"
# Pixels: a box holds the longest name at 13 px, a floor leaves room for arrows to bend.
BOX, HEIGHT, GAP, FLOOR, MARGIN, NOTE = 96, 28, 24, 70, 24, 640
STYLE = """
  .room rect { fill: #f3f6fa; stroke: #3b5b7a; rx: 5; }
  .torch rect { fill: #fdf3e7; stroke: #a5641b; }
  text { font: 13px system-ui, sans-serif; fill: #17222d; text-anchor: middle; }
  .note { font-size: 12px; text-anchor: start; fill: #4a5a6a; }
  path { fill: none; stroke: #7f93a8; stroke-width: 1; opacity: .55; }
"""


def floors() -> list[list[str]]:
    """Return the rooms of each floor, the highest floor first, as pyproject.toml orders them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    return [[room.strip() for room in layer.split("|")] for layer in layers]


def arrows(graph: grimp.ImportGraph, rooms: set[str]) -> list[tuple[str, str]]:
    """Return (importing room, imported room), sorted."""
    pairs = set()
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            pair = _room(module), _room(other)
            if pair[0] != pair[1] and rooms.issuperset(pair):
                pairs.add(pair)
    return sorted(pairs)


def reduced(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the arrows without those that a chain of other arrows implies; there are no circles."""
    below: dict[str, set[str]] = {}
    for importing, imported in pairs:
        below.setdefault(importing, set()).add(imported)

    def reaches(room: str) -> set[str]:
        return {other for next_room in below.get(room, ()) for other in (next_room, *reaches(next_room))}

    return [
        (importing, imported)
        for importing, imported in pairs
        if not any(imported in reaches(other) for other in below[importing] - {imported})
    ]


def loads_torch(graph: grimp.ImportGraph, room: str) -> bool:
    """Return whether some module of the room imports torch, timm or torchvision itself."""
    modules = [module for module in graph.modules if _room(module) == room]
    return any(
        other in ("torch", "timm", "torchvision")
        for module in modules
        for other in graph.find_modules_directly_imported_by(module)
    )


def _room(module: str) -> str:
    head, _, rest = module.partition(".")
    return rest.partition(".")[0] if head == PACKAGE else ""


def draw() -> str:
    """Return the picture as SVG text, the same for the same imports."""
    graph = grimp.build_graph(PACKAGE, include_external_packages=True)
    levels = floors()
    width = max(MARGIN * 2 + max(len(level) for level in levels) * (BOX + GAP) - GAP, NOTE)
    places = {
        room: (width / 2 + (i - (len(level) - 1) / 2) * (BOX + GAP), MARGIN + number * FLOOR)
        for number, level in enumerate(levels)
        for i, room in enumerate(level)
    }
    height = MARGIN * 2 + len(levels) * FLOOR
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>Rooms of {PACKAGE} on their floors; every arrow points down</title><style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for importing, imported in reduced(arrows(graph, set(places))):
        (x1, y1), (x2, y2) = places[importing], places[imported]
        bend = (y2 - y1) / 2
        lines.append(
            f'<path d="M{x1:g} {y1 + HEIGHT:g}C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend + HEIGHT:g} {x2:g} {y2:g}"/>'
        )
    for room, (x, y) in places.items():
        kind = "room torch" if loads_torch(graph, room) else "room"
        lines.append(
            f'<g class="{kind}"><rect x="{x - BOX / 2:g}" y="{y:g}" width="{BOX}" height="{HEIGHT}"/>'
            f'<text x="{x:g}" y="{y + 19:g}">{escape(room)}</text></g>'
        )
    note = "Orange: imports torch; blue: does not. An arrow is an import; those that others imply are left out."
    lines += [f'<text class="note" x="{MARGIN}" y="{height - 14:g}">{note}</text>', "</svg>"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
    print(PICTURE.relative_to(ROOT))
