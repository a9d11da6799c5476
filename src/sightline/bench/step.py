"""How many images a second a whole DINO step does, data included, and where its time goes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from sightline.bench.page import Page
from sightline.bench.pictures import picture_folder
from sightline.bench.timer import EPOCHS, part_rows, time_steps
from sightline.config import PretrainConfig
from sightline.engine import make_fabric, resolve_workers, settle_precision
from sightline.files import cache_home
from sightline.tasks.pretrain import build_task, example_step, method_class, open_inputs

BATCH = 64
# The setting that the design sets a number for: small enough for two cores, with every part of a full-size step.
SETTING: dict[str, Any] = {
    "backbone": "torchvision/resnet18",
    "batch_size": BATCH,
    "views": {"global_size": 64, "local_size": 32, "local_crops": 6},
    "method": {"name": "dino", "prototypes": 4096},
}
PICTURES = 2048  # 32 steps an epoch at batch 64


def step_config(source: str, **keys: Any) -> PretrainConfig:
    """Return the run that is timed, over the 64-px pictures of `source`; `keys` are what differs."""
    return PretrainConfig.build(SETTING, {"data": {"source": source, "image_size": 64}}, keys, where="bench step")


def run(
    steps: int = 20, batch: int = BATCH, precision: str = "auto", device: str = "auto", workers: int | None = None
) -> Page:
    """Train for some steps on generated pictures, by the one training loop, and return where the time went.

    Args:
        steps: timed steps, after `timer.WARM_UP` others.
        batch: images a step.
        precision: auto, 32-true or bf16-mixed.
        device: auto, cpu, cuda or mps.
        workers: threads that make views; None for what a run would take.
    """
    folder = picture_folder(cache_home() / "bench" / f"pictures-64-{PICTURES}", PICTURES, 64)
    keys = {"batch_size": batch, "precision": precision, "device": device, "epochs": EPOCHS}
    if workers is not None:
        keys["workers"] = workers
    asked = step_config(str(folder), **keys)
    with tempfile.TemporaryDirectory() as nowhere:
        config, verdict = settle_precision(asked, Path(nowhere) / "run", example_step(asked), lambda _: None)
    fabric = make_fabric(config)
    counted = time_steps(build_task, config, open_inputs(config, lambda _: None), fabric, steps)
    rows = part_rows(counted, batch)
    method = method_class(config.method).report(config)
    threads = resolve_workers(config.workers, fabric.device.type)
    facts = {
        "setting": f"ResNet-18, 2×64 + 6×32 px, {', '.join(text for _, text in method.rows[:1])}, batch {batch}",
        "precision": f"{verdict.chosen} ({verdict.reason})",
        "device": f"{fabric.device.type}, {torch.get_num_threads()} threads of torch, {threads} of views",
        "steps": f"{len(counted)}, medians",
    }
    about = (
        "One DINO run on generated 64-px pictures, by the training loop that every run goes through. `data` is the "
        "time that the loop makes views, or waits for them where threads make them; `optimizer and after` "
        "holds clipping and what the method does after a step, the moving average."
    )
    return Page("Where a DINO step's time goes", about, {"One step": rows}, facts)
