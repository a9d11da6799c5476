"""A study folder with generated numbers, written by the code that writes real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from PIL import Image

from sightline.config import ClassifyConfig, DataConfig, PretrainConfig, StudyClassify, StudyConfig
from sightline.files.atomic import write_json, write_text
from sightline.metrics import statistics
from sightline.runs import RunFolder

CLASSES = ("cat", "dog", "elephant", "guitar", "horse", "house <&>", "person | you")
NAMES = {
    "A": "random weights, all trained",
    "B": "reference weights, all trained",
    "C": "own self-supervised weights, all trained",
    "D": "reference weights, backbone frozen",
    "E": "own self-supervised weights, backbone frozen",
}
LEVELS = {"A": 0.45, "C": 0.58, "E": 0.5, "D": 0.5}
SEEDS, TEST, EPOCHS = (0, 1, 2), 140, 12
WARNING = "epoch 3: plateau at ln K: the loss is 0.995 of ln K, a uniform guess. Raise optim.lr"


def write_pretrain(path: Path, warnings: list[str]) -> RunFolder:
    config = PretrainConfig(data=DataConfig(source="photos/unlabelled"), recipe="dino-small", backbone="resnet18")
    run = RunFolder.create(path, config, kind="pretrain", fingerprint="0" * 64)
    health: dict[str, float] = {}
    for epoch in range(EPOCHS):
        along = epoch / EPOCHS
        for step in (epoch * 20 + 10, epoch * 20 + 20):
            values = {"loss": 9 - 3 * along, "lr": 0.03 * np.cos(along), "momentum": 0.99 + 0.01 * along}
            run.append_metrics(step=step, epoch=epoch, values=values | {"teacher_temperature": 0.04})
        health = {
            "health/loss_over_ln_k": 1 - 0.4 * along, "health/teacher_entropy": 0.9 - 0.5 * along,
            "health/kl_to_uniform": 0.3 + 0.2 * along, "health/prototypes_used": 0.1 + 0.6 * along,
            "health/rankme": 20 + 100 * along, "health/feature_std": 0.4 + 0.5 * along,
            "knn/accuracy": 0.2 + 0.3 * along,
        }  # fmt: skip
        run.append_metrics(step=epoch * 20 + 20, epoch=epoch, values=health)
    result = {"epochs": EPOCHS, "steps": 240, "images": 2560, "images_seen": 30720, "bad_images": 1}
    run.finish(result | {"health": health, "warnings": warnings}, {"fit_seconds": 312.4})
    return run


def write_classify(path: Path, seed: int, level: float, freeze: bool) -> RunFolder:
    config = ClassifyConfig(data=DataConfig(source="photos/labelled"), backbone="resnet18", seed=seed, freeze=freeze)
    run = RunFolder.create(path, config, kind="classify", fingerprint="1" * 64)
    rng = np.random.default_rng([seed, round(level * 100)])
    for epoch in range(EPOCHS):
        reached = level * (1 - np.exp(-(epoch + 1) / 3)) + rng.normal(0, 0.01)
        run.append_metrics(
            step=epoch + 1, epoch=epoch, values={"loss": 2 - reached, "train/accuracy": reached, "lr": 1e-4}
        )
        run.append_metrics(
            step=epoch + 1, epoch=epoch, values={"val/loss": 2.1 - reached, "val/accuracy": reached - 0.02}
        )
    labels = np.arange(TEST) % len(CLASSES)
    correct = rng.random(TEST) < level
    predicted = np.where(correct, labels, (labels + 1) % len(CLASSES))
    run.write_predictions({
        "id": [f"test/{i:04d}.jpg" for i in range(TEST)],
        "label": [CLASSES[i] for i in labels],
        "predicted": [CLASSES[i] for i in predicted],
        "probability": rng.uniform(0.3, 1, TEST).astype(np.float32),
        "correct": correct,
    })  # fmt: skip
    low, high = statistics.wilson(int(correct.sum()), TEST)
    run.finish(
        {
            "val_accuracy": level, "best_epoch": EPOCHS, "images_seen": 650 * EPOCHS, "bad_images": 0,
            "init": {"source": "none", "matched": ""}, "split": {"train": 650, "val": 140, "test": TEST},
            "accuracy": {"value": float(correct.mean()), "low": low, "high": high, "n": TEST},
            "per_class": {n: {"accuracy": float(correct[labels == i].mean()), "n": 20} for i, n in enumerate(CLASSES)},
        },
        {"fit_seconds": 61.5},
    )  # fmt: skip
    return run


def write_study(folder: Path, *, missing: tuple[str, ...] = ("B", "D"), warnings: tuple[str, ...] = (WARNING,)) -> Path:
    classify = StudyClassify(data=DataConfig(source="photos/labelled"))
    study = StudyConfig(name="photos, 64 px", classify=classify, seeds=SEEDS, notes="Generated numbers.")
    write_text(folder / "study.yaml", yaml.safe_dump(study.to_dict(), sort_keys=False))
    runs = {"pretrain": write_pretrain(folder / "runs" / "pretrain", list(warnings))}
    correct: dict[str, np.ndarray] = {}
    arms: list[dict[str, Any]] = []
    for arm, name in NAMES.items():
        entry: dict[str, Any] = {"arm": arm, "name": name, "task": "classify", "metric": "accuracy"}
        if arm in missing:
            reason = "dino-resnet50 could not be loaded: no network"
            arms.append(entry | {"status": "not run", "reason": reason})
            continue
        own = [write_classify(folder / "runs" / f"{arm}-{s}", s, LEVELS.get(arm, 0.7), arm in "DE") for s in SEEDS]
        correct[arm] = np.stack([run.predictions()["correct"].to_numpy(zero_copy_only=False) for run in own])
        low, high = statistics.bootstrap_interval(correct[arm])
        arms.append(entry | {
            "status": "done", "reason": "", "mean": float(correct[arm].mean()), "low": low, "high": high, "n": TEST,
            "seeds": [run.result()["accuracy"]["value"] for run in own],
            "per_class": dict.fromkeys(CLASSES, 0.5), "seconds": 184.5, "images_seen": 23400,
        })  # fmt: skip
        runs |= {run.path.name: run for run in own}
    pairs = [(a, b) for a, b in (("B", "C"), ("C", "A"), ("B", "D"), ("C", "E")) if a in correct and b in correct]
    compared = [{"a": a, "b": b, **statistics.compare(correct[a], correct[b])} for a, b in pairs]
    info = runs["pretrain"].info()
    write_json(folder / "result.json", {
        "name": study.name, "notes": study.notes, "arms": arms, "comparisons": compared,
        "embedding": write_embedding(folder),
        "pretrain": {"status": "done", "seconds": 312.4, **runs["pretrain"].result()},
        "reference": {"name": "dino-resnet50", "trained_here": False},
        "data": {"labelled": {"source": "photos/labelled", "split": {"train": 650, "val": 140, "test": TEST},
                              "classes": len(CLASSES), "bad_images": 0, "fingerprint": "1" * 64},
                 "unlabelled": {"source": "photos/unlabelled", "images": 2560}},
        "provenance": {"versions": info["versions"], "hardware": info["hardware"]},
    })  # fmt: skip
    write_samples(folder)
    return folder


def write_embedding(folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    labels = np.arange(420) % len(CLASSES)
    angle = labels / len(CLASSES) * 2 * np.pi
    centre = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    first, last = centre + rng.normal(0, 1, (420, 2)), 4 * centre + rng.normal(0, 0.8, (420, 2))
    columns = {"id": [str(i) for i in range(420)], "label": [CLASSES[i] for i in labels]}
    columns |= {"x_first": first[:, 0], "y_first": first[:, 1], "x_last": last[:, 0], "y_last": last[:, 1]}
    pq.write_table(pa.table(columns), folder / "embedding.parquet")
    values = {"n": 420, "silhouette": 0.02, "trustworthiness": 0.91, "map_silhouette": 0.05}
    return {
        "arm": "C", "seed": 0, "points": "embedding.parquet",
        "first": values | {"epoch": 1, "knn": 0.31}, "last": values | {"epoch": EPOCHS, "knn": 0.66, "silhouette": 0.2},
    }  # fmt: skip


def write_samples(folder: Path, number: int = 16, side: int = 48) -> None:
    rng = np.random.default_rng(9)
    sheet = np.full((-(-number // 6) * side, 6 * side, 3), 255, np.uint8)
    entries = []
    for i in range(number):
        top, left = i // 6 * side, i % 6 * side
        sheet[top : top + side, left : left + side] = rng.integers(60, 220, (1, 1, 3))
        right = i < number // 2
        label, predicted = CLASSES[i % 7], CLASSES[i % 7 if right else (i + 1) % 7]
        entries.append({"id": f"{i}.jpg", "label": label, "predicted": predicted, "probability": 0.8, "correct": right})
    (folder / "figures").mkdir(exist_ok=True)
    Image.fromarray(sheet).save(folder / "figures" / "samples.png")
    write_json(folder / "figures" / "samples.json", entries)
