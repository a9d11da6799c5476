"""Two studies side by side: the arms and the comparisons that both have, each with its own interval."""

from __future__ import annotations

from pathlib import Path

from sightline.confidence import INTERVAL
from sightline.errors import RunError
from sightline.report.document import Block, Document, Listing, Section, Table, Text
from sightline.report.sentences import pair, score_interval
from sightline.runs import StudyFolder
from sightline.runs.artifacts import STUDY
from sightline.runs.kinds import KINDS
from sightline.runs.numbers import NO_VALUE, count, p_value
from sightline.runs.study_result import ArmResult, Comparison, StudyResult

LIMITS = (
    "Differences between the columns are of other runs, and often of other test images: no p-value is given for them, "
    "and intervals that overlap say nothing for certain. Whoever wants a verdict puts both arms into one study."
)


def beside_document(first: Path, second: Path) -> Document:
    """Return the page of two studies.

    Raises:
        RunError: one of the folders holds no study with a result, or they have no arm of one metric in common.
    """
    for folder in (first, second):
        if not (folder / STUDY).is_file():
            raise RunError(f"{folder}: holds no study ({STUDY}); two folders side by side must both be studies")
    a, b = (StudyFolder(folder).result for folder in (first, second))
    names = _names(a, b, first, second)
    shared = [(arm, other) for arm in a.arms if (other := b.find(arm.arm)) is not None and other.metric == arm.metric]
    if not shared:
        raise RunError(
            f"{first} and {second}: have no arm of one name and metric in common; they have "
            f"{', '.join(arm.arm for arm in a.arms)} and {', '.join(arm.arm for arm in b.arms)}"
        )
    sections = [
        Section("arms", "Arms that both have", [_arms(shared, names), *_alone(a, b, names)]),
        Section("differences", "Comparisons that both make", _comparisons(a, b, names)),
        Section("data", "Data", [Listing(_data(a, b, names)), Text([LIMITS])]),
    ]
    return Document(f"{names[0]} beside {names[1]}", "Two Sightline studies", (), sections)


def _names(a: StudyResult, b: StudyResult, first: Path, second: Path) -> tuple[str, str]:
    """Return the studies' names, with their folders where these are the same."""
    if a.name != b.name:
        return a.name, b.name
    return f"{a.name} ({first.resolve().name})", f"{b.name} ({second.resolve().name})"


def _arms(shared: list[tuple[ArmResult, ArmResult]], names: tuple[str, str]) -> Table:
    rows = []
    for arm, other in shared:
        settings = arm.name if arm.name == other.name else f"{arm.name} / {other.name}"
        rows.append([arm.arm, settings, arm.measure.title, *_score(arm), *_score(other), _change(arm, other)])
    header = ("Arm", "Setting", "Metric", names[0], "Seeds, n", names[1], "Seeds, n", "Second − first")
    return Table(
        f"Means over seeds with {INTERVAL}s", header, rows,
        (False, False, False, True, True, True, True, True),
    )  # fmt: skip


def _score(arm: ArmResult) -> list[str]:
    score, metric = arm.score, arm.measure
    if score is None:
        return [arm.status, NO_VALUE]
    flags = f"; {', '.join(arm.flags)}" if arm.flags else ""
    text = f"{metric.score(score.mean)} ({score_interval(metric, score)}){flags}"
    return [text, f"{len(score.seeds)}, {count(score.n)}"]


def _change(arm: ArmResult, other: ArmResult) -> str:
    if arm.score is None or other.score is None:
        return NO_VALUE
    return arm.measure.difference(other.score.mean - arm.score.mean)


def _alone(a: StudyResult, b: StudyResult, names: tuple[str, str]) -> list[Block]:
    lines = []
    for result, other, name in ((a, b, names[0]), (b, a, names[1])):
        own = [arm.arm for arm in result.arms if (of := other.find(arm.arm)) is None or of.metric != arm.metric]
        if own:
            lines.append(f"Only in {name}: {', '.join(own)}.")
    return [Listing(lines)] if lines else []


def _comparisons(a: StudyResult, b: StudyResult, names: tuple[str, str]) -> list[Block]:
    rows = []
    for of in a.comparisons:
        other = b.comparison(of.a, of.b)
        if other is not None and a[of.a].metric == b[of.a].metric:
            rows.append([pair(of.a, of.b), *_difference(a, of), *_difference(b, other)])
    if not rows:
        return [Text(["They compare no two arms that are the same."])]
    header = ("Arms", names[0], "Verdict", names[1], "Verdict")
    caption = "Differences within each study, on its own test samples; p is corrected within its study."
    return [Table(caption, header, rows, (False, True, False, True, False))]


def _difference(result: StudyResult, of: Comparison) -> list[str]:
    metric = result[of.a].measure
    interval = f"{metric.difference(of.low)} to {metric.difference(of.high)}"
    return [f"{metric.difference(of.difference)} ({interval}, {p_value(of.p)})", of.verdict]


def _data(a: StudyResult, b: StudyResult, names: tuple[str, str]) -> list[str]:
    """Return for each kind of data whether both studies had the same."""
    lines = []
    for name, title in {kind.data: kind.data_title for kind in KINDS.values()}.items():
        parts = [result.data.get(name) for result in (a, b)]
        first, second = parts
        if first is None or second is None:
            continue
        sources = f"{names[0]} {first.source}, {names[1]} {second.source}"
        if first.fingerprint is None or second.fingerprint is None:
            same = "whether they are the same is not known"
        else:
            same = (
                "the same" if (first.fingerprint, first.split) == (second.fingerprint, second.split) else "not the same"
            )
        lines.append(f"{title}: {same} ({sources}).")
    return lines or ["They have no kind of data in common."]
