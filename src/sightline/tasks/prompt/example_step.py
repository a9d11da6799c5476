"""What one tile costs a promptable engine: everything mode, and all clicks on its regions."""

from __future__ import annotations

import torch

from sightline.config import PromptConfig
from sightline.data import decode, list_pairs, split_pairs
from sightline.data.images.reading import Reading, picture
from sightline.data.masks.load import encode_pair
from sightline.engine.example import ExampleStep, Step, Workload
from sightline.prompts import EverythingSettings, build_engine
from sightline.tasks.prompt.semantic import click_regions


def workload(config: PromptConfig) -> Workload:
    """Return what an evaluation comes to: its tiles, each like the first; an engine that is not here raises at build.

    The engine chooses its own precision, and a tile takes so long that it is timed once.
    """
    listing = list_pairs(config.data)
    tiles = len(split_pairs(listing, config.data)["test"])
    pair = listing.pairs[0]

    def build(device: torch.device) -> Step:
        engine = build_engine(config.engine, config.model, device=device.type)
        labels, _ = encode_pair(pair, listing.palette)
        image = picture(decode(pair.image, reading=Reading(config.data.bands, config.data.scale_pairs)))

        def step() -> None:
            state = engine.set_image(image)
            engine.everything(state, EverythingSettings(points_per_side=config.points_per_side))
            click_regions(engine, state, labels, 0, most=config.clicks, min_fraction=config.min_fraction)

        return step

    facts = {
        "task": "prompt", "engine": config.engine, "model": config.model, "points_per_side": config.points_per_side,
        "clicks": config.clicks, "min_share": config.min_fraction, "tile": str(pair.image),
    }  # fmt: skip
    count = min(tiles, config.tiles or tiles)
    return Workload(count, count, ExampleStep(facts, build, precisions=("32-true",), rounds=0))
