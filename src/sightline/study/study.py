"""`study`: one file → every arm of the comparison over several seeds, resumable."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import yaml

from sightline.config import SegmentConfig, StudyConfig, read_yaml
from sightline.errors import RunError, SightlineError
from sightline.files import keep_traceback, locked, write_text
from sightline.files.atomic import sweep_of
from sightline.runs import RunFolder, StudyFolder, artifacts, read_json
from sightline.runs.copies import CopiesInTest
from sightline.runs.study_result import Embedding
from sightline.study.arms import arms_of
from sightline.study.collect import collect
from sightline.study.copies import find_test_copies
from sightline.study.execute import execute
from sightline.study.executors import Executor, asked_executor
from sightline.study.node import Node, is_done
from sightline.study.outcome import Outcome, recorded_outcome
from sightline.study.plan import expand, read_study
from sightline.study.precision import with_shared_precision
from sightline.study.samples import write_samples
from sightline.study.sources import check_sources

SHOWN = 3  # changed runs in an error


def run_study(
    source: str | StudyConfig,
    out: Path,
    *,
    only: tuple[str, ...] = (),
    jobs: int = 1,
    cluster: str = "",
    slurm: str = "",
    executor: Executor | None = None,
) -> StudyFolder:
    """Run a study, go on with it, or add to it: what is done with the same configuration and data is not run again.

    Args:
        source: the path of a study file, the name of a packaged one such as "demo", or a configuration.
        out: the study's folder.
        only: arms to run; () runs all.
        jobs: runs at a time, each in a process of its own.
        cluster: address of a dask scheduler whose workers do the runs.
        slurm: partition of SLURM whose nodes do the runs.
        executor: what does the runs, instead of one of these three.

    Raises:
        ConfigError: a mistake in the study file.
        DataError: data that are not here, or masks from which nothing can be learned.
        NotAvailable: the package of a logger is not installed.
        RunError: `out` holds another study, or another process works on this one.
    """
    study = source if isinstance(source, StudyConfig) else read_study(source)
    folder = StudyFolder(out.absolute())
    _check_loggers(study)
    nodes, asked = expand(study, folder.path), expand(study, folder.path, only)
    with ExitStack() as stack:
        executor = executor or asked_executor(jobs, cluster, slurm)
        if executor is not None:
            stack.callback(executor.close)
        check_sources(asked, folder.path)
        _check_masks(asked, folder)
        stack.enter_context(locked(folder.path / artifacts.LOCK, str(folder.path)))
        _claim(study, nodes, folder)
        outcomes = execute(with_shared_precision(asked, nodes, folder, _say), folder.path, executor)
        outcomes |= {node.name: recorded_outcome(node, folder.path) for node in nodes if node.name not in outcomes}
        shown = _shown_run(study, outcomes, folder)
        embedding = _embedding(study, shown, folder) if shown is not None else None
        if study.show_samples and shown is not None and study.classify is not None:
            write_samples(shown, folder, study.classify.data)
        copies = _copies(outcomes, folder)
        folder.write_result(collect(study, nodes, outcomes, folder, embedding, copies))
        shutil.rmtree(folder.path / artifacts.SHARED_FEATURES, ignore_errors=True)
    return folder


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _copies(outcomes: Mapping[str, Outcome], folder: StudyFolder) -> dict[str, CopiesInTest]:
    """Return copies of the test images, none where they could not be looked for: the study is worth more than that."""
    try:
        return find_test_copies(
            {name: folder.run(name) for name, of in outcomes.items() if of.status == "done"}, folder
        )
    except Exception as error:  # whatever it is
        words = str(error) if isinstance(error, SightlineError) else f"{type(error).__name__}: {error}"
        path = keep_traceback(error, folder.path)
        _say(f"! study: no copies were looked for, the study goes on: {words} (traceback in {path})")
        return {}


def _check_loggers(study: StudyConfig) -> None:
    """Refuse loggers whose packages are not here, before any run begins.

    Raises:
        NotAvailable: names the extra.
    """
    if study.logger:
        # Imported here: planning does without torch.
        from sightline.engine.loggers import check_loggers

        check_loggers(study.logger)


def _check_masks(nodes: Sequence[Node], folder: StudyFolder) -> None:
    """Refuse masks of fewer than two classes before anything is trained; each arm that learns from masks has the same.

    Raises:
        DataError: fewer than two classes, or masks that cannot be opened.
    """
    # Imported here, where images are needed: planning does without, and without torch.
    from sightline.data import check_classes, load_masks
    from sightline.models import reading_of

    for node in nodes:
        if isinstance(node.config, SegmentConfig) and not is_done(folder, node.name):
            check_classes(load_masks(node.config.data, progress=_say, earlier=reading_of(node.config)), "train", _say)
            return


def _claim(study: StudyConfig, nodes: Sequence[Node], folder: StudyFolder) -> None:
    """Write study.yaml. A study that is there is added to: seeds, arms, anything that leaves its runs as they are.

    Raises:
        RunError: the folder holds another study, or a run that this study would make with other settings.
    """
    out, path = folder.path, folder.path / artifacts.STUDY
    begun = [node for node in nodes if folder.find_run(node.name).exists]
    if path.is_file() and begun:
        name = read_yaml(path).get("name")
        changed = [
            f"{node.name} ({difference})"
            for node in begun
            # What waits for runs that are to be made again is compared when its turn comes.
            if node.can_settle(folder)
            for difference in folder.find_run(node.name).differences(node.settled(folder).config)[:1]
        ]
        if name != study.name:
            changed.insert(0, f"name: {name!r} there, {study.name!r} now")
        if changed:
            more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
            raise RunError(
                f"{out}: holds a study with other settings: {'; '.join(changed[:SHOWN])}{more}. What is done stays "
                "done: give another --out, or put back these settings; seeds and arms may be added"
            )
    sweep_of(path)
    known = (artifacts.LOCK, artifacts.STUDY)
    if not path.is_file() and out.is_dir() and any(left.name not in known for left in out.iterdir()):
        raise RunError(f"{out}: is not empty and holds no study; give a new or empty folder")
    out.mkdir(parents=True, exist_ok=True)
    write_text(path, yaml.safe_dump(study.to_dict(), sort_keys=False, allow_unicode=True))


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
