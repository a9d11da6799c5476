"""What cached features save in the frozen settings D and E, and that they change nothing but the time."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from sightline.bench.page import Page
from sightline.config import ClassifyConfig
from sightline.data import load_images
from sightline.engine import NoProgress
from sightline.tasks.classify import classify

EPOCHS = 25  # of the published downstream recipe
GOAL = 10.0
# A small network on the demo's pictures of 64 px: minutes where ResNet-50 on photographs takes hours. Per image, the
# head costs a larger share here than there, so the ratio is a lower bound.
SETTING: dict[str, Any] = {
    "backbone": "torchvision/resnet18",
    "train": "head",
    "epochs": EPOCHS,
    # Random features with a head alone: the published 1e-4 would not get anywhere in 25 epochs.
    "optim": {"lr": 1e-2},
}


def run(seeds: int = 3, epochs: int = EPOCHS, source: str = "demo") -> Page:
    """Classify with a frozen backbone, cached and not, and return times and test accuracies.

    Args:
        seeds: runs of each kind, by turns; medians of times, means of accuracies.
        epochs: of each.
        source: labelled pictures.
    """
    seconds: dict[bool, list[float]] = {True: [], False: []}
    accuracies: dict[bool, list[dict[str, float]]] = {True: [], False: []}
    load_images(_config(source, epochs, 0, cache=True).data)  # decoding is neither's cost
    with tempfile.TemporaryDirectory() as out:
        for seed in range(seeds):
            for cache in (True, False):
                config = _config(source, epochs, seed, cache=cache)
                begin = time.perf_counter()
                done = classify(config, Path(out) / f"{seed}-{cache}", progress=NoProgress())
                seconds[cache].append(time.perf_counter() - begin)
                accuracies[cache].append(done.result()["accuracy"])
    spent = {cache: statistics.median(values) for cache, values in seconds.items()}
    rows = []
    for cache, name in ((True, "features cached"), (False, "backbone run every epoch")):
        of_seeds = accuracies[cache]
        rows.append(
            {
                "how": name,
                "seconds": spent[cache],
                "test accuracy": statistics.mean(entry["value"] for entry in of_seeds),
                "seeds": ", ".join(f"{entry['value']:.3f}" for entry in of_seeds),
                "95 % interval of one seed": f"{of_seeds[0]['low']:.3f}–{of_seeds[0]['high']:.3f}",
                "faster by": spent[False] / spent[cache],
            }
        )
    facts = {
        "setting": f"ResNet-18 of random weights, frozen; {epochs} epochs on {source}; {seeds} seeds by turns",
        "whole runs": "from the call to the judged result, feature extraction and the test included",
        "goal": f"{GOAL:.0f}×",
        "n": of_seeds[0]["n"],
    }
    about = "A frozen backbone gives the same features every epoch. Cached, they are computed once for each view."
    return Page("Frozen settings: cached features", about, {"Whole runs": rows}, facts)


def _config(source: str, epochs: int, seed: int, *, cache: bool) -> ClassifyConfig:
    keys = {"epochs": epochs, "seed": seed, "feature_cache": cache}
    data = {"data": {"source": source, "image_size": 64}}
    return ClassifyConfig.build(SETTING, data, keys, where="bench transfer")
