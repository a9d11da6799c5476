"""From the run folders of a study to its result.json: every number is read from a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sightline.config import PretrainConfig, StudyConfig
from sightline.metrics import statistics
from sightline.runs import RunFolder, StudyFolder
from sightline.runs.copies import CopiesInTest
from sightline.runs.info import Provenance
from sightline.runs.kinds import KINDS, import_dotted
from sightline.runs.results import ClassifyResult, PretrainResult, ScoredResult
from sightline.runs.study_result import (
    TRIAL,
    ArmResult,
    ArmScore,
    Comparison,
    DataPart,
    Embedding,
    PretrainSummary,
    Published,
    Reference,
    StudyResult,
)
from sightline.study.arms import Arm, arms_of, metric_of, pairs_of, questions_of, seeds_of
from sightline.study.copies import clean_scores
from sightline.study.evidence import Evidence
from sightline.study.execute import Outcome
from sightline.study.plan import PRETRAIN, REFERENCE, Node


def collect(
    study: StudyConfig,
    nodes: Sequence[Node],
    outcomes: Mapping[str, Outcome],
    folder: StudyFolder,
    embedding: Embedding | None,
    copies: Mapping[str, CopiesInTest] | None = None,
) -> StudyResult:
    """Return the study's result.

    Args:
        study: its configuration.
        nodes: all of its runs.
        outcomes: what became of each.
        folder: where they are.
        embedding: the maps of the features, if there are any.
        copies: of test images, by the data that they are of; scores without them are added.
    """
    runs = {node.name: folder.run(node.name) for node in nodes if outcomes[node.name].status == "done"}
    arms = arms_of(study)
    by_arm = {arm.name: [runs.get(arm.run_name(seed)) for seed in seeds_of(study, arm)] for arm in arms}
    done = {name: [run for run in of if run is not None] for name, of in by_arm.items() if all(of)}
    evidence: dict[str, Evidence] = {
        arm.name: import_dotted(metric_of(study, arm).evidence)(done[arm.name]) for arm in arms if arm.name in done
    }
    return StudyResult(
        name=study.name,
        notes=study.notes,
        arms=tuple(
            _done(arm, study, done[arm.name], evidence[arm.name]) if arm.name in done else _absent(arm, study, outcomes)
            for arm in arms
        ),
        comparisons=_comparisons(study, arms, evidence, {name: len(of) for name, of in done.items()}),
        questions=tuple(questions_of(arms)),
        embedding=embedding,
        pretrain=_pretrain(runs.get(PRETRAIN)),
        reference=_reference(study, runs.get(REFERENCE)),
        data=_data(study, runs, done),
        provenance=_provenance(runs),
        published=Published(**study.published.to_dict()) if study.published is not None else None,
        scale=study.scale,
        copies=_clean(study, arms, done, copies or {}),
    )


def _clean(
    study: StudyConfig, arms: Sequence[Arm], done: Mapping[str, Sequence[RunFolder]], copies: Mapping[str, CopiesInTest]
) -> dict[str, CopiesInTest]:
    """Return the copies with the scores without them, of the arms that are judged on these data."""
    made = {arm.name: import_dotted(metric_of(study, arm).evidence) for arm in arms}
    return {
        data: clean_scores(
            of, {a.name: done[a.name] for a in arms if a.name in done and KINDS[a.task].data == data}, made
        )
        for data, of in copies.items()
    }


def _entry(arm: Arm, study: StudyConfig, outcome: Outcome, **more: object) -> ArmResult:
    return ArmResult(
        arm=arm.name, name=arm.title, task=arm.task, metric=metric_of(study, arm).name,
        parts=arm.parts(seeds_of(study, arm)), status=outcome.status, reason=outcome.reason,
        **more,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip


def _absent(arm: Arm, study: StudyConfig, outcomes: Mapping[str, Outcome]) -> ArmResult:
    of = (outcomes.get(arm.run_name(seed)) for seed in seeds_of(study, arm))
    worst = next((outcome for outcome in of if outcome and outcome.status != "done"), None)
    return _entry(arm, study, worst or Outcome("not run", "not asked for"))


def _done(arm: Arm, study: StudyConfig, runs: Sequence[RunFolder], evidence: Evidence) -> ArmResult:
    results = [_scored(run) for run in runs]
    score = ArmScore(
        **asdict(evidence.summary()),
        seconds=sum(run.info().fit_seconds for run in runs),
        images_seen=sum(result.images_seen for result in results),
    )
    return _entry(arm, study, Outcome("done"), score=score, details=results[0].details())


def _scored(run: RunFolder) -> ScoredResult:
    result = run.result_as(KINDS[run.info().kind].result)
    assert isinstance(result, ScoredResult), "an arm is of a kind that is judged"
    return result


def _comparisons(
    study: StudyConfig, arms: Sequence[Arm], evidence: Mapping[str, Evidence], seeds: Mapping[str, int]
) -> tuple[Comparison, ...]:
    """Compare arms on the same samples and seeds, of which each has so many; p is Holm-corrected over the study."""
    pairs = [(a, b) for a, b in pairs_of(arms) if a in evidence and b in evidence]
    differences = [evidence[a].minus(evidence[b]) for a, b in pairs]
    corrected = statistics.holm([of.p for of in differences])
    return tuple(
        Comparison(
            a=a, b=b, difference=of.mean, low=max(-1.0, of.low), high=min(1.0, of.high), p_raw=of.p, p=p,
            verdict=statistics.verdict(of.mean, p, seeds[a]) if study.scale == 1 else TRIAL,
            detectable=of.detectable(len(pairs)),
        )
        for (a, b), of, p in zip(pairs, differences, corrected, strict=True)
    )  # fmt: skip


def _pretrain(run: RunFolder | None) -> PretrainSummary | None:
    if run is None:
        return None
    config = PretrainConfig.build(run.config(), where=str(run.path))
    result = run.result_as(PretrainResult)
    return PretrainSummary(
        recipe=config.recipe,
        backbone=config.backbone,
        stem=config.stem,
        data=config.data.source,
        seconds=run.info().fit_seconds,
        **{name: getattr(result, name) for name in PretrainResult.__dataclass_fields__},
    )


def _reference(study: StudyConfig, run: RunFolder | None) -> Reference:
    name = study.reference.name or study.reference.weights
    if run is None:
        return Reference(name=name, trained_here=False)
    result = run.result_as(ClassifyResult)
    return Reference(
        name=name,
        trained_here=True,
        data=run.config()["data"]["source"],
        accuracy=result.accuracy,
        images_seen=result.images_seen,
        seconds=run.info().fit_seconds,
    )


def _data(
    study: StudyConfig, runs: Mapping[str, RunFolder], done: Mapping[str, Sequence[RunFolder]]
) -> dict[str, DataPart]:
    """Return each part of the data with what the first finished run of its kind found there."""
    parts: dict[str, DataPart] = {}
    firsts = {of[0].info().kind: of[0] for of in reversed(list(done.values()))}
    for name, kind in KINDS.items():
        block = getattr(study, kind.block) if kind.block else None
        if block is None or kind.data in parts:
            continue
        parts[kind.data] = _part(block.data.source, firsts.get(name))
    if study.pretrain is not None:
        images = runs[PRETRAIN].result_as(PretrainResult).images if PRETRAIN in runs else None
        parts[KINDS[PRETRAIN].data] = DataPart(source=study.pretrain.data.source, images=images)
    return parts


def _part(source: str, run: RunFolder | None) -> DataPart:
    if run is None:
        return DataPart(source=source)
    info, result = run.info(), _scored(run)
    return DataPart(
        source=source,
        split=result.split,
        classes=result.class_count,
        bad_images=result.bad_images,
        fingerprint=info.fingerprint,
    )


def _provenance(runs: Mapping[str, RunFolder]) -> Provenance:
    if not runs:
        return Provenance()
    info = next(iter(runs.values())).info()
    return Provenance(versions=info.versions, hardware=info.hardware)
