"""From the run folders of a study to its result.json: every number is read from a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sightline.config import StudyConfig
from sightline.metrics import statistics
from sightline.runs import RunFolder
from sightline.study.arms import Arm, arms_of, pairs_of, seeds_of
from sightline.study.evidence import EVIDENCE, Evidence
from sightline.study.execute import Outcome
from sightline.study.plan import PRETRAIN, REFERENCE, Node

# What a kind of run knows beside its mean, and the report shows.
EXTRAS = {
    "classify": ("init",),
    "segment": ("init", "parameters", "pixel_accuracy", "boundary_iou"),
    "prompt": ("engine", "method", "oracle", "clicks", "snap", "settings"),
}


def collect(
    study: StudyConfig, nodes: list[Node], outcomes: dict[str, Outcome], folder: Path, embedding: dict[str, Any]
) -> dict[str, Any]:
    """Return the study's result as the contract has it: arms, comparisons, embedding, pretrain, data, provenance."""
    runs = {
        node.name: RunFolder.open(folder / "runs" / node.name) for node in nodes if outcomes[node.name].status == "done"
    }
    arms = arms_of(study)
    own = {arm.name: [runs.get(f"{arm.name}-{seed}") for seed in seeds_of(study, arm)] for arm in arms}
    done = {arm.name: [run for run in own[arm.name] if run is not None] for arm in arms if all(own[arm.name])}
    evidence = {arm.name: EVIDENCE[arm.task].of(done[arm.name]) for arm in arms if arm.name in done}
    return {
        "name": study.name,
        "notes": study.notes,
        "arms": [
            _done(arm, done[arm.name], evidence[arm.name]) if arm.name in done else _absent(arm, study, outcomes)
            for arm in arms
        ],
        "comparisons": _comparisons(arms, evidence),
        "embedding": embedding,
        "pretrain": _pretrain(runs.get(PRETRAIN)),
        "reference": _reference(study, runs.get(REFERENCE)),
        "data": _data(study, runs, done),
        "provenance": _provenance(runs),
    }


def _named(arm: Arm) -> dict[str, Any]:
    return {"arm": arm.name, "name": arm.title, "task": arm.task, "metric": EVIDENCE[arm.task].metric}


def _absent(arm: Arm, study: StudyConfig, outcomes: dict[str, Outcome]) -> dict[str, Any]:
    worst = next(
        (o for seed in seeds_of(study, arm) if (o := outcomes.get(f"{arm.name}-{seed}")) and o.status != "done"),
        Outcome("not run", "not asked for"),
    )
    return _named(arm) | {"status": worst.status, "reason": worst.reason}


def _done(arm: Arm, runs: list[RunFolder], evidence: Evidence) -> dict[str, Any]:
    results = [run.result() for run in runs]
    return {
        **_named(arm),
        "status": "done",
        "reason": "",
        **evidence.entry(),
        "seconds": sum(run.info()["timings"]["fit_seconds"] for run in runs),
        "images_seen": sum(result["images_seen"] for result in results),
        **{key: results[0][key] for key in EXTRAS[arm.task] if key in results[0]},
    }


def _comparisons(arms: list[Arm], evidence: dict[str, Evidence]) -> list[dict[str, Any]]:
    """Compare arms on the same samples; p by paired bootstrap over samples, Holm-corrected over the study."""
    found = []
    for a, b in pairs_of(arms):
        if a in evidence and b in evidence:
            difference, low, high, p = evidence[a].minus(evidence[b])
            found.append({"a": a, "b": b, "difference": difference, "low": low, "high": high, "p_raw": p})
    for entry, p in zip(found, statistics.holm([entry["p_raw"] for entry in found]), strict=True):
        entry["p"], entry["verdict"] = p, statistics.verdict(entry["difference"], p)
    return found


def _pretrain(run: RunFolder | None) -> dict[str, Any]:
    if run is None:
        return {"status": "not run"}
    config, result = run.config(), run.result()
    kept = ("epochs", "steps", "images", "images_seen", "bad_images", "health", "warnings")
    return {
        "status": "done",
        "recipe": config["recipe"],
        "backbone": config["backbone"],
        "stem": config["stem"],
        "data": config["data"]["source"],
        "seconds": run.info()["timings"]["fit_seconds"],
        **{key: result[key] for key in kept},
    }


def _reference(study: StudyConfig, run: RunFolder | None) -> dict[str, Any]:
    name = study.reference.name or study.reference.weights
    if run is None:
        return {"name": name, "trained_here": False}
    result = run.result()
    return {
        "name": name,
        "trained_here": True,
        "data": run.config()["data"]["source"],
        "accuracy": result["accuracy"],
        "images_seen": result["images_seen"],
        "seconds": run.info()["timings"]["fit_seconds"],
    }


def _data(study: StudyConfig, runs: dict[str, RunFolder], done: dict[str, list[RunFolder]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    firsts = {run.info()["kind"]: run for own in reversed(list(done.values())) for run in own[:1]}
    for part, kind, block in (("labelled", "classify", study.classify), ("masks", "segment", study.segment)):
        if block is None:
            continue
        found[part] = {"source": block.data.source}
        if (run := firsts.get(kind)) is not None:
            result = run.result()
            found[part] |= {
                "split": result["split"],
                "classes": len(result.get("classes", result["per_class"])),
                "bad_images": result["bad_images"],
                "fingerprint": run.info()["fingerprint"],
            }
    if study.pretrain is not None:
        found["unlabelled"] = {"source": study.pretrain.data.source}
        if PRETRAIN in runs:
            found["unlabelled"]["images"] = runs[PRETRAIN].result()["images"]
    return found


def _provenance(runs: dict[str, RunFolder]) -> dict[str, Any]:
    if not runs:
        return {}
    info = next(iter(runs.values())).info()
    return {"versions": info["versions"], "hardware": info["hardware"]}
