"""A study folder with generated numbers, written by the code that writes real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from PIL import Image

from sightline.config import ClassifyConfig, DataConfig, PretrainConfig, StudyClassify, StudyConfig
from sightline.config.types import Train
from sightline.files.atomic import write_json, write_text
from sightline.metrics import statistics
from sightline.runs import RunFolder, StudyFolder
from sightline.runs.artifacts import SAMPLES, SAMPLES_SHEET
from sightline.runs.info import Provenance
from sightline.runs.results import (
    ClassAccuracy,
    ClassifyDetails,
    ClassifyResult,
    HealthPlot,
    Init,
    Interval,
    MethodReport,
    PretrainResult,
)
from sightline.runs.samples import ContactSheet, Prediction
from sightline.runs.study_result import (
    ArmResult,
    ArmScore,
    Comparison,
    DataPart,
    Embedding,
    EmbeddingStage,
    PretrainSummary,
    Reference,
    StudyResult,
)
from sightline.study.arms import pairs_of, parse_arm, questions_of
from sightline.tasks.classify.scores import classify_scores

CLASSES = ("cat", "dog", "elephant", "guitar", "horse", "house <&>", "person | you")
LEVELS = {"A": 0.45, "C": 0.58, "E": 0.5, "D": 0.5}
SEEDS, TEST, EPOCHS = (0, 1, 2), 140, 12
NO_INIT = Init(source="none", matched="")
METHOD = MethodReport(
    name="dino",
    title="DINO",
    rows=(("Output", "64 prototypes"),),
    health=(
        HealthPlot(
            name="health/loss_over_ln_k",
            title="Loss / ln K",
            words="1 is a uniform guess",
            reference=1.0,
            unlearnt_from=0.99,
        ),
        HealthPlot(
            name="health/kl_to_uniform", title="KL", words="ln K is collapse", reference=4.2, reference_from=2.1
        ),
    ),
    schedules=(HealthPlot(name="momentum", title="Teacher momentum", words="by step"),),
    fine="No collapse and no plateau at ln K was found.",
)
WARNING = "epoch 3: plateau at ln K: the loss is 0.995 of ln K, a uniform guess. Raise optim.lr"


def write_pretrain(path: Path, warnings: list[str], loss: float = 0.6) -> RunFolder:
    config = PretrainConfig(data=DataConfig(source="photos/unlabelled"), recipe="dino-small", backbone="resnet18")
    notes = {"method": METHOD.to_dict()}
    run = RunFolder.create(path, config, kind="pretrain", fingerprint="0" * 64, notes=notes)
    health: dict[str, float] = {}
    for epoch in range(EPOCHS):
        along = epoch / EPOCHS
        for step in (epoch * 20 + 10, epoch * 20 + 20):
            values = {"loss": 9 - 3 * along, "lr": 0.03 * np.cos(along), "momentum": 0.99 + 0.01 * along}
            run.append_metrics(step=step, epoch=epoch, values=values | {"teacher_temperature": 0.04})
        health = {
            "health/loss_over_ln_k": 1 - (1 - loss) * along, "health/teacher_entropy": 0.9 - 0.5 * along,
            "health/kl_to_uniform": 0.3 + 0.2 * along, "health/prototypes_used": 0.1 + 0.6 * along,
            "health/rankme": 20 + 100 * along, "health/feature_std": 0.4 + 0.5 * along,
            "knn/accuracy": 0.2 + 0.3 * along,
        }  # fmt: skip
        run.append_metrics(step=epoch * 20 + 20, epoch=epoch, values=health)
    result = PretrainResult(
        epochs=EPOCHS, steps=240, images=2560, images_seen=30720, bad_images=1, health=health,
        warnings=tuple(warnings), method=METHOD,
    )  # fmt: skip
    run.finish(result, {"fit_seconds": 312.4})
    return run


def write_classify(path: Path, seed: int, level: float, train: Train, rising: bool = False) -> RunFolder:
    config = ClassifyConfig(data=DataConfig(source="photos/labelled"), backbone="resnet18", seed=seed, train=train)
    run = RunFolder.create(path, config, kind="classify", fingerprint="1" * 64)
    rng = np.random.default_rng([seed, round(level * 100)])
    for epoch in range(EPOCHS):
        course = (epoch + 1) / EPOCHS if rising else 1 - np.exp(-(epoch + 1) / 1.5)
        reached = level * course + rng.normal(0, 0.01)
        run.append_metrics(
            step=epoch + 1, epoch=epoch, values={"loss": 2 - reached, "train/accuracy": reached, "lr": 1e-4}
        )
        run.append_metrics(
            step=epoch + 1, epoch=epoch, values={"val/loss": 2.1 - reached, "val/accuracy": reached - 0.02}
        )
    labels = np.arange(TEST) % len(CLASSES)
    correct = rng.random(TEST) < level
    predicted = np.where(correct, labels, (labels + 1) % len(CLASSES))
    ids, sure = [f"test/{i:04d}.jpg" for i in range(TEST)], rng.uniform(0.3, 1, TEST).astype(np.float32)
    probabilities = np.repeat((1 - sure[:, None]) / (len(CLASSES) - 1), len(CLASSES), axis=1)
    probabilities[np.arange(TEST), predicted] = sure
    run.write_predictions({
        "id": ids,
        "label": [CLASSES[i] for i in labels],
        "predicted": [CLASSES[i] for i in predicted],
        "probability": sure,
        "correct": correct,
    })  # fmt: skip
    low, high = statistics.wilson(int(correct.sum()), TEST)
    result = ClassifyResult(
        val_accuracy=level, best_epoch=EPOCHS, trained_on=650, images_seen=650 * EPOCHS, lr=1e-4, bad_images=0,
        init=NO_INIT, split={"train": 650, "val": 140, "test": TEST},
        accuracy=Interval(value=float(correct.mean()), low=low, high=high, n=TEST),
        per_class={
            name: ClassAccuracy(accuracy=float(correct[labels == i].mean()), n=20) for i, name in enumerate(CLASSES)
        },
        scores=classify_scores(probabilities, labels, CLASSES, ids, ["photo", "sketch"] * (TEST // 2)),
    )  # fmt: skip
    run.finish(result, {"fit_seconds": 61.5})
    return run


def write_study(folder: Path, *, missing: tuple[str, ...] = ("B", "D"), warnings: tuple[str, ...] = (WARNING,)) -> Path:
    classify = StudyClassify(data=DataConfig(source="photos/labelled"))
    study = StudyConfig(name="photos, 64 px", classify=classify, seeds=SEEDS, notes="Generated numbers.")
    write_text(folder / "study.yaml", yaml.safe_dump(study.to_dict(), sort_keys=False))
    runs = {"pretrain": write_pretrain(folder / "runs" / "pretrain", list(warnings))}
    correct: dict[str, np.ndarray] = {}
    arms: list[ArmResult] = []
    for arm in map(parse_arm, "ABCDE"):
        head = {"arm": arm.name, "name": arm.title, "task": "classify", "metric": "accuracy", "parts": arm.parts(SEEDS)}
        if arm.name in missing:
            reason = "dino-resnet50 could not be loaded: no network"
            arms.append(ArmResult(**head, status="not run", reason=reason))
            continue
        level, trained = LEVELS.get(arm.name, 0.7), arm.trained or "all"
        own = [write_classify(folder / "runs" / arm.run_name(s), s, level, trained) for s in SEEDS]
        correct[arm.name] = np.stack([run.predictions()["correct"].to_numpy(zero_copy_only=False) for run in own])
        low, high = statistics.proportion_interval(correct[arm.name])
        score = ArmScore(
            mean=float(correct[arm.name].mean()), low=low, high=high, n=TEST, seconds=184.5, images_seen=23400,
            seeds=tuple(run.result()["accuracy"]["value"] for run in own), per_class=dict.fromkeys(CLASSES, 0.5),
        )  # fmt: skip
        arms.append(ArmResult(**head, status="done", reason="", score=score, details=ClassifyDetails(init=NO_INIT)))
        runs |= {run.path.name: run for run in own}
    pairs = [(a, b) for a, b in pairs_of(list(map(parse_arm, "ABCDE"))) if a in correct and b in correct]
    info = runs["pretrain"].info()
    labelled = DataPart(
        source="photos/labelled", split={"train": 650, "val": 140, "test": TEST}, classes=len(CLASSES), bad_images=0,
        fingerprint="1" * 64,
    )  # fmt: skip
    pretrained = {"recipe": "dino-small", "backbone": "resnet18", "stem": "published", "data": "photos/unlabelled"}
    StudyFolder(folder).write_result(StudyResult(
        name=study.name, notes=study.notes, arms=tuple(arms),
        comparisons=tuple(_compared(a, b, correct) for a, b in pairs),
        questions=tuple(questions_of(list(map(parse_arm, "ABCDE")))),
        embedding=write_embedding(folder),
        pretrain=PretrainSummary.from_dict(
            {"status": "done", "seconds": 312.4, **pretrained, **runs["pretrain"].result()}
        ),
        reference=Reference(name="dino-resnet50", trained_here=False),
        data={"labelled": labelled, "unlabelled": DataPart(source="photos/unlabelled", images=2560)},
        provenance=Provenance(versions=info.versions, hardware=info.hardware),
    ))  # fmt: skip
    write_samples(folder)
    return folder


def _compared(a: str, b: str, correct: dict[str, np.ndarray]) -> Comparison:
    of = statistics.paired_interval(correct[a], correct[b])
    verdict = statistics.verdict(of.mean, of.p, len(SEEDS))
    return Comparison(
        a=a, b=b, difference=of.mean, low=of.low, high=of.high, p_raw=of.p, p=of.p, verdict=verdict,
        detectable=of.detectable(),
    )  # fmt: skip


def write_embedding(folder: Path) -> Embedding:
    rng = np.random.default_rng(7)
    labels = np.arange(420) % len(CLASSES)
    angle = labels / len(CLASSES) * 2 * np.pi
    center = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    first, last = center + rng.normal(0, 1, (420, 2)), 4 * center + rng.normal(0, 0.8, (420, 2))
    columns = {"id": [str(i) for i in range(420)], "label": [CLASSES[i] for i in labels]}
    columns["style"] = ["photo" if i % 3 else "drawing" for i in range(420)]
    columns |= {"x_first": first[:, 0], "y_first": first[:, 1], "x_last": last[:, 0], "y_last": last[:, 1]}
    pq.write_table(pa.table(columns), folder / "embedding.parquet")
    values = {"n": 420, "silhouette": 0.02, "trustworthiness": 0.91, "map_silhouette": 0.05}
    return Embedding(
        arm="C", seed=0, points="embedding.parquet",
        first=EmbeddingStage(epoch=1, knn=0.31, **values),
        last=EmbeddingStage(epoch=EPOCHS, knn=0.66, **(values | {"silhouette": 0.2})),
    )  # fmt: skip


def write_samples(folder: Path, number: int = 16, side: int = 48, columns: int = 6) -> None:
    """As `study.samples` writes them."""
    rng = np.random.default_rng(9)
    samples = []
    for i in range(number):
        right = i < number // 2
        label, predicted = CLASSES[i % 7], CLASSES[i % 7 if right else (i + 1) % 7]
        samples.append(Prediction(id=f"{i}.jpg", label=label, predicted=predicted, probability=0.8, correct=right))
    layout = ContactSheet(side=side, columns=columns, samples=tuple(samples))
    sheet = np.full((-(-number // columns) * side, columns * side, 3), 255, np.uint8)
    for i in range(number):
        left, top, right, bottom = layout.place(i)
        sheet[top:bottom, left:right] = rng.integers(60, 220, (1, 1, 3))
    (folder / "figures").mkdir(exist_ok=True)
    Image.fromarray(sheet).save(folder / SAMPLES_SHEET)
    write_json(folder / SAMPLES, layout.to_dict())
