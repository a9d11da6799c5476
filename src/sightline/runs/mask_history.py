"""progress.json, typed: which masks of the watched images a segment run kept, beside it in RUN/progress/."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.runs.record import Record


@dataclass(frozen=True, kw_only=True)
class MaskColors(Record):
    """How masks are painted.

    Attributes:
        names: of the classes.
        colors: red, green and blue of each, 0–255; further ones are of unknown pixels.
    """

    names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, kw_only=True)
class MaskStage(Record):
    """The mask of one epoch, counted from 1; `mask` is the name of its file."""

    epoch: int
    mask: str


@dataclass(frozen=True, kw_only=True)
class WatchedImage(Record):
    """One image; what is drawn of it has its place among the images in its file name, "0-strip.png".

    Attributes:
        name: its id in the data.
        image: file name.
        truth: file name; None where no truth is known.
        stages: from the first epoch on.
    """

    name: str
    image: str
    truth: str | None
    stages: tuple[MaskStage, ...]


@dataclass(frozen=True, kw_only=True)
class MaskHistory(Record):
    """progress.json.

    Attributes:
        palette: of every mask.
        images: in the order of the configuration.
    """

    palette: MaskColors
    images: tuple[WatchedImage, ...]
