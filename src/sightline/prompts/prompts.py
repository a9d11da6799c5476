"""What is asked of an image, and what comes back: prompts, answers, regions, results."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, overload

import numpy as np

from sightline import notebook
from sightline.errors import ConfigError
from sightline.run_lengths import box_of, decode_rle, encode_rle

Point = tuple[float, float, int]
Box = tuple[float, float, float, float]

# Share of the picture from which a mask is the whole picture, which nobody means by one click.
WHOLE = 0.9


@dataclass(frozen=True)
class Prompts:
    """Prompts for one image: points, a box, words, or an earlier mask.

    Attributes:
        points: (x, y, label), label 1 for inside, 0 for outside.
        box: (x0, y0, x1, y1); the part outside the image is cut off.
        text: words for what is looked for.
        mask_input: float32 (h, w), one of an earlier answer's `low_res`, to refine.
    """

    points: tuple[Point, ...] = ()
    box: Box | None = None
    text: str = ""
    mask_input: np.ndarray | None = None

    def kinds(self) -> set[str]:
        """Return the names of the fields that were given."""
        given = {
            "points": bool(self.points),
            "box": self.box is not None,
            "text": bool(self.text.strip()),
            "mask_input": self.mask_input is not None,
        }
        return {name for name, value in given.items() if value}

    @property
    def is_one_inside_click(self) -> bool:
        """Whether one inside point is all that is asked."""
        return self.kinds() == {"points"} and len(self.points) == 1 and self.points[0][2] == 1

    def checked(self, height: int, width: int) -> Prompts:
        """Return the prompts with their box cut to an image; the only check of points and boxes.

        Raises:
            ConfigError: malformed, or outside the image.
        """
        for point in self.points:
            _check_point(point, height, width)
        box = None if self.box is None else _cut(self.box, height, width)
        return Prompts(self.points, box, self.text.strip(), self.mask_input)


@dataclass(frozen=True)
class Answer:
    """Masks of one prompt, best first.

    Attributes:
        masks: bool (M, H, W), of the original image's size.
        scores: float32 (M,): the engine's own estimate of quality in 0–1, comparable within one engine only.
        low_res: float32 (M, h, w) logits to refine from, if the engine takes `mask_input`.
        boxes: float32 (M, 4), x0, y0, x1, y1 in pixels of the original image, for text prompts.
        seconds: the answer's time, without that of set_image.
    """

    masks: np.ndarray
    scores: np.ndarray
    low_res: np.ndarray | None = None
    boxes: np.ndarray | None = None
    seconds: float = 0.0

    def with_whole_pictures_last(self) -> Answer:
        """Return the answer with masks of WHOLE of the picture and more after the others; else the order stays."""
        order = np.argsort(self.masks.mean(axis=(1, 2)) >= WHOLE, kind="stable")
        parts = {"masks": self.masks, "scores": self.scores, "low_res": self.low_res, "boxes": self.boxes}
        return replace(self, **{name: part[order] for name, part in parts.items() if part is not None})


@dataclass(frozen=True)
class Region:
    """A mask of everything mode, held as run lengths so that thousands take little memory.

    Attributes:
        rle: COCO run lengths.
        score: the engine's, 0–1.
        stability: 0–1; 1 where an engine does not measure it.
        area: pixels.
        box: x0, y0, x1, y1 of its pixels' centers.
    """

    rle: dict[str, Any]
    score: float
    stability: float
    area: int
    box: tuple[int, int, int, int]

    @classmethod
    def of(cls, mask: np.ndarray, score: float, stability: float = 1.0) -> Region:
        """Return the region of a mask, bool (H, W), not empty."""
        x, y, width, height = box_of(mask)
        box = (x, y, x + width - 1, y + height - 1)
        return cls(encode_rle(mask), float(score), float(stability), int(mask.sum()), box)

    def mask(self) -> np.ndarray:
        """Return bool (H, W)."""
        return decode_rle(self.rle)


class LazyMasks(Sequence[np.ndarray]):
    """Masks of regions, bool (H, W) each, decoded one at a time."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self._regions = regions

    def __len__(self) -> int:
        return len(self._regions)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> LazyMasks: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | LazyMasks:
        if isinstance(index, slice):
            return LazyMasks(self._regions[index])
        return self._regions[index].mask()


@dataclass(frozen=True, eq=False, repr=False)
class PromptResult:
    """Masks of one image, best first: `len`, iteration and `result[0]` give them one by one, `np.asarray(result)` all.

    Attributes:
        masks: a sequence of bool (H, W); in everything mode decoded one at a time, for there can be thousands.
        scores: float32 (M,), the engine's own estimates of quality, 0–1.
        boxes: float32 (M, 4), x0, y0, x1, y1, of words; else None.
        size: height and width of the image.
        record: image, size, prompts, scores, engine, model, device, seconds: what NAME.json holds.
        files: what was written.
    """

    masks: Sequence[np.ndarray]
    scores: np.ndarray
    boxes: np.ndarray | None
    size: tuple[int, int]
    record: dict[str, Any]
    files: tuple[Path, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of `np.asarray(result)`: masks, height, width."""
        return (len(self.masks), *self.size)

    def __len__(self) -> int:
        return len(self.masks)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.masks)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.masks[index]

    def __repr__(self) -> str:
        best = f", best score {self.scores.max():.3g}" if len(self) else ""
        return f"PromptResult({len(self)} masks of {self.size[0]} x {self.size[1]}, {self.record['engine']}{best})"

    def _repr_html_(self) -> str:
        rows = [{"mask": i, "score": float(score)} for i, score in enumerate(self.scores[: notebook.MOST])]
        best = notebook.picture(self.masks[0].astype(np.uint8) * 255, "the best mask") if len(self) else ""
        return notebook.table(rows, repr(self), len(self)) + best

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("the masks are held one by one; an array of them all is always a copy")
        masks = np.stack(list(self.masks)) if len(self.masks) else np.zeros(self.shape, bool)
        return masks if dtype is None else masks.astype(dtype)


def _check_point(point: Point, height: int, width: int) -> None:
    if len(point) != 3 or point[2] not in (0, 1) or not all(map(math.isfinite, point)):
        raise ConfigError(f"point {point}: expected x, y and 1 (inside) or 0 (outside)")
    x, y, _ = point
    if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
        raise ConfigError(
            f"point {x:g},{y:g}: outside the image, which is {width} wide and {height} high; "
            f"x goes from 0 to {width - 1}, y from 0 to {height - 1}"
        )


def _cut(box: Box, height: int, width: int) -> Box:
    if len(box) != 4 or not all(map(math.isfinite, box)):
        raise ConfigError(f"box {box}: expected four numbers, x0, y0, x1, y1")
    x0, y0, x1, y1 = box
    if x0 >= x1 or y0 >= y1:
        raise ConfigError(f"box {x0:g},{y0:g},{x1:g},{y1:g}: empty; x0 must be below x1, and y0 below y1")
    cut = (max(x0, -0.5), max(y0, -0.5), min(x1, width - 0.5), min(y1, height - 0.5))
    if cut[0] >= cut[2] or cut[1] >= cut[3]:
        raise ConfigError(
            f"box {x0:g},{y0:g},{x1:g},{y1:g}: outside the image, which is {width} wide and {height} high"
        )
    return cut


def pixel(point: Point | tuple[float, float], height: int, width: int) -> tuple[int, int]:
    """Return (row, column) of the pixel that a point lies on."""
    column, row = math.floor(point[0] + 0.5), math.floor(point[1] + 0.5)
    return min(max(row, 0), height - 1), min(max(column, 0), width - 1)
