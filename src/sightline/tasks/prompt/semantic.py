"""How much a promptable engine knows of a labelled data set's classes, though it names none.

Three questions: what could its masks of everything give at best (`voted` with the true labels: an oracle names each
mask), how many clicks does a region take (`clicks`), and does voting a segmenter's labels into its masks help (`voted`
with those). Label maps are uint8 (H, W), 255 ignored; counts go to `sightline.metrics.segmentation`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from sightline.config import IGNORE_INDEX
from sightline.prompts import ImageState, Point, PromptEngine, Prompts, Region

MOST_CLICKS = 10
Pair = tuple[np.ndarray, np.ndarray]  # image uint8 (H, W, 3) and labels uint8 (H, W)


def counted(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return counts, int64 (K, K + 1): rows truth, columns prediction, the last one for pixels without a prediction."""
    guess = np.where(predicted == IGNORE_INDEX, classes, predicted)
    known = truth != IGNORE_INDEX
    codes = truth[known].astype(np.int64) * (classes + 1) + guess[known]
    return np.bincount(codes, minlength=classes * (classes + 1)).reshape(classes, classes + 1)


def voted(regions: list[Region], labels: np.ndarray, otherwise: np.ndarray | None = None) -> np.ndarray:
    """Return labels where each region has its majority's, small regions over large; elsewhere `otherwise` or ignored.

    Ignored pixels have no vote; a region of nothing else is left out. Of equal votes the lower class wins.
    """
    result = np.full(labels.shape, IGNORE_INDEX, np.uint8) if otherwise is None else otherwise.copy()
    for region in sorted(regions, key=lambda region: -region.area):
        mask = region.mask()
        votes = np.bincount(labels[mask], minlength=256)[:IGNORE_INDEX]
        if votes.any():
            result[mask] = votes.argmax()
    return result


def covered(regions: list[Region], shape: tuple[int, ...]) -> np.ndarray:
    """Return which pixels some region holds, bool (H, W)."""
    union = np.zeros(shape, bool)
    for region in regions:
        union |= region.mask()
    return union


@dataclass(frozen=True)
class Clicked:
    """One region under simulated clicks.

    Attributes:
        image: its number.
        label: its class.
        area: in pixels.
        ious: after 1, 2, … clicks; where nothing was wrong any more the last value stays.
        seconds: of each answer, as long as clicks were given.
    """

    image: int
    label: int
    area: int
    ious: list[float]
    seconds: list[float]


def clicks(
    engine: PromptEngine,
    pairs: Iterable[Pair],
    *,
    most: int = MOST_CLICKS,
    min_fraction: float = 0.01,
    progress: Callable[[int], object] | None = None,
) -> list[Clicked]:
    """Click each region of each image's labels, as a patient person would, and measure IoU after each click.

    The first click lies deepest inside the region; each further one deepest inside the largest error, inside or
    outside as needed (Xu et al. 2016, "Deep Interactive Object Selection"). No chance in it. Ignored pixels neither
    count nor are clicked.

    Args:
        engine: that takes points.
        pairs: images and labels.
        most: clicks a region.
        min_fraction: regions smaller than this share of the image are left out.
        progress: called with the number of images done.
    """
    clicked = []
    for number, (image, labels) in enumerate(pairs):
        clicked += click_regions(engine, engine.set_image(image), labels, number, most=most, min_fraction=min_fraction)
        if progress is not None:
            progress(number + 1)
    return clicked


def click_regions(
    engine: PromptEngine, state: ImageState, labels: np.ndarray, number: int, *, most: int, min_fraction: float
) -> list[Clicked]:
    """Click each region of one image's labels; arguments as of `clicks`, `number` is the image's."""
    clicked = []
    for label, region in regions_of(labels, min_fraction):
        ious, seconds = _click(engine, state, region, labels != IGNORE_INDEX, most)
        clicked.append(Clicked(number, label, int(region.sum()), ious, seconds))
    return clicked


def regions_of(labels: np.ndarray, min_fraction: float) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (class, bool (H, W)) of each connected component that is large enough."""
    for label in np.unique(labels):
        if label == IGNORE_INDEX:
            continue
        part = (labels == label).astype(np.uint8)
        _, pieces, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=8)
        for piece in range(1, len(stats)):
            if stats[piece, cv2.CC_STAT_AREA] >= min_fraction * labels.size:
                yield int(label), pieces == piece


def _click(
    engine: PromptEngine, state: ImageState, region: np.ndarray, known: np.ndarray, most: int
) -> tuple[list[float], list[float]]:
    mask = np.zeros_like(region)
    points: list[Point] = []
    ious, seconds = [], []
    for _ in range(most):
        click = next_click(region, mask, known)
        if click is not None:
            points.append(click)
            answer = engine.predict(state, Prompts(points=tuple(points)), multimask=False)
            mask = answer.masks[0]
            seconds.append(answer.seconds)
        union = ((mask | region) & known).sum()
        ious.append(float((mask & region).sum() / union))
    return ious, seconds


def next_click(region: np.ndarray, mask: np.ndarray, known: np.ndarray) -> Point | None:
    """Return (x, y, 1 or 0) deepest inside the largest error; None if there is no error."""
    best, deepest = None, 0.0
    for error, label in ((region & ~mask, 1), (mask & ~region & known, 0)):
        # The image's edge counts as an edge, or clicks would cling to it.
        depth = cv2.distanceTransform(np.pad(error.astype(np.uint8), 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        place = int(depth.argmax())
        if depth.flat[place] > deepest:
            row, column = np.unravel_index(place, depth.shape)
            best, deepest = (float(column - 1), float(row - 1), label), float(depth.flat[place])
    return best
