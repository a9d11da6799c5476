"""What is measured to settle the precision of a classification: its own backbone, on random pictures."""

from __future__ import annotations

import torch
from torch.nn import functional

from sightline.config import ClassifyConfig
from sightline.config.types import Stem
from sightline.data import list_images, split
from sightline.engine.example import FORWARD, ExampleStep, Step, Workload, bands_fact, example_batch
from sightline.models import Classifier, LinearHead, build_backbone
from sightline.models.cpu import place
from sightline.models.freezing import freeze

CLASSES = 10  # the linear head's share of the time is nothing


def example_step(config: ClassifyConfig, backbone: str, stem: Stem) -> ExampleStep:
    """Return forward and backward of a backbone of that name and a head; what stands still only forward."""
    side, channels = config.input_size, config.data.channels
    batch = example_batch(side * side, config.batch_size // config.devices)

    def build(device: torch.device) -> Step:
        network = build_backbone(backbone, stem, in_chans=channels)
        model = place(Classifier(network, LinearHead(network.dim, CLASSES)), device)
        freeze(network, config.train)
        model.train()
        images = torch.randn(batch, side, side, channels, device=device).permute(0, 3, 1, 2)
        labels = torch.arange(batch, device=device) % CLASSES

        def step() -> torch.Tensor:
            model.zero_grad(set_to_none=True)
            return functional.cross_entropy(model(images).float(), labels)

        return step

    facts = {"task": "classify", "backbone": backbone, "stem": stem, "train": config.train, **bands_fact(channels)}
    return ExampleStep({**facts, "side": side, "batch": batch}, build, batch)


def workload(config: ClassifyConfig) -> Workload:
    """Return what a run of `config` comes to: its epochs, or where features are cached one pass for each view."""
    listing = list_images(config.data)
    parts = split(listing, config.data.split, config.data.split_file)
    train = len(parts.train) * config.label_fraction
    example = example_step(config, config.backbone, config.stem)
    steps = steps_of(config, example, train, len(parts.val), len(parts.test))
    return Workload(len(listing), steps, example)


def steps_of(config: ClassifyConfig, example: ExampleStep, train: float, val: int, test: int) -> float:
    """Return how many times `example` does as much as a run on parts of these sizes."""
    if config.train == "head" and config.feature_cache:
        seen = train * (config.cached_views if config.augment != "none" else 1) + val + test
    else:
        seen = config.epochs * (train + val * (1.0 if config.train == "head" else FORWARD))
    # A run for each learning rate that is tried, and then the run itself.
    return (len(config.tune) + 1) * seen / (example.batch * config.devices)
