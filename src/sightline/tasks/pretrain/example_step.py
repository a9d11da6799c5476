"""What is measured to settle the precision of a pretraining: its own networks and crops, on random numbers."""

from __future__ import annotations

import torch

from sightline.config import PretrainConfig
from sightline.data import list_images
from sightline.engine import make_fabric
from sightline.engine.example import ExampleStep, Step, Workload, bands_fact, example_batch
from sightline.models import build_backbone
from sightline.tasks.pretrain.methods import method_class


def example_step(config: PretrainConfig) -> ExampleStep:
    """Return the method's loss of `config`, at its batch or as much as is quick."""
    views, channels = config.views, config.data.channels
    pixels = 2 * views.global_size**2 + views.local_crops * views.local_size**2
    batch = example_batch(pixels, config.batch_size // config.devices)

    def build(device: torch.device) -> Step:
        # In 32 bits and one process: who measures sets the precision.
        fabric = make_fabric(config.model_copy(update={"precision": "32-true", "devices": 1}))
        backbone = build_backbone(config.backbone, config.stem, in_chans=channels)
        method = method_class(config.method)(backbone, config, fabric, steps_per_epoch=1)
        globals_ = torch.randn(2, batch, views.global_size, views.global_size, channels, device=device)
        locals_ = torch.randn(views.local_crops, batch, views.local_size, views.local_size, channels, device=device)
        crops = (globals_.permute(0, 1, 4, 2, 3), locals_.permute(0, 1, 4, 2, 3))

        def step() -> torch.Tensor:
            method.network.zero_grad(set_to_none=True)
            return method.loss(method.network, crops)[0]

        return step

    facts = {
        "task": "pretrain", "backbone": config.backbone, "stem": config.stem, "batch": batch,
        "crops": views.local_crops, "sizes": [views.global_size, views.local_size],
        "method": config.method.to_dict(), **bands_fact(channels),
    }  # fmt: skip
    return ExampleStep(facts, build, batch)


def workload(config: PretrainConfig) -> Workload:
    """Return what a run of `config` comes to: all epochs over all images."""
    images, example = len(list_images(config.data, labels=False).samples), example_step(config)
    return Workload(images, steps_of(config, example, images), example)


def steps_of(config: PretrainConfig, example: ExampleStep, images: int) -> float:
    """Return how many times `example` does as much as a run on so many images."""
    return config.epochs * images / (example.batch * config.devices)
