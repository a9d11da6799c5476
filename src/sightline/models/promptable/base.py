"""Prompt engines: an image is looked at once, then answers any number of points, boxes or words with masks."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sightline.errors import ConfigError, DataError


@dataclass(frozen=True)
class Prompts:
    """What to look for. Coordinates are pixels of the original image, x right, y down, pixel centres at integers.

    Attributes:
        points: (x, y, label), label 1 for inside, 0 for outside.
        box: (x0, y0, x1, y1); the part outside the image is cut off.
        text: words for what is looked for.
        mask_input: float32 (h, w), one of an earlier answer's `low_res`, to refine.
    """

    points: tuple[tuple[float, float, int], ...] = ()
    box: tuple[float, float, float, float] | None = None
    text: str = ""
    mask_input: np.ndarray | None = None

    def kinds(self) -> set[str]:
        """Return the names of the fields that were given."""
        given = {"points": bool(self.points), "box": self.box is not None, "text": bool(self.text.strip())}
        return {name for name, there in given.items() if there} | ({"mask_input"} if self.has_mask else set())

    @property
    def has_mask(self) -> bool:
        """Whether an earlier mask was given."""
        return self.mask_input is not None


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
    low_res: np.ndarray | None
    boxes: np.ndarray | None
    seconds: float


@dataclass(frozen=True)
class ImageState:
    """What an engine remembers of one image; opaque, held by the caller, so many images can be open at once.

    Attributes:
        height: of the original image.
        width: of the original image.
        from_cache: whether the embedding was read from disk, not computed.
        seconds: what set_image took.
    """

    height: int
    width: int
    from_cache: bool
    seconds: float


class EngineInfo(NamedTuple):
    """One line of the registry."""

    model_id: str
    accepts: frozenset[str]
    line: str


_SAM = frozenset({"points", "box", "mask_input"})

ENGINES: dict[str, EngineInfo] = {
    "grabcut": EngineInfo("", frozenset({"points", "box"}), "colour and edges (OpenCV); nothing to download, no GPU"),
    "sam": EngineInfo("facebook/sam-vit-base", _SAM, "Segment Anything"),
    "sam-hq": EngineInfo("syscv-community/sam-hq-vit-base", _SAM, "SAM-HQ: finer boundaries"),
    "sam2": EngineInfo("facebook/sam2.1-hiera-small", _SAM, "SAM 2.1: better and faster than SAM"),
    "edgetam": EngineInfo("yonigozlan/EdgeTAM-hf", _SAM, "EdgeTAM: SAM 2 for small devices"),
    "sam3": EngineInfo("facebook/sam3", frozenset({"text", "box"}), "SAM 3: every instance of some words"),
    "grounded-sam": EngineInfo(
        "IDEA-Research/grounding-dino-tiny+facebook/sam2.1-hiera-small",
        frozenset({"text"}),
        "Grounding DINO finds boxes for words, SAM 2.1 their masks",
    ),
}


class PromptEngine(ABC):
    """Answers prompts on images; `set_image` once, `predict` many times.

    Attributes:
        name: in ENGINES.
        model_id: hub id or folder of the weights; "" where there are none.
        device: that it computes on.
        accepts: of "points", "box", "text", "mask_input".
    """

    name: str
    model_id: str = ""
    device: str = "cpu"
    accepts: frozenset[str] = frozenset()

    def set_image(self, image: np.ndarray) -> ImageState:
        """Look at an image, uint8 (H, W, 3), RGB; the costly part, done once and kept on disk by models that embed.

        Raises:
            DataError: not uint8 HWC with three channels, or empty.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise DataError(
                f"image of shape {image.shape}, {image.dtype}: expected uint8 (height, width, 3), not empty"
            )
        return self._look(np.ascontiguousarray(image))

    def predict(self, state: ImageState, prompts: Prompts, *, multimask: bool = True) -> Answer:
        """Return the masks that answer `prompts`, best first.

        Args:
            state: of set_image.
            prompts: at least one.
            multimask: several hypotheses where the prompt is ambiguous; else the single best.

        Raises:
            ConfigError: no prompt, one that the engine does not take, or one that is not on the image.
        """
        prompts = checked(prompts, state.height, state.width, self.accepts, self.name)
        begin = time.perf_counter()
        masks, scores, low_res, boxes = self._answer(state, prompts, multimask)
        return Answer(masks, scores, low_res, boxes, time.perf_counter() - begin)

    @abstractmethod
    def _look(self, image: np.ndarray) -> ImageState:
        """Return the state of a valid, contiguous image."""

    @abstractmethod
    def _answer(
        self, state: ImageState, prompts: Prompts, multimask: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Return masks, scores, low_res and boxes of valid prompts."""


def checked(prompts: Prompts, height: int, width: int, accepts: frozenset[str], engine: str) -> Prompts:
    """Return the prompts with their box cut to the image.

    Raises:
        ConfigError: none given, not accepted, malformed, or outside the image.
    """
    kinds = prompts.kinds()
    if not kinds:
        raise ConfigError(f"no prompt for {engine}: give {', '.join(sorted(accepts - {'mask_input'}))}")
    if kinds - accepts:
        others = [name for name, info in ENGINES.items() if kinds <= info.accepts]
        way_out = f"use --engine {' or '.join(others)}" if others else "give them one after the other"
        raise ConfigError(
            f"{engine} takes {', '.join(sorted(accepts))}, not {', '.join(sorted(kinds - accepts))}; {way_out}"
        )
    for point in prompts.points:
        check_point(point, height, width)
    box = None if prompts.box is None else _inside(prompts.box, height, width)
    return Prompts(prompts.points, box, prompts.text.strip(), prompts.mask_input)


def check_point(point: tuple[float, float, int], height: int, width: int) -> None:
    """Refuse a point that is malformed or lies on no pixel of the image.

    Raises:
        ConfigError: as above.
    """
    if len(point) != 3 or point[2] not in (0, 1) or not all(map(math.isfinite, point)):
        raise ConfigError(f"point {point}: expected x, y and 1 (inside) or 0 (outside)")
    x, y, _ = point
    if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
        raise ConfigError(
            f"point {x:g},{y:g}: outside the image, which is {width} wide and {height} high; "
            f"x goes from 0 to {width - 1}, y from 0 to {height - 1}"
        )


def _inside(box: tuple[float, float, float, float], height: int, width: int) -> tuple[float, float, float, float]:
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


def pixel(point: tuple[float, float, int] | tuple[float, float], height: int, width: int) -> tuple[int, int]:
    """Return (row, column) of the pixel that a point lies on."""
    column, row = math.floor(point[0] + 0.5), math.floor(point[1] + 0.5)
    return min(max(row, 0), height - 1), min(max(column, 0), width - 1)
