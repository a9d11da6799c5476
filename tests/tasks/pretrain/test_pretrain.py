"""A pretraining run, by DINO: what happens once a step, what stands still, and a run that goes wrong."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from sightline import recipes
from sightline.config import PretrainConfig, resolve
from sightline.engine import NoProgress
from sightline.errors import DataError, NonFinite
from sightline.runs import RunFolder
from sightline.tasks.pretrain import pretrain

SMALL = {
    "backbone": "timm/test_vit",
    "epochs": 2,
    "batch_size": 12,
    "precision": "32-true",
    "workers": 0,
    "log_every": 1,
    "views": {"local_crops": 1},
    "method": {
        "prototypes": 32,
        "hidden": 32,
        "bottleneck": 16,
        # As published: batch norm, Sinkhorn and KoLeo see one batch at a time, and then it matters how large it is.
        "head_batch_norm": False,
        "bottleneck_batch_norm": False,
        "koleo": 0.0,
        "centering": "mean",
    },
    "optim": {"name": "sgd"},
}


def run(folder, out, **keys):
    config = resolve(
        PretrainConfig,
        recipe=recipes.layer("dino-demo"),
        file={"data": {"source": str(folder)}} | SMALL,
        flags=keys,
    )
    return pretrain(config, out, progress=NoProgress())


def test_accumulated_batches_are_one_step(class_folder, tmp_path):
    whole = run(class_folder, tmp_path / "whole", batch_size=12, accumulate=1)
    parts = run(class_folder, tmp_path / "parts", batch_size=6, accumulate=2)
    assert whole.result()["steps"] == parts.result()["steps"]
    first, second = load_file(whole.weights), load_file(parts.weights)
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=1e-3, atol=1e-5, msg=name)


def test_two_identical_runs_give_identical_files(class_folder, tmp_path):
    runs = [run(class_folder, tmp_path / name, threads=1) for name in ("a", "b")]
    for name in ("config.yaml", "metrics.jsonl", "result.json", "weights.safetensors", "model.json"):
        assert (runs[0].path / name).read_bytes() == (runs[1].path / name).read_bytes(), name


def test_schedules_and_health_are_logged(class_folder, tmp_path):
    lines = run(class_folder, tmp_path / "run").metrics()
    steps = [line for line in lines if "loss" in line]
    assert {"lr", "momentum", "teacher_temperature", "gradient_norm"} <= set(steps[0])
    assert [line["momentum"] for line in steps] == sorted(line["momentum"] for line in steps)
    health = [line for line in lines if "health/loss_over_ln_k" in line]
    assert len(health) == 2
    assert {"health/rankme", "health/feature_std", "health/teacher_entropy", "health/prototypes_used"} <= set(health[0])


def test_monitoring_labels_give_knn_and_change_nothing(class_folder, tmp_path):
    plain = run(class_folder, tmp_path / "plain", threads=1)
    watched = run(
        class_folder,
        tmp_path / "watched",
        threads=1,
        monitor={"data": {"source": str(class_folder)}, "every_epochs": 1},
    )
    assert [0 <= line["knn/accuracy"] <= 1 for line in watched.metrics() if "knn/accuracy" in line] == [True, True]
    assert plain.weights.read_bytes() == watched.weights.read_bytes()


def test_a_diverging_run_stops_and_says_at_which_step(class_folder, tmp_path):
    with pytest.raises(NonFinite, match=r"not finite at step \d+; lower the learning rate"):
        run(class_folder, tmp_path / "run", optim={"name": "sgd", "lr": 1e30, "clip": 0.0, "warmup_epochs": 0})
    assert RunFolder.open(tmp_path / "run").status == "failed"


def test_too_few_images_for_a_step_are_refused_before_anything_is_written(class_folder, tmp_path):
    with pytest.raises(DataError, match="60 readable images do not fill one step of 64"):
        run(class_folder, tmp_path / "run", batch_size=64)
    assert not (tmp_path / "run").exists()


def test_continued_pretraining_starts_from_the_weights_given(class_folder, tmp_path):
    first = run(class_folder, tmp_path / "first")
    # A learning rate of zero leaves student and teacher where they started.
    still = {"name": "sgd", "lr": 0.0, "final_lr": 0.0, "warmup_epochs": 0}
    second = run(class_folder, tmp_path / "second", init=str(first.path), optim=still)
    before, after = load_file(first.weights), load_file(second.weights)
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=1e-6, atol=1e-7, msg=name)


def test_a_head_warm_up_holds_the_backbone_still(class_folder, tmp_path):
    first = run(class_folder, tmp_path / "first")
    keys = {"init": str(first.path), "head_warmup_epochs": 2, "optim": {"name": "sgd", "warmup_epochs": 0}}
    second = run(class_folder, tmp_path / "second", **keys)
    before, after = load_file(first.weights), load_file(second.weights)
    assert all(torch.allclose(before[name], after[name], atol=1e-7) for name in before)
