"""What is measured to settle the precision of a segmentation: a network like the run's own, on random pictures."""

from __future__ import annotations

import torch

from sightline.config import SegmentConfig
from sightline.engine.precision import ExampleStep, Step, example_batch
from sightline.models import Backbone
from sightline.models.cpu import place
from sightline.models.segmentation import SkipPolicy, build_segmenter

CLASSES = 7  # as in land cover; the last layer is a thousandth of the work whatever their number


def example_step(config: SegmentConfig, backbone: Backbone) -> ExampleStep:
    """Return forward and backward of the run's architecture on crops, with weights of its own."""
    size, batch = config.crop, example_batch(config.crop**2, config.batch_size // config.devices)
    policy = SkipPolicy.of(config.skips)

    def build(device: torch.device) -> Step:
        model = build_segmenter(config.model, backbone.name, CLASSES, stem=backbone.stem, policy=policy)
        model = place(model, device).train()
        images = torch.randn(batch, 3, size, size, device=device)

        def step() -> torch.Tensor:
            model.zero_grad(set_to_none=True)
            return model(images).float().square().mean()

        return step

    facts = {"task": "segment", "model": config.model, "backbone": backbone.name, "stem": backbone.stem}
    return ExampleStep({**facts, "skips": f"{policy.drop} {policy.mode}", "side": size, "batch": batch}, build)
