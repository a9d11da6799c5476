"""From the run folders of a study to its result.json: every number is read from a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from statistics import mean

from sightline.config import PretrainConfig, StudyConfig
from sightline.metrics import statistics
from sightline.runs import RunFolder, StudyFolder
from sightline.runs.artifacts import TUNING
from sightline.runs.copies import CopiesInTest
from sightline.runs.info import Memory, Provenance
from sightline.runs.kinds import KINDS, import_dotted
from sightline.runs.results import ClassifyResult, Network, PretrainResult, ScoredResult, SegmentResult, Tuning
from sightline.runs.study_result import (
    DECIDED,
    TRIAL,
    UNDECIDED,
    ArmParts,
    ArmResult,
    ArmScore,
    Budget,
    Comparison,
    DataPart,
    Embedding,
    Pretraining,
    PretrainSummary,
    Published,
    Reference,
    StudyResult,
)
from sightline.study.arms import Arm, arms_of, metric_of, pairs_of, questions_of, seeds_of
from sightline.study.copies import clean_scores
from sightline.study.evidence import Evidence
from sightline.study.flags import Judged, flags_of
from sightline.study.labels import label_efficiency
from sightline.study.node import EpochsFor, Node
from sightline.study.outcome import Outcome
from sightline.study.plan import PRETRAIN, REFERENCE, pretraining_names, pretraining_of
from sightline.study.precision import recorded


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
    pretrained = {name: _pretrained(name, nodes, runs) for name in done}
    budgets = {name: _budgets(of, nodes, folder) for name, of in done.items()}
    entries = tuple(
        _done(arm, study, done[arm.name], evidence[arm.name], pretrained[arm.name], budgets[arm.name])
        if arm.name in done
        else _absent(arm, study, outcomes)
        for arm in arms
    )
    return StudyResult(
        name=study.name,
        notes=study.notes,
        arms=entries,
        comparisons=_comparisons(study, arms, evidence, {entry.arm: entry for entry in entries}),
        questions=tuple(questions_of(arms)),
        embedding=embedding,
        pretrain=_pretrain([runs[name] for name in pretraining_names(study) if name in runs]),
        reference=_reference(study, runs.get(REFERENCE)),
        data=_data(study, runs, done),
        precision=recorded(folder),
        provenance=_provenance(runs),
        labels=label_efficiency(study, runs, _reasons(outcomes)),
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
        parts=_parts(study, arm), status=outcome.status, reason=outcome.reason,
        **more,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip


def _parts(study: StudyConfig, arm: Arm) -> ArmParts:
    seeds = seeds_of(study, arm)
    if arm.weights != "own":
        return arm.parts(seeds)
    return replace(arm.parts(seeds), pretrained={seed: pretraining_of(study, arm, seed) for seed in seeds})


def _absent(arm: Arm, study: StudyConfig, outcomes: Mapping[str, Outcome]) -> ArmResult:
    of = (outcomes.get(arm.run_name(seed)) for seed in seeds_of(study, arm))
    worst = next((outcome for outcome in of if outcome and outcome.status != "done"), None)
    return _entry(arm, study, worst or Outcome("not run", "not asked for"))


def _done(
    arm: Arm, study: StudyConfig, runs: Sequence[RunFolder], evidence: Evidence, pretrained: Sequence[RunFolder],
    budgets: tuple[Budget, ...],
) -> ArmResult:  # fmt: skip
    results, summary = [_scored(run) for run in runs], evidence.summary()
    trained = results[0] if isinstance(results[0], ClassifyResult | SegmentResult) else None
    judged = Judged(
        kind=KINDS[arm.task], metric=metric_of(study, arm), score=summary, runs=runs, pretrained=pretrained
    )  # fmt: skip
    score = ArmScore(
        **asdict(summary),
        seconds=sum(run.info().fit_seconds for run in runs),
        images_seen=sum(result.images_seen for result in results),
        lr=trained.lr if trained else None,
        tuning=_timed(trained.tuning, runs[0]) if trained and trained.tuning else None,
        budgets=budgets or None,
        network=results[0].network,
        precision=", ".join(sorted({str(run.config().get("precision")) for run in runs})),
        memory=_memory(runs),
        flags=flags_of(judged),
    )
    return _entry(arm, study, Outcome("done"), score=score, details=results[0].details())


def _memory(runs: Sequence[RunFolder]) -> Memory | None:
    """Return the most memory that any of the runs took."""
    marks = [memory for run in runs if (memory := run.info().memory) is not None]
    host, device = ([value for of in marks if (value := getattr(of, name)) is not None] for name in ("host", "device"))
    if not host and not device:
        return None
    return Memory(host=max(host, default=None), device=max(device, default=None))


def _timed(tuning: Tuning, run: RunFolder) -> Tuning:
    """Return the trials of a run with the seconds that they took."""
    trials = [RunFolder(path) for path in sorted((run.path / TUNING).glob("lr-*"))]
    return replace(tuning, seconds=sum(trial.info().fit_seconds for trial in trials if trial.is_done))


def _reasons(outcomes: Mapping[str, Outcome]) -> dict[str, str]:
    return {name: f"{of.status}: {of.reason}" for name, of in outcomes.items() if of.status != "done"}


def _budgets(runs: Sequence[RunFolder], nodes: Sequence[Node], folder: StudyFolder) -> tuple[Budget, ...]:
    names = {run.path.name for run in runs}
    rules = [rule for node in nodes if node.name in names for rule in node.rules]
    return tuple(rule.budget(folder) for rule in rules if isinstance(rule, EpochsFor))


def _pretrained(arm: str, nodes: Sequence[Node], runs: Mapping[str, RunFolder]) -> list[RunFolder]:
    """Return the pretrainings whose weights the runs of an arm start from."""
    needs = dict.fromkeys(need for node in nodes if node.arm == arm for need in node.needs)
    return [runs[need] for need in needs if need in runs and runs[need].info().kind == PRETRAIN]


def _scored(run: RunFolder) -> ScoredResult:
    result = run.result_as(KINDS[run.info().kind].result)
    assert isinstance(result, ScoredResult), "an arm is of a kind that is judged"
    return result


def _comparisons(
    study: StudyConfig, arms: Sequence[Arm], evidence: Mapping[str, Evidence], entries: Mapping[str, ArmResult]
) -> tuple[Comparison, ...]:
    """Compare arms on the same samples and seeds; p is Holm-corrected over the study, and flags take verdicts away."""
    pairs = [(a, b) for a, b in pairs_of(arms) if a in evidence and b in evidence]
    differences = [evidence[a].minus(evidence[b]) for a, b in pairs]
    corrected = statistics.holm([of.p for of in differences])
    compared = []
    for (a, b), of, p in zip(pairs, differences, corrected, strict=True):
        flags = {name: entries[name].flags for name in (a, b) if entries[name].flags} or None
        verdict = statistics.verdict(of.mean, p, len(entries[a].done.seeds))
        verdict = UNDECIDED if flags and verdict in DECIDED else verdict
        compared.append(Comparison(
            a=a, b=b, difference=of.mean, low=max(-1.0, of.low), high=min(1.0, of.high), p_raw=of.p, p=p,
            verdict=verdict if study.scale == 1 else TRIAL, flags=flags,
            networks=_differing_networks(entries[a], entries[b]),
            detectable=of.detectable(len(pairs)),
        ))  # fmt: skip
    return tuple(compared)


def _differing_networks(*arms: ArmResult) -> dict[str, Network] | None:
    networks = {arm.arm: arm.done.network for arm in arms if arm.done.network is not None}
    return networks if len({network.text for network in networks.values()}) > 1 else None


def _pretrain(runs: Sequence[RunFolder]) -> PretrainSummary | None:
    """Return what the first pretraining is, with the others beside it."""
    if not runs:
        return None
    config = PretrainConfig.build(runs[0].config(), where=str(runs[0].path))
    each = [_pretraining(run) for run in runs]
    summary = PretrainSummary(
        recipe=config.recipe,
        backbone=config.backbone,
        stem=config.stem,
        data=config.data.source,
        seconds=mean(of.seconds for of in each),
        **{name: getattr(runs[0].result_as(PretrainResult), name) for name in PretrainResult.__dataclass_fields__},
    )
    if len(each) == 1:
        return summary
    warnings = tuple(f"{of.run}: {warning}" for of in each for warning in of.warnings)
    return replace(summary, warnings=warnings, each=tuple(each))


def _pretraining(run: RunFolder) -> Pretraining:
    result, info = run.result_as(PretrainResult), run.info()
    return Pretraining(
        run=run.path.name, seed=info.seed, seconds=info.fit_seconds, health=result.health, warnings=result.warnings
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
        first = next((runs[name] for name in pretraining_names(study) if name in runs), None)
        images = first.result_as(PretrainResult).images if first is not None else None
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
