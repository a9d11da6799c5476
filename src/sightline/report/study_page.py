"""The page of a study: the short answer, then what carries it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.config import read_yaml
from sightline.report import implementation, pictures, results, segmentation
from sightline.report.document import Answer, Block, Code, Document, Listing, Section, Table, Text, Warnings
from sightline.report.sentences import (
    NO_VALUE,
    answers,
    count,
    duration,
    percent,
)
from sightline.runs import RunFolder, read_json

Result = Mapping[str, Any]
PRETRAIN, REFERENCE = "pretrain", "reference"
FEW_SEEDS = 3  # fewer give no usable estimate of the spread between seeds
FEW = f"Some arms have fewer than {FEW_SEEDS} seeds: take their differences as a hint."
HIDDEN = "Left out: the study file asks that the pictures are not shown."
LIMITS = (
    "Intervals and p-values come from a paired bootstrap over test images and seeds; with few seeds they say little of "
    "how much another seed would change.",
    "Pretraining ran once, as did the reference's training where it was done here: what another pretraining seed would "
    "give is in no interval.",
    "p-values are corrected by Holm over the comparisons of this study, intervals are not corrected. Below 0.05 a "
    "comparison is called higher or lower, otherwise undecided. Undecided does not mean equal.",
    "The test split was used once an arm and seed, after the epoch was chosen on validation.",
)


def study_document(folder: Path) -> Document:
    """Return the page of a study folder.

    Raises:
        RunError: the study has no result yet.
    """
    result = read_json(folder / "result.json")
    study = read_yaml(folder / "study.yaml") if (folder / "study.yaml").is_file() else {}
    runs = _runs(folder)
    classified = any(arm.get("task", "classify") == "classify" for arm in result["arms"])
    sections = [
        *_results(result),
        *_masks(result, study, runs),
        Section("implementation", "What was run", _implementation(result, runs)),
        Section("curves", "Learning curves", _curves(result, runs)),
    ]
    if classified:
        sections.append(Section("embedding", "What the features look like", _embedding(folder, result)))
    if PRETRAIN in runs or classified:
        sections.append(Section("pretraining", "Health of pretraining", _pretraining(result, runs.get(PRETRAIN))))
    if classified:
        sections.append(Section("samples", "Sample predictions", _samples(folder, study, result, runs)))
    sections += [
        Section("limits", "Notes and limits", _notes(result)),
        Section("reproduce", "How to reproduce", _reproduce()),
    ]
    name = result.get("name") or study.get("name") or folder.name
    return Document(str(name), "Sightline study", _answers(result), sections)


def _runs(folder: Path) -> dict[str, RunFolder]:
    return {p.parent.name: RunFolder(p.parent) for p in sorted(folder.glob("runs/*/run.json"))}


def _answers(result: Result) -> list[Answer]:
    found = answers(result)
    warnings = result.get("pretrain", {}).get("warnings", [])
    if warnings:
        first = found[0]
        number = f"{len(warnings)} warning" + ("s" if len(warnings) > 1 else "")
        note = f"Pretraining gave {number}, named below under its health."
        found[0] = Answer(first.question, first.short, [*first.sentences, note])
    return found


# -- results
def _results(result: Result) -> list[Section]:
    """Return a section of classification and one of segmentation, as far as the study has their arms."""
    found = []
    for anchor, title, metric in (("results", "Results", "accuracy"), ("segmentation", "Segmentation", "mean_iou")):
        arms = [arm for arm in result["arms"] if arm.get("metric", "accuracy") == metric]
        if arms:
            found.append(Section(anchor, title, results.blocks(arms, results.between(result, arms))))
    return found


def _masks(result: Result, study: Result, runs: Mapping[str, RunFolder]) -> list[Section]:
    """Return what was drawn: the networks, their masks over time, their skips, and masks for free."""
    arms = [arm for arm in result["arms"] if arm.get("task") == "segment"]
    first = segmentation.first_runs(arms, runs)
    shown = study.get("show_samples", True)
    strips: list[Block] = segmentation.strips(first) if shown else [Text([HIDDEN])]
    free = next((arm for arm in result["arms"] if arm.get("task") == "prompt" and arm["status"] == "done"), None)
    asked = segmentation.free_masks(free) if free else []
    if free and shown:
        asked += segmentation.free_pictures(segmentation.first_runs([free], runs)[free["arm"]])
    sections = [
        Section("masks", "What the networks draw, over training", strips),
        Section("skips", "Skips replaced at test time", segmentation.interventions(first)),
        Section("networks", "The networks", segmentation.diagrams(first)),
        Section("prompting", "Masks without training", asked),
    ]
    return [section for section in sections if section.blocks and (arms or section.anchor == "prompting")]


# -- what was run
def _implementation(result: Result, runs: Mapping[str, RunFolder]) -> list[Block]:
    data, pretrain, reference = (result.get(key, {}) for key in ("data", "pretrain", "reference"))
    blocks: list[Block] = [implementation.table("Data", _data_rows(data))]
    if PRETRAIN in runs:
        rows = implementation.pretrain_rows(runs[PRETRAIN].config())
        if pretrain.get("status") == "done":
            rows.append(("Cost", f"{duration(pretrain['seconds'])}, {count(pretrain['images_seen'])} images seen"))
        blocks.append(implementation.table("Pretraining", rows))
    if reference:
        blocks.append(implementation.table("Reference weights of B and D", _reference_rows(reference)))
    shared = {kind: next((run for name, run in runs.items() if run.info()["kind"] == kind and name != REFERENCE), None)
              for kind in ("classify", "segment")}  # fmt: skip
    if (run := shared["classify"]) is not None:
        blocks.append(implementation.table("Classification, every arm", implementation.classify_rows(run.config())))
    if (run := shared["segment"]) is not None:
        blocks.append(implementation.table("Segmentation, every arm", implementation.segment_rows(run.config())))
    if rows := implementation.provenance_rows(result.get("provenance", {})):
        blocks.append(implementation.table("Machine and versions", rows))
    if PRETRAIN in runs:
        blocks.append(implementation.every_setting("Every setting of pretraining", runs[PRETRAIN].config()))
    blocks += [
        implementation.every_setting(f"Every setting of {run.path.name}", run.config())
        for run in shared.values()
        if run
    ]
    return blocks


def _data_rows(data: Result) -> implementation.Rows:
    rows: implementation.Rows = []
    if unlabelled := data.get("unlabelled"):
        images = f", {count(unlabelled['images'])} images" if "images" in unlabelled else ""
        rows.append(("Unlabelled", f"{unlabelled['source']}{images}"))
    for key, title in (("labelled", "Labelled"), ("masks", "With masks")):
        part = data.get(key, {})
        if "source" in part:
            classes = f", {part['classes']} classes" if "classes" in part else ""
            rows.append((title, f"{part['source']}{classes}"))
        if split := part.get("split"):
            rows.append(("Split", ", ".join(f"{name} {count(number)}" for name, number in split.items())))
        if "bad_images" in part:
            rows.append(("Unreadable, left out", count(part["bad_images"])))
        if "fingerprint" in part:
            rows.append(("Fingerprint", str(part["fingerprint"])[:16]))
    return rows


def _reference_rows(reference: Result) -> implementation.Rows:
    rows = [("Weights", str(reference.get("name", "")))]
    if reference.get("trained_here"):
        rows.append(("Trained here, with labels, on", str(reference["data"])))
        if accuracy := reference.get("accuracy"):
            rows.append(("Own test accuracy", f"{percent(accuracy['value'])}, n = {count(accuracy['n'])}"))
        rows.append(("Cost", f"{duration(reference['seconds'])}, {count(reference['images_seen'])} images seen"))
    return rows


# -- pictures
def _curves(result: Result, runs: Mapping[str, RunFolder]) -> list[Block]:
    found: list[Block] = []
    for task in ("classify", "segment"):
        by_arm = {
            arm["arm"]: [run for name, run in runs.items() if name.rpartition("-")[0] == arm["arm"]]
            for arm in result["arms"]
            if arm.get("task", "classify") == task
        }
        caption = "By epoch: the mean over seeds, with the range of the seeds behind it."
        name = "learning-curves" if task == "classify" else "segmentation-curves"
        if by_arm and (picture := pictures.learning_curves(by_arm, caption, name)):
            found.append(picture)
    return found or [Text(["No run has logged anything."])]


def _embedding(folder: Path, result: Result) -> list[Block]:
    embedding = result.get("embedding") or {}
    picture = pictures.embedding_pair(folder, embedding)
    blocks: list[Block] = [picture] if picture else []
    stages = [(stage, embedding[stage]) for stage in ("first", "last") if stage in embedding]
    if not stages:
        return [Text(["No features were kept: the arm they are taken from did not run."])]
    measures = (
        ("knn", "k-NN accuracy", percent),
        ("silhouette", "Silhouette, features", "{:.3f}".format),
        ("map_silhouette", "Silhouette, map", "{:.3f}".format),
        ("trustworthiness", "Trustworthiness of the map", "{:.3f}".format),
    )
    rows = [[title, *(text(values[key]) if key in values else NO_VALUE for _, values in stages)]
            for key, title, text in measures if any(key in values for _, values in stages)]  # fmt: skip
    caption = (
        "Beside the picture, so that the eye is not the only judge. k-NN (leave one out) and silhouette are of the "
        "features, not of the map; trustworthiness says how far neighbours in the map are neighbours in the features."
    )
    header = ("Measure", *(f"Epoch {values.get('epoch', stage)}" for stage, values in stages))
    return [*blocks, Table(caption, header, rows, (False, *[True] * len(stages)))]


def _pretraining(result: Result, run: RunFolder | None) -> list[Block]:
    blocks: list[Block] = []
    if run is None:
        return [Text(["This study pretrained nothing."])]
    pretrain = result.get("pretrain", {})
    if not run.is_done:
        reason = run.info()["reason"] or "interrupted"
        blocks.append(Warnings("Pretraining did not finish", [f"{run.status}: {reason}."]))
    elif pretrain.get("warnings"):
        blocks.append(Warnings("Warnings", pretrain["warnings"]))
    else:
        blocks.append(Text(["No collapse and no plateau at ln K was found."]))
    return blocks + pictures.pretraining_health(run)


def _samples(folder: Path, study: Result, result: Result, runs: Mapping[str, RunFolder]) -> list[Block]:
    embedding = result.get("embedding") or {}
    arm = embedding.get("arm", study.get("embed_arm", "C"))
    run = next((r for name, r in runs.items() if name.rpartition("-")[0] == arm and r.is_done), None)
    if not study.get("show_samples", True):
        return [Text([HIDDEN])]
    caption = f"Test images and what arm {arm} said of them; half right, half wrong if there are enough."
    block = pictures.samples(folder, run, caption)
    return [block] if block else [Text([f"None: arm {arm} made no predictions."])]


def _notes(result: Result) -> list[Block]:
    notes = str(result.get("notes", "")).strip()
    blocks: list[Block] = [Text([notes])] if notes else []
    few = any(len(arm["seeds"]) < FEW_SEEDS for arm in result["arms"] if not results.absent(arm))
    return [*blocks, Listing([FEW, *LIMITS] if few else LIMITS)]


def _reproduce() -> list[Block]:
    text = "The study’s resolved file lies beside this page. The same command goes on after an interruption."
    return [Text([text]), Code("sightline study study.yaml --out again\nsightline report again")]
