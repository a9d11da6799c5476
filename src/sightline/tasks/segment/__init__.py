"""Semantic segmentation: train, ablate skip connections, judge, draw, predict."""

from sightline.tasks.segment.evaluate import evaluate
from sightline.tasks.segment.example_step import example_step
from sightline.tasks.segment.interventions import interventions
from sightline.tasks.segment.predict import MaskMaker, Options, predict, predict_masks
from sightline.tasks.segment.segment import build_task, open_inputs, segment

__all__ = [
    "MaskMaker",
    "Options",
    "build_task",
    "evaluate",
    "example_step",
    "interventions",
    "open_inputs",
    "predict",
    "predict_masks",
    "segment",
]
