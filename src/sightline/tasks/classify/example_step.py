"""What is measured to settle the precision of a classification: its own backbone, on random pictures."""

from __future__ import annotations

import copy

import torch
from torch.nn import functional

from sightline.config import ClassifyConfig
from sightline.engine.precision import ExampleStep, Step, example_batch
from sightline.models import Backbone, Classifier, LinearHead
from sightline.models.cpu import place
from sightline.tasks.classify.task import FrozenBackbone

CLASSES = 10  # the linear head's share of the time is nothing


def example_step(config: ClassifyConfig, backbone: Backbone) -> ExampleStep:
    """Return forward and backward of a copy of `backbone` and a head; forward alone where it is frozen."""
    side = config.input_size
    batch = example_batch(side * side, config.batch_size // config.devices)

    def build(device: torch.device) -> Step:
        own = copy.deepcopy(backbone)
        model = Classifier(FrozenBackbone(own) if config.freeze else own.train(), LinearHead(own.dim, CLASSES))
        model = place(model, device)
        images = torch.randn(batch, side, side, 3, device=device).permute(0, 3, 1, 2)
        labels = torch.arange(batch, device=device) % CLASSES

        def step() -> torch.Tensor:
            model.zero_grad(set_to_none=True)
            return functional.cross_entropy(model(images).float(), labels)

        return step

    facts = {"task": "classify", "backbone": backbone.name, "stem": backbone.stem, "freeze": config.freeze}
    return ExampleStep({**facts, "side": side, "batch": batch}, build)
