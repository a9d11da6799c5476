"""docs/data.md: what Sightline makes of every kind of input, written from the corpus.

`uv run python tests/corpus/page.py` writes the page and its pictures; `test_corpus.py` holds the page to the corpus.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from corpus.case import Case, Refused  # noqa: E402
from sightline.data import decode, images_below  # noqa: E402
from sightline.errors import SightlineError  # noqa: E402
from sightline.files import write_bytes, write_text  # noqa: E402

PAGE, PICTURES = TESTS.parent / "docs" / "data.md", TESTS.parent / "docs" / "images" / "data"
OTHERS = ("case", "page", "test_corpus")
SIDE, COLUMNS, BAND = 56, 14, 13  # pixels of a tile of a sheet, tiles in a row, pixels for its number
# Sections in the order of the page, with what stands above each; those with a picture show every input.
SECTIONS: dict[str, tuple[str, bool]] = {
    "Listing": ("What of a folder is taken for images, and what is passed over.", False),
    "Labels": ("Labelled images in folders: how many images each class has.", False),
    "CSV": ("Tables of images: ids with labels.", False),
    "Split files": ("`--split FILE`, JSON of part → ids.", False),
    "Layouts of masks": ("How images and their masks lie: which go together.", False),
    "Masks": (
        "What the pixels of masks mean: classes with the value or color of each, then what the first pixels became. "
        "The sheet shows the masks as a viewer would.",
        True,
    ),
    "Rasters": ("Images of any format, depth and number of bands: the pixel that a network sees.", True),
    "Sizes": ("Parts and batches: what trains, and what is refused before anything is written.", False),
    "Weights": ("Checkpoints of others: what of them is used.", False),
    "Outputs": ("What a command may write, replace and remove.", False),
    "Runs": ("Folders of runs.", False),
    "Locks": ("Two processes on one folder.", False),
}


def tables() -> list[tuple[str, Case]]:
    """Return every case with the table that it stands in."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in OTHERS)
    return [(name, case) for name in names for case in import_module(f"corpus.{name}").CASES]


def text() -> str:
    """Return the page."""
    cases = tables()
    lines = [
        "# What Sightline makes of your data",
        "",
        f"Written by `uv run python tests/corpus/page.py` from the {len(cases)} inputs of tests/corpus, which every "
        "run of the tests makes and reads: what stands here is what the program does.",
    ]
    for section, (words, pictured) in SECTIONS.items():
        shown = [case for _, case in cases if case.section == section]
        lines += ["", f"## {section}", "", words, ""]
        if pictured:
            lines += [f"![{section}, numbered as below](images/data/{_file(section)})", ""]
        lines += ["| | input | what comes out |", "|--:|---|---|"]
        lines += [f"| {i} | {_cell(case.name)} | {_cell(_outcome(case))} |" for i, case in enumerate(shown, 1)]
    return "\n".join(lines) + "\n"


def _outcome(case: Case) -> str:
    if isinstance(case.expected, Refused):
        own = str(os.getpid())  # of a case about this very process
        words = ", ".join(f"“{'PID' if word == own else word}”" for word in case.expected.words)
        came = f"refused; the message names {words}" if words else "refused"
    else:
        came = _plain(case.expected)
    return f"{case.says.rstrip('.')}: {came}" if case.says else came


def _plain(value: object) -> str:
    """Return a value as words: what lists and dictionaries hold, without their signs."""
    if isinstance(value, dict):
        return ", ".join(f"{name or '(none)'}: {_plain(of)}" for name, of in value.items()) or "nothing"
    if isinstance(value, tuple) and any(isinstance(item, list | dict | tuple) for item in value):
        return "; ".join(_plain(item) for item in value if item not in ([], (), {}))
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value) or "nothing"
    return str(value)


def _cell(content: str) -> str:
    printable = "".join(c if c.isprintable() else repr(c)[1:-1] for c in content)
    return printable.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def _file(section: str) -> str:
    return f"{section.lower().replace(' ', '-')}.png"


def sheet(section: str) -> Image.Image:
    """Return the inputs of a section as numbered tiles."""
    shown = [case for _, case in tables() if case.section == section]
    rows = -(-len(shown) // COLUMNS)
    picture = Image.new("RGB", (COLUMNS * (SIDE + 4), rows * (SIDE + BAND + 4)), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(11)
    for number, tile in enumerate(map(_tile, shown)):
        left, top = number % COLUMNS * (SIDE + 4), number // COLUMNS * (SIDE + BAND + 4)
        draw.text((left + 2, top), str(number + 1), fill="black", font=font)
        picture.paste(tile, (left, top + BAND))
    return picture


def _tile(case: Case) -> Image.Image:
    """Return the input as a viewer shows it; gray where it is no picture."""
    with tempfile.TemporaryDirectory() as folder:
        case.make(Path(folder))
        paths = list(_pictures(Path(folder)))
        try:
            pixels = decode(paths[0]) if paths else None
        except SightlineError:
            pixels = None
    if pixels is None:
        return Image.new("RGB", (SIDE, SIDE), "lightgray")
    colors = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]
    return Image.fromarray(np.ascontiguousarray(colors)).resize((SIDE, SIDE), Image.Resampling.NEAREST)


def _pictures(folder: Path) -> Iterator[Path]:
    """Yield the masks of an input, or its images where it has none."""
    paths = images_below(folder)
    yield from (path for path in paths if "mask" in path.as_posix().lower())
    yield from paths


if __name__ == "__main__":
    write_text(PAGE, text())
    for name, (_, pictured) in SECTIONS.items():
        if pictured:
            PICTURES.mkdir(parents=True, exist_ok=True)
            temporary = PICTURES / _file(name)
            with tempfile.TemporaryDirectory() as place:
                sheet(name).save(Path(place) / "sheet.png", optimize=True)
                write_bytes(temporary, (Path(place) / "sheet.png").read_bytes())
