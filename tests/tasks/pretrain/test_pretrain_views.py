"""Where views are made is a question of speed: on the training device they are those of the CPU, within rounding."""

from __future__ import annotations

import torch

from sightline import recipes
from sightline.config import PretrainConfig, resolve
from sightline.engine import Context, NoProgress, make_fabric
from sightline.runs import RunFolder
from sightline.tasks.pretrain import build_task, open_inputs, pretrain

SMALL = {
    "backbone": "timm/test_resnet",
    "epochs": 1,
    "batch_size": 12,
    "precision": "32-true",
    "workers": 0,
    "data": {"image_size": 24},
    "views": {"global_size": 24, "local_size": 16, "local_crops": 2},
    "method": {"prototypes": 32, "hidden": 32, "bottleneck": 16},
}


def config_of(folder, views_on):
    keys = {"views_on": views_on, "data": {"source": str(folder), "image_size": 24}}
    return resolve(PretrainConfig, recipe=recipes.layer("dino-demo"), file=SMALL, flags=keys)


def test_a_batch_is_the_same_on_either(class_folder, tmp_path):
    batches = []
    for views_on in ("cpu", "device"):
        config = config_of(class_folder, views_on)
        inputs, run = open_inputs(config, print), RunFolder(tmp_path)
        task = build_task(Context(config, inputs, run, make_fabric(config), NoProgress()))
        batches.append(next(iter(task.batches(0, 0))))
    for cpu, device in zip(*batches, strict=True):
        assert cpu.shape == device.shape
        # Two grey levels of 255, as normalised; rarely more, where a resize is antialiased in another way.
        close = (cpu - device).abs() <= 2.5 / 255 / 0.22
        assert close.float().mean() > 0.97
    assert not torch.equal(batches[0][0], batches[1][0]), "the two would then be one renderer"


def test_a_run_goes_through_with_views_on_the_device(class_folder, tmp_path):
    run = pretrain(config_of(class_folder, "device"), tmp_path / "run", progress=NoProgress())
    assert run.result()["steps"] == 5
