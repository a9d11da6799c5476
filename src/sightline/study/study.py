"""`study`: one file → every arm of the comparison over several seeds, resumable."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from sightline.config import SegmentConfig, StudyConfig
from sightline.data import check_classes, load_parts
from sightline.errors import RunError
from sightline.files import locked, write_text
from sightline.files.atomic import sweep_of
from sightline.models import reading_of
from sightline.runs import RunFolder, StudyFolder, artifacts, read_json
from sightline.runs.study_result import Embedding
from sightline.study.arms import arms_of
from sightline.study.collect import collect
from sightline.study.execute import Outcome, execute, recorded_outcome
from sightline.study.plan import Node, expand, read_study
from sightline.study.samples import write_samples


def run_study(source: str | StudyConfig, out: Path, *, only: tuple[str, ...] = (), jobs: int = 1) -> StudyFolder:
    """Run a study, or go on with it: what is done with the same configuration and data is not run again.

    Args:
        source: the path of a study file, "demo", or a configuration.
        out: the study's folder.
        only: arms to run; () runs all.
        jobs: runs at a time, each in a process of its own.

    Raises:
        ConfigError: a mistake in the study file.
        DataError: masks from which nothing can be learned.
        RunError: `out` holds another study, or another process works on this one.
    """
    study = source if isinstance(source, StudyConfig) else read_study(source)
    folder = StudyFolder(out.absolute())
    nodes, asked = expand(study, folder.path), expand(study, folder.path, only)
    _check_masks(asked, folder)
    with locked(folder.path / artifacts.LOCK, str(folder.path)):
        _claim(study, folder)
        outcomes = execute(asked, folder.path, jobs)
        outcomes |= {node.name: recorded_outcome(node, folder.path) for node in nodes if node.name not in outcomes}
        shown = _shown_run(study, outcomes, folder)
        embedding = _embedding(study, shown, folder) if shown is not None else None
        if study.show_samples and shown is not None and study.classify is not None:
            write_samples(shown, folder, study.classify.data)
        folder.write_result(collect(study, nodes, outcomes, folder, embedding))
    return folder


def _check_masks(nodes: Sequence[Node], folder: StudyFolder) -> None:
    """Refuse masks of fewer than two classes before anything is trained; each arm that learns from masks has the same.

    Raises:
        DataError: fewer than two classes, or masks that cannot be opened.
    """
    for node in nodes:
        if isinstance(node.config, SegmentConfig) and not _is_done(folder, node):
            say = lambda line: print(line, file=sys.stderr)  # noqa: E731
            check_classes(load_parts(node.config.data, progress=say, earlier=reading_of(node.config)), "train", say)
            return


def _is_done(folder: StudyFolder, node: Node) -> bool:
    run = RunFolder(folder.run_path(node.name))
    return run.exists and run.is_done


def _claim(study: StudyConfig, folder: StudyFolder) -> None:
    """Write study.yaml, or check that the one there is the same."""
    out, path = folder.path, folder.path / artifacts.STUDY
    text = yaml.safe_dump(study.to_dict(), sort_keys=False, allow_unicode=True)
    if path.is_file():
        if path.read_text(encoding="utf-8") != text:
            raise RunError(f"{out}: holds a study with other settings; give another --out, or put back its study file")
        return
    sweep_of(path)
    if out.is_dir() and any(left.name != artifacts.LOCK for left in out.iterdir()):
        raise RunError(f"{out}: is not empty and holds no study; give a new or empty folder")
    out.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def _shown_run(study: StudyConfig, outcomes: Mapping[str, Outcome], folder: StudyFolder) -> RunFolder | None:
    """Return the run whose features and predictions are shown, if it is done."""
    arm = next((arm for arm in arms_of(study) if arm.name == study.embed_arm and arm.task == "classify"), None)
    outcome = outcomes.get(arm.run_name(study.seeds[0])) if arm is not None else None
    return folder.run(arm.run_name(study.seeds[0])) if arm and outcome and outcome.status == "done" else None


def _embedding(study: StudyConfig, run: RunFolder, folder: StudyFolder) -> Embedding | None:
    from sightline.tasks.embed import first_and_last

    first, last = (run.path / artifacts.FEATURES[stage] for stage in ("first", "last"))
    if not (first.is_file() and last.is_file()):
        return None
    print("study: computing the t-SNE maps of the first and the last epoch", file=sys.stderr)
    classes = read_json(run.model_json)["classes"]
    stages = first_and_last(first, last, classes, folder.path / artifacts.EMBEDDING)
    content = {"arm": study.embed_arm, "seed": study.seeds[0], "points": artifacts.EMBEDDING, **stages}
    return Embedding.from_dict(content, "embedding")
