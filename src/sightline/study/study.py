"""`study`: one file → every arm of the comparison over several seeds, resumable."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sightline.config import StudyConfig
from sightline.errors import RunError
from sightline.files.atomic import write_json, write_text
from sightline.runs import RunFolder
from sightline.study.collect import collect
from sightline.study.execute import Outcome, execute, recorded_outcome
from sightline.study.plan import Node, expand, read_study
from sightline.study.samples import write_samples


@dataclass(frozen=True)
class Study:
    """A study that has run.

    Attributes:
        path: its folder.
        result: the content of its result.json.
    """

    path: Path
    result: dict[str, Any]

    def arm(self, name: str) -> dict[str, Any]:
        """Return one arm's entry.

        Raises:
            RunError: no such arm.
        """
        for entry in self.result["arms"]:
            if entry["arm"] == name:
                return entry
        known = ", ".join(entry["arm"] for entry in self.result["arms"])
        raise RunError(f"arm {name!r}: not in this study; it has {known}")


def run_study(source: str | StudyConfig, out: Path, *, only: tuple[str, ...] = (), jobs: int = 1) -> Study:
    """Run a study, or go on with it: what is done with the same configuration and data is not run again.

    Args:
        source: the path of a study file, "demo", or a configuration.
        out: the study's folder.
        only: arms to run; () runs all.
        jobs: runs at a time, each in a process of its own.

    Raises:
        ConfigError: a mistake in the study file.
        RunError: `out` holds another study.
    """
    study = source if isinstance(source, StudyConfig) else read_study(source)
    out = out.absolute()
    _claim(study, out)
    nodes, asked = expand(study, out), expand(study, out, only)
    outcomes = execute(asked, out, jobs)
    outcomes |= {node.name: recorded_outcome(node, out) for node in nodes if node.name not in outcomes}
    embedding = _embedding(study, nodes, outcomes, out)
    if study.show_samples:
        _samples(study, nodes, outcomes, out)
    result = collect(study, nodes, outcomes, out, embedding)
    write_json(out / "result.json", result)
    return Study(out, result)


def _claim(study: StudyConfig, out: Path) -> None:
    """Write study.yaml, or check that the one there is the same."""
    path = out / "study.yaml"
    text = yaml.safe_dump(study.to_dict(), sort_keys=False, allow_unicode=True)
    if path.is_file():
        if path.read_text(encoding="utf-8") != text:
            raise RunError(f"{out}: holds a study with other settings; give another --out, or put back its study file")
        return
    if out.is_dir() and any(out.iterdir()):
        raise RunError(f"{out}: is not empty and holds no study; give a new or empty folder")
    out.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def _shown_run(study: StudyConfig, nodes: list[Node], outcomes: dict[str, Outcome], out: Path) -> RunFolder | None:
    name = f"{study.embed_arm}-{study.seeds[0]}"
    found = any(node.name == name for node in nodes) and outcomes[name].status == "done"
    return RunFolder.open(out / "runs" / name) if found else None


def _embedding(study: StudyConfig, nodes: list[Node], outcomes: dict[str, Outcome], out: Path) -> dict[str, Any]:
    run = _shown_run(study, nodes, outcomes, out)
    if run is None:
        return {}
    from sightline.runs import read_json
    from sightline.tasks.embed import first_and_last

    first, last = run.path / "features" / "first.npz", run.path / "features" / "last.npz"
    if not (first.is_file() and last.is_file()):
        return {}
    print("study: computing the t-SNE maps of the first and the last epoch", file=sys.stderr)
    classes = read_json(run.model_json)["classes"]
    stages = first_and_last(first, last, classes, out / "embedding.parquet")
    return {"arm": study.embed_arm, "seed": study.seeds[0], "points": "embedding.parquet", **stages}


def _samples(study: StudyConfig, nodes: list[Node], outcomes: dict[str, Outcome], out: Path) -> None:
    run = _shown_run(study, nodes, outcomes, out)
    if run is not None and study.classify is not None:
        write_samples(run, out, study.classify.data)
