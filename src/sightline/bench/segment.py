"""How many crops a second a whole segmentation step does, data included, and where its time goes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from sightline.bench.page import Page
from sightline.bench.timer import EPOCHS, part_rows, time_steps
from sightline.config import SegmentConfig
from sightline.engine import make_fabric, resolve_workers, settle_precision
from sightline.tasks.segment import build_task, example_step, open_inputs

BATCH = 8
SETTING: dict[str, Any] = {
    "data": {"source": "demo/landcover"},
    "backbone": "torchvision/resnet18",
    "crop": 256,
    "epochs": EPOCHS,
}


def run(
    steps: int = 10, batch: int = BATCH, model: str = "unet", precision: str = "auto", device: str = "auto"
) -> Page:
    """Train for some steps on the demo's scenes, by the one training loop, and return where the time went.

    Args:
        steps: timed steps, after `timer.WARM_UP` others.
        batch: crops a step.
        model: unet, deeplabv3plus, or another architecture of segmentation-models-pytorch.
        precision: auto, 32-true or bf16-mixed.
        device: auto, cpu, cuda or mps.
    """
    keys = {"batch_size": batch, "model": model, "precision": precision, "device": device}
    asked = SegmentConfig.build(SETTING, keys, where="bench segment")
    inputs = open_inputs(asked, lambda _: None)
    with tempfile.TemporaryDirectory() as nowhere:
        example = example_step(asked, inputs.start.backbone.name, inputs.start.backbone.stem)
        config, verdict = settle_precision(asked, Path(nowhere) / "run", example, lambda _: None)
    fabric = make_fabric(config)
    counted = time_steps(build_task, config, inputs, fabric, steps)
    threads = resolve_workers(config.workers, fabric.device.type)
    facts = {
        "setting": f"{model} on ResNet-18, crops of {config.crop} px, batch {batch}, {config.loss}",
        "precision": f"{verdict.chosen} ({verdict.reason})",
        "device": f"{config.device}, {torch.get_num_threads()} threads of torch, {threads} of crops",
        "steps": f"{len(counted)}, medians",
    }
    about = (
        "One segmentation run on the demo's scenes, by the training loop that every run goes through. `data` is the "
        "time that the loop makes crops, or waits for them where threads make them."
    )
    return Page("Where a segmentation step's time goes", about, {"One step": part_rows(counted, batch)}, facts)
