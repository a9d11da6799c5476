"""How many images a second the multi-crop makes, over sizes of source, numbers of crops, batches and workers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from sightline.bench.page import Page
from sightline.bench.pictures import pictures
from sightline.views import MultiCrop

# (source side, global size, local size): the two settings that the design sets numbers for.
SETTINGS = {"84px 2x224+6x96": (84, 224, 96), "64px 2x64+6x32": (64, 64, 32)}
BATCH = 64  # images a call; large enough that the cost of drawing parameters is what it is in training


def measure(call: Callable[[int], object], images: int, seconds: float, repeats: int) -> float:
    """Return images a second: the median of `repeats` stretches of about `seconds` each."""
    call(0)
    rates, step = [], 1
    for _ in range(repeats):
        done, start = 0, time.perf_counter()
        while (spent := time.perf_counter() - start) < seconds or not done:
            call(step)
            step, done = step + 1, done + images
        rates.append(done / spent)
    return statistics.median(rates)


def rate(
    side: int,
    global_size: int,
    local_size: int,
    local_crops: int = 6,
    batch: int = BATCH,
    workers: int = 1,
    seconds: float = 1.0,
    repeats: int = 3,
) -> float:
    """Return images a second of `MultiCrop` with `workers` threads, each making whole batches.

    Args:
        side: of the square sources, pixels.
        global_size: side of the two global views.
        local_size: side of the local views.
        local_crops: how many local views.
        batch: images a call.
        workers: threads.
        seconds: of one stretch.
        repeats: stretches, of which the median is returned.
    """
    views = MultiCrop(global_size=global_size, local_size=local_size, local_crops=local_crops)
    images = pictures(batch, side)

    def make_batch(step: int) -> None:
        views(images, np.arange(step * batch, (step + 1) * batch))

    if workers == 1:
        return measure(make_batch, batch, seconds, repeats)
    with ThreadPoolExecutor(workers) as pool:
        return measure(
            lambda step: list(pool.map(make_batch, range(step * workers, (step + 1) * workers))),
            batch * workers,
            seconds,
            repeats,
        )


def run(
    sides: Sequence[int] = (64, 84, 256, 512, 1000, 2000),
    local_crops: Sequence[int] = (0, 2, 6, 10),
    batches: Sequence[int] = (16, 64, 256),
    workers: Sequence[int] = (1, 2),
    seconds: float = 1.0,
    repeats: int = 3,
) -> dict[str, Any]:
    """Time the multi-crop at the two settings, then vary one thing at a time from 84 px, 2×224 + 6×96, batch 64.

    Returns:
        {"unit": …, "settings": {name: rate}, "growth": [{"vary", "value", "rate"}, …]}.
    """
    timing = {"seconds": seconds, "repeats": repeats}
    settings = {name: rate(*setting, **timing) for name, setting in SETTINGS.items()}
    side, global_size, local_size = next(iter(SETTINGS.values()))
    growth = [{"vary": "source side", "value": v, "rate": rate(v, global_size, local_size, **timing)} for v in sides]
    base = (side, global_size, local_size)
    for vary, key, values in (
        ("local crops", "local_crops", local_crops),
        ("batch", "batch", batches),
        ("workers", "workers", workers),
    ):
        growth += [{"vary": vary, "value": value, "rate": rate(*base, **{key: value}, **timing)} for value in values]
    return {"unit": "images/s", "settings": settings, "growth": growth}


def page(seconds: float = 1.0, repeats: int = 3) -> Page:
    """Return what `run` finds as a page."""
    results = run(seconds=seconds, repeats=repeats)
    unit = results["unit"]
    settings = [{"setting": name, unit: value} for name, value in results["settings"].items()]
    growth = [{"vary": row["vary"], "value": row["value"], unit: row["rate"]} for row in results["growth"]]
    about = (
        "Multi-crop views of generated pictures on uint8 arrays, batches of 64 on one thread but where said. Growth "
        "varies one thing at a time from 84-px sources, 2×224 + 6×96 px."
    )
    facts = {"timing": f"{repeats} stretches of {seconds:g} s, medians"}
    return Page("Multi-crop views", about, {"Settings": settings, "Growth": growth}, facts)
