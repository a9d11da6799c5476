"""The page of a single run, finished or not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.report import implementation, pictures, segmentation
from sightline.report.document import Answer, Block, Code, Document, Section, Table, Text, Warnings
from sightline.report.sentences import NARROW, count, duration, interval, percent, plain, score
from sightline.runs import RunFolder

Result = Mapping[str, Any]
SETTINGS = {  # by the kind of run; of another kind the list of every setting is enough
    "pretrain": implementation.pretrain_rows,
    "classify": implementation.classify_rows,
    "segment": implementation.segment_rows,
}
VERBS = {"prompt": "study"}  # how a kind of run is made again, where its name is not the command


def run_document(folder: Path) -> Document:
    """Return the page of a run folder.

    Raises:
        RunError: `folder` holds no run.
    """
    run = RunFolder.open(folder)
    info, config = run.info(), run.config()
    result = run.result() if run.is_done else {}
    sections = [Section("implementation", "What was run", _implementation(run, info, config, result))]
    if info["kind"] == "pretrain":
        sections.insert(0, Section("pretraining", "Health of pretraining", _health(run, result)))
    elif info["kind"] == "prompt":
        asked = [Text(["Nothing was judged yet."])]
        if result:
            asked = [*segmentation.free_masks(result), *segmentation.free_pictures(run)]
        sections.insert(0, Section("results", "Results", [*_judged(run, result), *asked]))
    else:
        sections.insert(0, Section("curves", "Learning curves", _curves(run)))
        if judged := _judged(run, result):
            sections.insert(0, Section("results", "Results", judged))
    if info["kind"] == "segment":
        own = {folder.resolve().name: run}
        drawn = [*segmentation.strips(own), *segmentation.interventions(own), *segmentation.diagrams(own)]
        sections.insert(-1, Section("masks", "What the network draws", drawn or [Text(["Nothing was drawn yet."])]))
    verb = VERBS.get(info["kind"], info["kind"])
    text = "config.yaml in the run folder is fully resolved; its settings are listed above."
    command = f"sightline {verb} {config['data']['source']} --out again"
    sections.append(Section("reproduce", "How to reproduce", [Text([text]), Code(command)]))
    return Document(folder.resolve().name, f"Sightline {verb} run", _answers(info, result), sections)


def _answers(info: Result, result: Result) -> list[Answer]:
    if info["status"] != "done":
        return [Answer("Status", info["status"].capitalize() + ".", [info["reason"]] if info["reason"] else [])]
    if "accuracy" in result:
        accuracy = result["accuracy"]
        sentence = (
            f"95{NARROW}% interval {percent(accuracy['low'])} to {percent(accuracy['high'])}, "
            f"n = {count(accuracy['n'])} test images, weights of epoch {result['best_epoch']} "
            f"(best on validation, {percent(result['val_accuracy'])})."
        )
        return [Answer("Test accuracy", percent(accuracy["value"]), [sentence])]
    if "mean_iou" in result:
        iou, metric = result["mean_iou"], "mean_iou"
        sentences = [
            f"95{NARROW}% interval {interval(iou['low'], iou['high'], metric)}, n = {count(iou['n'])} test tiles. "
            f"Pixel accuracy {percent(result['pixel_accuracy'])}."
        ]
        if info["kind"] == "prompt":
            sentences.append("An upper bound: each mask was named by an oracle after its true majority class.")
        else:
            best = score(result["val_mean_iou"], metric)
            sentences.append(f"Weights of epoch {result['best_epoch']} (best on validation, {best}).")
        return [Answer("Test mean IoU", score(iou["value"], metric), sentences)]
    if "health" in result:
        warnings = result.get("warnings", [])
        sentences = [f"{len(warnings)} warning(s), named below."] if warnings else ["No collapse and no plateau found."]
        if "knn/accuracy" in result["health"]:
            sentences.append(f"k-NN accuracy at the end: {percent(result['health']['knn/accuracy'])}.")
        return [
            Answer("Pretraining", f"{result['epochs']} epochs, {count(result['images_seen'])} images seen.", sentences)
        ]
    return [Answer("Status", "Done.", [])]


def _health(run: RunFolder, result: Result) -> list[Block]:
    blocks: list[Block] = []
    if result.get("warnings"):
        blocks.append(Warnings("Warnings", result["warnings"]))
    return blocks + (pictures.pretraining_health(run) or [Text(["Nothing was logged yet."])])


def _curves(run: RunFolder) -> list[Block]:
    picture = pictures.learning_curves({"": [run]}, "By epoch.")
    return [picture] if picture else [Text(["Nothing was logged yet."])]


def _judged(run: RunFolder, result: Result) -> list[Block]:
    blocks: list[Block] = []
    per_class = result.get("per_class")
    if per_class and "mean_iou" in result:
        rows = [
            [name, score(value["iou"], "mean_iou"), score(value["dice"], "mean_iou"), percent(value["share"])]
            for name, value in per_class.items()
        ]
        header = ("Class", "IoU", "Dice", "Share of the pixels")
        blocks.append(Table("IoU by class", header, rows, (False, True, True, True)))
    elif per_class:
        rows = [[name, percent(value["accuracy"]), count(value["n"])] for name, value in per_class.items()]
        blocks.append(Table("Accuracy by class", ("Class", "Accuracy", "n"), rows, (False, True, True)))
    if "accuracy" in result and (shown := pictures.samples(run.path, run, "Sample predictions")):
        blocks.append(shown)
    return blocks


def _implementation(run: RunFolder, info: Result, config: Result, result: Result) -> list[Block]:
    rows: implementation.Rows = [("Data", plain(config["data"]["source"]))]
    if "split" in result:
        rows.append(("Split", ", ".join(f"{name} {count(number)}" for name, number in result["split"].items())))
    if "images" in result:
        rows.append(("Images", count(result["images"])))
    if "init" in result:
        rows.append(("Started from", plain(result["init"])))
    if info["kind"] in SETTINGS:
        rows += SETTINGS[info["kind"]](config)
    if "fit_seconds" in info.get("timings", {}):
        rows.append(("Time", duration(info["timings"]["fit_seconds"])))
    rows += implementation.provenance_rows(info)
    return [implementation.table("Implementation", rows), implementation.every_setting("Every setting", config)]
