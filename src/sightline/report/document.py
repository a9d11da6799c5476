"""What a page is made of, whichever way it is written down: HTML and Markdown are two renderings of one document."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from sightline.figures import Key, Panel


@dataclass(frozen=True)
class Text:
    """Paragraphs of plain text."""

    kind: ClassVar[str] = "text"
    paragraphs: Sequence[str]


@dataclass(frozen=True)
class Warnings:
    """Things that went wrong, each named."""

    kind: ClassVar[str] = "warnings"
    title: str
    items: Sequence[str]


@dataclass(frozen=True)
class Listing:
    """A list of remarks."""

    kind: ClassVar[str] = "listing"
    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table; the first column names the rows.

    Attributes:
        caption: what it shows.
        header: one text a column.
        rows: one text a cell.
        numeric: whether a column holds numbers, by column.
        folded: behind a summary line in HTML, for what few will read.
    """

    kind: ClassVar[str] = "table"
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[bool]
    folded: bool = False


@dataclass(frozen=True)
class Picture:
    """Panels that belong together.

    Attributes:
        name: of the PNG in figures/.
        caption: what to see.
        panels: in reading order.
        columns: side by side where there is room.
        keys: the legend.
        wide: takes the width of the page, for small text.
    """

    kind: ClassVar[str] = "picture"
    name: str
    caption: str
    panels: Sequence[Panel]
    columns: int = 2
    keys: Sequence[Key] = ()
    wide: bool = False


@dataclass(frozen=True)
class Choice:
    """Pictures of the same in several ways: HTML shows one at a time, paper and Markdown all.

    Attributes:
        title: what is chosen.
        options: what each is called.
        pictures: one an option.
    """

    kind: ClassVar[str] = "choice"
    title: str
    options: Sequence[str]
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Thumbnail:
    """One sample: its picture as a data URI, its label and its prediction."""

    uri: str
    label: str
    predicted: str
    probability: str
    correct: bool


@dataclass(frozen=True)
class Thumbnails:
    """A grid of samples; `sheet` is the PNG that Markdown links to, relative to the study or run."""

    kind: ClassVar[str] = "thumbnails"
    caption: str
    items: Sequence[Thumbnail]
    sheet: str


@dataclass(frozen=True)
class Sheet:
    """A picture that is no drawing: masks beside their image.

    Attributes:
        name: of the PNG in figures/.
        alt: what is on it.
        caption: what to see.
        png: the file's content.
    """

    kind: ClassVar[str] = "sheet"
    name: str
    alt: str
    caption: str
    png: bytes

    @property
    def uri(self) -> str:
        """The picture as a data URI."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


@dataclass(frozen=True)
class Code:
    """Commands to type."""

    kind: ClassVar[str] = "code"
    text: str


Block = Text | Warnings | Listing | Table | Picture | Choice | Sheet | Thumbnails | Code


@dataclass(frozen=True)
class Section:
    """A heading and what follows it."""

    anchor: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Answer:
    """A question, its short answer, and the sentences that carry it."""

    question: str
    short: str
    sentences: Sequence[str]


@dataclass(frozen=True)
class Document:
    """A whole page."""

    title: str
    subtitle: str
    answers: Sequence[Answer] = ()
    sections: Sequence[Section] = field(default_factory=tuple)

    @property
    def pictures(self) -> list[Picture]:
        """All pictures in their order."""
        shown: list[Picture] = []
        for block in (block for section in self.sections for block in section.blocks):
            shown += [block] if isinstance(block, Picture) else block.pictures if isinstance(block, Choice) else []
        return shown

    @property
    def sheets(self) -> list[Sheet]:
        """All sheets in their order."""
        return [block for section in self.sections for block in section.blocks if isinstance(block, Sheet)]
