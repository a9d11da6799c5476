"""How well grabcut follows clicks on land-cover tiles, and how fast it answers.

    uv run python benchmarks/clicks.py landcover/validation --out docs/results/clicks-grabcut.json

DATA holds NAME_sat.jpg and NAME_mask.png (DeepGlobe's palette; unknown is ignored). Of the first 50 tiles by name every
connected region of at least 1 % of the tile is clicked up to 5 times (see sightline.tasks.prompt.clicks); the result is
the mean IoU over regions after each click, with a 95 % bootstrap interval over tiles. Latency is measured on 1000×1000
images (a tile enlarged): the first click includes looking at the image. Takes about half a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from sightline.data import decode
from sightline.files.atomic import write_json
from sightline.models.promptable import Prompts, build_engine
from sightline.randomness import generator
from sightline.tasks.prompt import clicks

PALETTE = np.array([(0, 1, 1), (1, 1, 0), (1, 0, 1), (0, 1, 0), (0, 0, 1), (1, 1, 1)], bool)


def labels_of(path: Path) -> np.ndarray:
    colours = np.asarray(Image.open(path).convert("RGB")) >= 128
    labels = np.full(colours.shape[:2], 255, np.uint8)
    for index, colour in enumerate(PALETTE):
        labels[(colours == colour).all(axis=2)] = index
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
    parser.add_argument("--engine", default="grabcut")
    parser.add_argument("--model")
    arguments = parser.parse_args()
    engine = build_engine(arguments.engine, arguments.model)
    photos = sorted(arguments.data.glob("*_sat.jpg"))[: arguments.tiles]
    pairs = ((decode(path), labels_of(path.with_name(path.name.replace("_sat.jpg", "_mask.png")))) for path in photos)
    found = clicks(engine, pairs, most=arguments.clicks)
    ious = np.array([region.ious for region in found])
    low, high = interval(ious, np.array([region.image for region in found]))
    load = os.getloadavg()[0]
    result = {
        "engine": engine.name,
        "model": named(engine.model_id),
        "tiles": len(photos),
        "regions": len(found),
        "mean_iou_after_clicks": {str(k + 1): round(float(value), 4) for k, value in enumerate(ious.mean(axis=0))},
        "low": low,
        "high": high,
        "reached_0.8": {str(k + 1): round(float((ious[:, k] >= 0.8).mean()), 4) for k in range(ious.shape[1])},
        "latency_1000x1000": latency(engine, photos[:20]),
        "threads": cv2.getNumThreads(),
        "cores": os.cpu_count(),
        "load_1min": round(load, 2),  # as the latency part began; this run's own share is about 1
    }
    print(json.dumps(result, indent=1))
    if arguments.out:
        write_json(arguments.out, result)


if __name__ == "__main__":
    main()
