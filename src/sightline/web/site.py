"""The pages of a server, as they were named on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sightline.data.images.reading import Reading
from sightline.web.embedding import MapData
from sightline.web.keeping import Keeper
from sightline.web.progress import ProgressData

# The report's first colors; a page begins with one class and offers these for more.
DEFAULT_CLASSES = (("object", "#3478d4"),)


@dataclass(frozen=True)
class Site:
    """The pages of one server.

    Attributes:
        title: what is served, for people.
        pictures: files to segment; () begins with an empty page.
        classes: (name, "#rrggbb") of the segment page.
        report: the folder of report.html, or None.
        maps: embedding maps.
        progress: mask-progress folders.
        first: the page that the address opens: segment, report, map or progress.
        root: the folder that the pictures are in or below; None where each is known by its name alone.
        reading: bands and scale that pictures are shown with; by default as each file says.
        keeper: keeps the work on the pictures in a project; None: what is done is lost with the browser's tab.
    """

    title: str
    pictures: tuple[Path, ...] = ()
    classes: tuple[tuple[str, str], ...] = DEFAULT_CLASSES
    report: Path | None = None
    maps: tuple[MapData, ...] = ()
    progress: tuple[ProgressData, ...] = ()
    first: str = "segment"
    root: Path | None = None
    reading: Reading | None = None
    keeper: Keeper | None = None
