"""figures/samples.json, typed: what stands on a contact sheet, tile by tile, and how it is laid out."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.runs.record import Record


@dataclass(frozen=True, kw_only=True)
class Prediction(Record):
    """A row of predictions.parquet: a test image, its predicted label, and the `probability` of that label."""

    id: str
    label: str
    predicted: str
    probability: float
    correct: bool


@dataclass(frozen=True, kw_only=True)
class ContactSheet(Record):
    """Square tiles in rows on figures/samples.png.

    Attributes:
        side: of a tile, pixels.
        columns: tiles in a row.
        samples: one a tile, in reading order.
    """

    side: int
    columns: int
    samples: tuple[Prediction, ...]

    def place(self, index: int) -> tuple[int, int, int, int]:
        """Return left, top, right, bottom of a tile, pixels."""
        row, column = divmod(index, self.columns)
        left, top = column * self.side, row * self.side
        return left, top, left + self.side, top + self.side
