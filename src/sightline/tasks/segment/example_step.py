"""What is measured to settle the precision of a segmentation: a network like the run's own, on random pictures."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from sightline.config import SegmentConfig
from sightline.config.types import Stem
from sightline.data import list_pairs, split_pairs
from sightline.engine.example import FORWARD, ExampleStep, Step, Workload, bands_fact, example_batch
from sightline.models.cpu import place
from sightline.models.segmentation import SkipPolicy, build_segmenter

CLASSES = 7  # as in land cover; the last layer is a thousandth of the work whatever their number


def example_step(config: SegmentConfig, backbone: str, stem: Stem) -> ExampleStep:
    """Return forward and backward of the run's architecture on crops, with weights of its own."""
    size, batch = config.crop, example_batch(config.crop**2, config.batch_size // config.devices)
    policy, channels = SkipPolicy.of(config.skips), config.data.channels

    def build(device: torch.device) -> Step:
        model = build_segmenter(config.model, backbone, CLASSES, stem=stem, policy=policy, in_chans=channels)
        model = place(model, device).train()
        images = torch.randn(batch, channels, size, size, device=device)

        def step() -> torch.Tensor:
            model.zero_grad(set_to_none=True)
            return model(images).float().square().mean()

        return step

    facts = {"task": "segment", "model": config.model, "backbone": backbone, "stem": stem, **bands_fact(channels)}
    return ExampleStep({**facts, "skips": f"{policy.drop} {policy.mode}", "side": size, "batch": batch}, build, batch)


def workload(config: SegmentConfig) -> Workload:
    """Return what a run of `config` comes to: its epochs with validation, and as much for each learning rate.

    Validation and test see whole tiles; they are taken to be of the crop's size.
    """
    listing = list_pairs(config.data)
    parts = {name: len(part) for name, part in split_pairs(listing, config.data).items()}
    example = example_step(config, config.backbone, config.stem)
    return Workload(len(listing.pairs), steps_of(config, example, parts), example)


def steps_of(config: SegmentConfig, example: ExampleStep, parts: Mapping[str, int]) -> float:
    """Return how many times `example` does as much as a run on parts of these sizes."""
    seen = config.epochs * (parts["train"] + FORWARD * parts["val"]) + FORWARD * parts["test"]
    tried = len(config.tune) * config.epochs * (parts["train"] + FORWARD * parts["val"])
    return (seen + tried) / (example.batch * config.devices)
