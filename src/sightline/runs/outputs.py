"""What `predict`, `embed` and `export` give back, typed. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, overload

from sightline import notebook
from sightline.runs.record import Record

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True, repr=False)
class LabelPredictions:
    """Labels that a classifier gave to N images, in the order in which they were listed.

    Attributes:
        ids: of the images: the CSV's, or the path below the folder.
        filenames: of the images, as listed.
        labels: the most probable class of each.
        probabilities: float32 (N, K), in 0–1; each row sums to 1.
        classes: names of the K columns.
        path: the CSV that was written; None where none was.
        noun: what is counted.
    """

    ids: tuple[str, ...]
    filenames: tuple[str, ...]
    labels: tuple[str, ...]
    probabilities: np.ndarray
    classes: tuple[str, ...]
    path: Path | None = None
    noun: ClassVar[str] = "images"

    def __len__(self) -> int:
        return len(self.ids)

    def top(self, number: int) -> list[list[tuple[str, float]]]:
        """Return the most probable classes of each image with their probabilities, the most probable first.

        Args:
            number: of classes an image; at most K are there.
        """
        order = (-self.probabilities).argsort(axis=1, kind="stable")[:, :number]
        return [
            [(self.classes[i], float(row[i])) for i in ranked]
            for row, ranked in zip(self.probabilities, order.tolist(), strict=True)
        ]

    def __repr__(self) -> str:
        return f"LabelPredictions({len(self)} images, {len(self.classes)} classes, path={_shown(self.path)})"

    def _repr_html_(self) -> str:
        best = self.probabilities.max(axis=1) if len(self) else ()
        listed = zip(self.ids[: notebook.MOST], self.labels, best, strict=False)
        rows = [{"id": id_, "label": label, "probability": float(share)} for id_, label, share in listed]
        return notebook.table(rows, repr(self), len(self)) + (notebook.link(self.path) if self.path else "")


@dataclass(frozen=True, kw_only=True, repr=False)
class MaskPredictions:
    """Masks that a segmenter drew of images.

    Attributes:
        paths: of the masks, RGB in the palette of the run's data, one an image.
        classes: names by class index.
        noun: what is counted.
    """

    paths: tuple[Path, ...]
    classes: tuple[str, ...]
    noun: ClassVar[str] = "masks"

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        where = _shown(self.paths[0].parent if self.paths else None)
        return f"MaskPredictions({len(self)} masks, {len(self.classes)} classes, in {where})"

    def _repr_html_(self) -> str:
        shown = [path for path in self.paths if path.suffix == ".png"][:1]
        figures = "".join(map(notebook.figure, shown))
        return notebook.table([{"mask": path.name} for path in self.paths], repr(self)) + figures


@dataclass(frozen=True, kw_only=True)
class PartDone:
    """A part of a data set that is done, by this call or before.

    Attributes:
        path: of its folder.
        images: in it.
        bad: of these, how many could not be read.
    """

    path: Path
    images: int
    bad: int

    def __len__(self) -> int:
        return self.images

    def _repr_html_(self) -> str:
        return notebook.table([{"part": str(self.path), "images": self.images, "unreadable": self.bad}], "part")


@dataclass(frozen=True, kw_only=True, repr=False)
class DataCheck(Sequence[Mapping[str, Any]]):
    """What `check` found: rows of what and value, among them "layout", "images", "class NAME", "unreadable".

    Attributes:
        source: what was looked at.
        rows: each with "what" and "value", of masks also with further columns.
    """

    source: str
    rows: tuple[Mapping[str, Any], ...]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mapping[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> Mapping[str, Any] | Sequence[Mapping[str, Any]]:
        return self.rows[index]

    def value(self, what: str) -> Any:
        """Return the value of the row of that name; KeyError without one."""
        return {row["what"]: row.get("value") for row in self.rows}[what]

    def __repr__(self) -> str:
        return f"DataCheck({self.source!r}, {len(self)} rows)"

    def _repr_html_(self) -> str:
        return notebook.table(self.rows, self.source)


@dataclass(frozen=True, kw_only=True)
class EmbeddingQuality(Record):
    """quality.json: what features, and their map where there is one, say of the labels.

    Attributes:
        knn: accuracy of the nearest neighbours in 0–1, leave one out; None without labels.
        silhouette: of the labels, in −1–1; None without labels.
        trustworthiness: of the map, in 0–1; None without a map.
        map_silhouette: of the labels in the map; None without a map or labels.
        n: images.
    """

    knn: float | None = None
    silhouette: float | None = None
    trustworthiness: float | None = None
    map_silhouette: float | None = None
    n: int

    def _repr_html_(self) -> str:
        return notebook.table([self.to_dict()], "embedding")


@dataclass(frozen=True)
class Exported:
    """A network that was written for another program, and checked there.

    Attributes:
        path: the file or folder.
        max_difference: largest absolute difference of an output between the other program and PyTorch.
        largest: largest absolute output.
        open_with: the line of Python that opens it.
    """

    path: Path
    max_difference: float
    largest: float
    open_with: str

    def _repr_html_(self) -> str:
        rows = [{"written": str(self.path), "open with": self.open_with, "largest difference": self.max_difference}]
        return notebook.table(rows, "export")


def _shown(path: Path | None) -> str:
    return "None" if path is None else repr(str(path))
