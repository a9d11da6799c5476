"""How well an engine follows clicks on land-cover tiles, and how fast it answers.

    uv run python benchmarks/clicks.py landcover/validation --out docs/results/clicks-graphcut.json
    uv run python benchmarks/clicks.py landcover/validation --engine opencv-grabcut --no-latency \\
        --out docs/results/clicks-opencv-grabcut.json

DATA holds NAME_sat.jpg and NAME_mask.png (DeepGlobe's palette; unknown is ignored). Of the first 50 tiles by name every
connected region of at least 1 % of the tile is clicked up to 5 times (sightline.tasks.prompt.semantic); the result is
the mean IoU over regions after each click, with a 95 % bootstrap interval over tiles. Latency is measured on 1000×1000
images (a tile enlarged): the first click includes looking at the image. graphcut takes about half a minute.

Beside the engines stands opencv-grabcut: cv2.grabCut itself under the same clicks, as the baseline that graphcut
has its idea from. It is no engine of `sightline prompt`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from sightline.config import IGNORE_INDEX
from sightline.data import decode
from sightline.files.atomic import write_json
from sightline.prompts import DEFAULT_ENGINE, ImageState, PromptEngine, Prompts, build_engine, pixel
from sightline.randomness import generator
from sightline.tasks.prompt.semantic import Clicked, click_regions, next_click, regions_of

# OpenCV's own sample (samples/python/grabcut.py) makes one iteration a key press; its tutorial makes five.
ITERATIONS = 5
STROKE = 5  # pixels: radius of a click's disc, as in RITM (Sofiiuk et al. 2021)
# Longer side of the image that GrabCut cuts: that of graphcut's working image, so that both see the same pixels.
SIDE = 256
LEAST = 0.01  # share of the tile from which a region is clicked
PALETTE = np.array([(0, 1, 1), (1, 1, 0), (1, 0, 1), (0, 1, 0), (0, 0, 1), (1, 1, 1)], bool)


@dataclass(frozen=True)
class Picture(ImageState):
    """The image at the size that is cut: OpenCV computes nothing else ahead."""

    image: np.ndarray


class OpenCVGrabCut(PromptEngine):
    """cv2.grabCut (Rother, Kolmogorov, Blake 2004), seeded by clicks.

    Each click marks a disc as surely inside or surely outside, as a short stroke would. GrabCut also wants a first
    guess of everything else, for it is made for a rectangle around the object: a pixel is probably inside where it is
    nearer to an inside click than to any outside click and to the picture's edge, and probably outside elsewhere.
    """

    name = "opencv-grabcut"
    accepts = frozenset({"points"})

    @classmethod
    def load(cls, model_id: str, device: str) -> OpenCVGrabCut:
        return cls()

    def _look(self, image: np.ndarray) -> Picture:
        height, width = image.shape[:2]
        factor = min(1.0, SIDE / max(height, width))
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        return Picture(height, width, False, 0.0, cv2.resize(image, size, interpolation=cv2.INTER_AREA))

    def _answer(self, state: ImageState, prompts: Prompts, multimask: bool):
        assert isinstance(state, Picture)
        height, width = state.image.shape[:2]
        right, down = width / state.width, height / state.height
        clicks = [
            (*pixel(((x + 0.5) * right - 0.5, (y + 0.5) * down - 0.5), height, width), bool(inside))
            for x, y, inside in prompts.points
        ]
        # Distance to the nearest zero: of the inside clicks, and of the outside clicks and the edge.
        seeds = np.ones((2, height + 2, width + 2), np.uint8)
        seeds[1, [0, -1]] = seeds[1, :, [0, -1]] = 0
        for row, column, inside in clicks:
            seeds[0 if inside else 1, row + 1, column + 1] = 0
        to_inside, to_outside = (cv2.distanceTransform(seed, cv2.DIST_L2, 5)[1:-1, 1:-1] for seed in seeds)
        mask = np.where(to_inside < to_outside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        for row, column, inside in clicks:
            cv2.circle(mask, (column, row), STROKE, cv2.GC_FGD if inside else cv2.GC_BGD, -1)
        cv2.setRNGSeed(0)
        models = np.zeros((2, 1, 65))
        cv2.grabCut(state.image, mask, None, models[0], models[1], ITERATIONS, cv2.GC_INIT_WITH_MASK)
        found = ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.float32)
        full = cv2.resize(found, (state.width, state.height), interpolation=cv2.INTER_LINEAR) > 0.5
        return full[None], np.ones(1, np.float32), None, None


@dataclass(frozen=True)
class First:
    """What one click on a region gives.

    A person does not measure where a region is deepest; a click anywhere in it is the hardest that one could be.

    Attributes:
        share: of the picture, the first proposal's.
        scores: of all proposals.
        best: IoU of the best proposal.
        anywhere: IoU of the first proposal at a place drawn at random.
    """

    share: float
    scores: list[float]
    best: float
    anywhere: float


def labels_of(path: Path) -> np.ndarray:
    colors = np.asarray(Image.open(path).convert("RGB")) >= 128
    labels = np.full(colors.shape[:2], 255, np.uint8)
    for index, color in enumerate(PALETTE):
        labels[(colors == color).all(axis=2)] = index
    return labels


def interval(ious: np.ndarray, tiles: np.ndarray) -> tuple[list[float], list[float]]:
    """Return low and high of the mean over regions after each click, tiles drawn with replacement."""
    rng, numbers = generator(0, "clicks-interval"), np.unique(tiles)
    sums = np.stack([ious[tiles == number].sum(axis=0) for number in numbers])
    counts = np.array([(tiles == number).sum() for number in numbers])
    drawn = rng.integers(len(numbers), size=(2000, len(numbers)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)[:, None]
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return low.round(4).tolist(), high.round(4).tolist()


def accuracy(regions: list[Clicked]) -> dict[str, object]:
    """Return mean IoU over regions after each click, its interval, and how many regions reached 0.8."""
    ious = np.array([region.ious for region in regions])
    low, high = interval(ious, np.array([region.image for region in regions]))
    return {
        "regions": len(regions),
        "mean_iou_after_clicks": {str(k + 1): round(float(value), 4) for k, value in enumerate(ious.mean(axis=0))},
        "low": low,
        "high": high,
        "reached_0.8": {str(k + 1): round(float((ious[:, k] >= 0.8).mean()), 4) for k in range(ious.shape[1])},
    }


def pairs_of(photos: list[Path]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield image and labels."""
    for path in photos:
        yield decode(path), labels_of(path.with_name(path.name.replace("_sat.jpg", "_mask.png")))


def first_answers(engine: PromptEngine, state: ImageState, labels: np.ndarray, rng: np.random.Generator) -> list[First]:
    """Return what one click on each region of an image gives."""
    known, answers = labels != IGNORE_INDEX, []
    for _, region in regions_of(labels, LEAST):
        click = next_click(region, np.zeros_like(region), known)
        assert click is not None
        answer = engine.predict(state, Prompts(points=(click,)))
        rows, columns = np.nonzero(region)
        pick = int(rng.integers(len(rows)))
        ask = Prompts(points=((float(columns[pick]), float(rows[pick]), 1),))
        answers.append(
            First(
                share=float(answer.masks[0].mean()),
                scores=answer.scores.tolist(),
                best=max(iou_of(mask, region, known) for mask in answer.masks),
                anywhere=iou_of(engine.predict(state, ask, multimask=False).masks[0], region, known),
            )
        )
    return answers


def first_table(answers: list[First]) -> dict[str, object]:
    return {
        "first_proposal_covers_0.93": sum(answer.share >= 0.93 for answer in answers),
        "least_score_offered": round(min(min(answer.scores) for answer in answers), 4),
        "proposals_after_one_click": round(float(np.mean([len(answer.scores) for answer in answers])), 2),
        "best_of_proposals_after_one_click": round(float(np.mean([answer.best for answer in answers])), 4),
        "mean_iou_after_one_click_anywhere": round(float(np.mean([answer.anywhere for answer in answers])), 4),
    }


def iou_of(mask: np.ndarray, region: np.ndarray, known: np.ndarray) -> float:
    return float((mask & region).sum() / ((mask | region) & known).sum())


def latency(engine, tiles: list[Path], side: int = 1000) -> dict[str, dict[str, float]]:
    """Return median and 95th percentile, in milliseconds, of first and later clicks."""
    first, later = [], []
    for path in tiles:
        image = cv2.resize(decode(path), (side, side), interpolation=cv2.INTER_CUBIC)
        places = generator(0, "clicks-latency").integers(0, side, size=(5, 2)).tolist()
        begin = time.perf_counter()
        state = engine.set_image(image)
        engine.predict(state, Prompts(points=((*places[0], 1),)))
        first.append(time.perf_counter() - begin)
        for k in range(2, 6):
            points = tuple((x, y, int(i % 2 == 0)) for i, (x, y) in enumerate(places[:k]))
            begin = time.perf_counter()
            engine.predict(state, Prompts(points=points))
            later.append(time.perf_counter() - begin)
    return {
        name: {
            "median_ms": round(1e3 * float(np.median(times)), 1),
            "p95_ms": round(1e3 * float(np.quantile(times, 0.95)), 1),
        }
        for name, times in (("first_click", first), ("later_clicks", later))
    }


def named(model: str) -> str | None:
    """Return a hub id as it is, and of a folder its name: a result tells nothing of the machine's folders."""
    return (Path(model).name if Path(model).exists() else model) or None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--tiles", type=int, default=50)
    parser.add_argument("--clicks", type=int, default=5)
    parser.add_argument("--engine", default=DEFAULT_ENGINE)
    parser.add_argument("--model")
    parser.add_argument("--no-latency", action="store_true", help="accuracy only, for a machine with other work")
    arguments = parser.parse_args()
    peer = arguments.engine == OpenCVGrabCut.name
    engine = OpenCVGrabCut() if peer else build_engine(arguments.engine, arguments.model)
    photos = sorted(arguments.data.glob("*_sat.jpg"))[: arguments.tiles]
    regions: list[Clicked] = []
    answers: list[First] = []
    rng = generator(0, "clicks-anywhere")
    for number, (image, labels) in enumerate(pairs_of(photos)):
        state = engine.set_image(image)
        regions += click_regions(engine, state, labels, number, most=arguments.clicks, min_fraction=LEAST)
        answers += first_answers(engine, state, labels, rng)
    load = os.getloadavg()[0]
    result = {
        "engine": engine.name,
        "model": named(engine.model_id),
        "tiles": len(photos),
        **accuracy(regions),
        **first_table(answers),
        "each": [
            {"tile": region.image, "area": region.area, "ious": [round(value, 4) for value in region.ious]}
            for region in regions
        ],
    }
    if not arguments.no_latency:
        result |= {
            "latency_1000x1000": latency(engine, photos[:20]),
            "threads": cv2.getNumThreads(),
            "cores": os.cpu_count(),
            # As the latency part began; this run's own share is about 1.
            "load_1min": round(load, 2),
        }
    if peer:
        result |= {"opencv": cv2.__version__, "iterations": ITERATIONS, "stroke": STROKE, "side": SIDE}
    print(json.dumps(result, indent=1))
    if arguments.out:
        write_json(arguments.out, result)


if __name__ == "__main__":
    main()
