"""Classes to begin with: from a file, from a run of a segmenter, from another project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sightline.config.palettes import is_ignored
from sightline.data import Palette
from sightline.data.images.reading import Reading
from sightline.data.masks.palette_files import read_palette
from sightline.data.masks.project import ProjectFolder
from sightline.errors import DataError, RunError
from sightline.files import at_home
from sightline.runs import RunFolder
from sightline.runs.record import read_json
from sightline.web.keeping import COLORS, hex_of

Classes = tuple[tuple[str, str], ...]
GROUND = "background"  # which every project has beside its classes


def classes_from(source: str) -> Classes:
    """Return (name, "#rrggbb") of the classes that a palette file, a run or a project names, without background.

    Raises:
        DataError: none of these, or it names no classes.
        RunError: a run that is not finished, or is of no segmenter.
    """
    path = at_home(source)
    if ProjectFolder(path).exists:
        return tuple((item.name, item.color) for item in ProjectFolder(path).settings.classes)
    if path.is_dir():
        return classes_of(palette_of(path))
    if not path.is_file():
        raise DataError(f"--classes {source}: no such file or folder; give a palette file, a run or a project")
    entries = {name: codes for name, codes in read_palette(path).items() if not is_ignored(name)}
    named = [(name, codes[0]) for name, codes in entries.items() if name != GROUND]
    return tuple(
        (name, COLORS[i % len(COLORS)] if isinstance(code, int) else hex_of(code))
        for i, (name, code) in enumerate(named)
    )


def palette_of(run: Path) -> Palette:
    """Return the palette of a finished segmentation run.

    Raises:
        RunError: it is none.
    """
    return Palette.from_dict(_described(run)["palette"])


def reading_of(run: Path) -> Reading:
    """Return the bands and scale that a finished segmentation run sees its images with.

    Raises:
        RunError: it is none.
    """
    return Reading.from_dict(_described(run).get("reading"))


def _described(run: Path) -> dict[str, Any]:
    folder = RunFolder.open(run)
    if not folder.model_json.is_file():
        raise RunError(f"{run}: has no weights yet; let the run finish")
    described = read_json(folder.model_json)
    if "palette" not in described:
        raise RunError(f"{run}: is no segmenter, and has no classes of pixels")
    return described


def classes_of(palette: Palette) -> Classes:
    """Return names and colors of a palette's classes, without background."""
    return tuple(
        (name, hex_of(color)) for name, color in zip(palette.classes, palette.rgb, strict=True) if name != GROUND
    )
