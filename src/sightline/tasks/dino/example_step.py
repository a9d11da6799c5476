"""What is measured to settle the precision of a DINO run: its own networks and crops, on random numbers."""

from __future__ import annotations

import torch

from sightline.config import PretrainConfig
from sightline.data import list_images
from sightline.engine.example import ExampleStep, Step, Workload, example_batch
from sightline.models import build_backbone
from sightline.models.cpu import place
from sightline.tasks.dino.loss import dino_loss
from sightline.tasks.dino.task import dino_config, make_network


def example_step(config: PretrainConfig) -> ExampleStep:
    """Return teacher's forward, student's forward and backward of `config`, at its batch or as much as is quick."""
    views, dino = config.views, dino_config(config)
    pixels = 2 * views.global_size**2 + views.local_crops * views.local_size**2
    batch = example_batch(pixels, config.batch_size // config.devices)

    def build(device: torch.device) -> Step:
        network = place(make_network(build_backbone(config.backbone, config.stem), dino), device)
        globals_ = torch.randn(2, batch, views.global_size, views.global_size, 3, device=device)
        locals_ = torch.randn(views.local_crops, batch, views.local_size, views.local_size, 3, device=device)
        crops = [crop.permute(0, 1, 4, 2, 3) for crop in (globals_, locals_)]

        def step() -> torch.Tensor:
            network.zero_grad(set_to_none=True)
            with torch.no_grad():
                teacher = network(crops[0]).logits.float().softmax(dim=-1)
            return dino_loss(network(*crops).logits, teacher, dino.student_temperature)

        return step

    facts = {
        "task": "dino", "backbone": config.backbone, "stem": config.stem, "batch": batch, "crops": views.local_crops,
        "sizes": [views.global_size, views.local_size], "hidden": dino.hidden, "bottleneck": dino.bottleneck,
        "prototypes": dino.prototypes, "head_batch_norm": dino.head_batch_norm,
        "bottleneck_batch_norm": dino.bottleneck_batch_norm,
    }  # fmt: skip
    return ExampleStep(facts, build, batch)


def workload(config: PretrainConfig) -> Workload:
    """Return what a run of `config` comes to: all epochs over all images."""
    images, example = len(list_images(config.data).samples), example_step(config)
    return Workload(images, config.epochs * images / (example.batch * config.devices), example)
