"""The results of arms of one metric: bars, tables, differences; the same for every metric of `METRICS`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import stdev

from sightline.confidence import INTERVAL
from sightline.figures import arm_panel, difference_panel
from sightline.report.document import Block, Picture, Table, Warnings
from sightline.report.sentences import flagged_arms, pair
from sightline.runs.flags import FLAGS, flag_words
from sightline.runs.info import Memory
from sightline.runs.metrics import Metric
from sightline.runs.numbers import NBSP, NO_VALUE, count, duration, p_value, size_text
from sightline.runs.study_result import ArmResult, Comparison, Published, StudyResult


def blocks(
    arms: Sequence[ArmResult],
    comparisons: Sequence[Comparison],
    prefix: str = "",
    published: Published | None = None,
    absent: Mapping[str, str] | None = None,
) -> list[Block]:
    """Return bars and tables of the arms, why some have no result, and their differences.

    Args:
        arms: all of one metric; at least one.
        comparisons: between these arms.
        prefix: of the pictures' names.
        published: figures of others, to stand beside.
        absent: why arms of the study have no result, as of `sentences.absences`.
    """
    metric = arms[0].measure
    caption = f"Bar: mean over seeds. Line: its {INTERVAL}. Dots: single seeds."
    shown: list[Block] = [Picture(f"{prefix}arms", caption, [arm_panel(arms)]), _arm_table(arms, metric, published)]
    shown += [cost] if (cost := _cost_table(arms)) else []
    if reasons := [line for arm, line in (absent or {}).items() if arm in {of.arm for of in arms}]:
        shown.append(Warnings("Arms without a result", reasons))
    if flagged := [flag_line(arm.arm, flag, metric, arm.done.per_class) for arm in arms for flag in arm.flags]:
        shown.append(Warnings("Flags: no verdict rests on these arms", flagged))
    if comparisons:
        caption = f"Difference and its {INTERVAL}; a filled dot is decided, an open one undecided."
        shown.append(Picture(f"{prefix}differences", caption, [difference_panel(comparisons, metric)]))
        shown.append(_comparison_table(comparisons, metric))
    if per_class := _class_table(arms, metric):
        shown.append(per_class)
    return shown


def between(result: StudyResult, arms: Sequence[ArmResult]) -> list[Comparison]:
    """Return the comparisons of a result that are between these arms."""
    names = {arm.arm for arm in arms}
    return [comparison for comparison in result.comparisons if names.issuperset(comparison.pair)]


def _arm_table(arms: Sequence[ArmResult], metric: Metric, published: Published | None) -> Table:
    flagged = ("Flags",) if any(arm.flags for arm in arms) else ()
    beside = {arm.arm: published.values[arm.arm] for arm in arms if arm.arm in published.values} if published else {}
    header = ("Arm", "Setting", "Mean", INTERVAL, *flagged, "Seeds", "Spread", "n",
              *(("Published",) if beside else ()))  # fmt: skip
    rows = []
    for arm in arms:
        score = arm.score
        value = metric.score(beside[arm.arm]) if arm.arm in beside else NO_VALUE
        last = [value] if beside else []
        if score is None:
            rows.append([arm.arm, arm.name, arm.status, *[NO_VALUE] * (len(header) - 3 - len(last)), *last])
            continue
        seeds = score.seeds
        rows.append([
            arm.arm, arm.name, metric.score(score.mean), metric.interval(score.low, score.high),
            *(", ".join(arm.flags) or NO_VALUE for _ in flagged), str(len(seeds)),
            f"± {metric.difference(stdev(seeds)).lstrip('+')}" if len(seeds) > 1 else NO_VALUE,
            count(score.n), *last,
        ])  # fmt: skip
    scenes = next((arm.score.scenes for arm in arms if arm.score and arm.score.scenes), None)
    over = f" Intervals are over {count(scenes)} whole scenes." if scenes else ""
    scores = [arm.score for arm in arms if arm.score is not None]
    chances = dict.fromkeys(metric.score(score.chance) for score in scores if score.chance is not None)
    over += f" The best of all constant answers scores {' or '.join(chances)}." if chances else ""
    caption = (
        f"{metric.title} on the test split. Spread: standard deviation over seeds, in {metric.unit}; "
        f"n: {metric.samples}.{over}"
    )
    if published is not None and beside:
        caption += f" Published: {published.source.strip().rstrip('.')}; not from a run of this study."
    numbers = 3 + (1 if beside else 0)
    return Table(caption, header, rows, (False, False, True, True, *[False] * len(flagged), *[True] * numbers))


def _cost_table(arms: Sequence[ArmResult]) -> Table | None:
    scores = {arm.arm: arm.score for arm in arms if arm.score is not None}
    sized = any(score.network for score in scores.values())
    weighed = any(score.memory for score in scores.values())
    if not scores:
        return None
    rows = [
        [name, duration(score.seconds), count(score.images_seen),
         *([_memory_text(score.memory)] if weighed else []),
         *([count(score.network.parameters) if score.network else NO_VALUE] if sized else [])]
        for name, score in scores.items()
    ]  # fmt: skip
    header = ("Arm", "Time", "Images seen", *(["Memory"] if weighed else []), *(["Parameters"] if sized else []))
    caption = "What the arms cost: all seeds together, without pretraining."
    if weighed:
        caption += (
            " Memory: the most that the process of a run held at once, mapped image files included"
            f"{', and the most on the GPU' if any(of.memory and of.memory.device for of in scores.values()) else ''}."
        )
    return Table(caption, header, rows, (False, *[True] * (len(header) - 1)))


def _memory_text(memory: Memory | None) -> str:
    """Return "1.2 GB", "1.2 GB + 7.9 GB GPU"."""
    marks = [(memory.host, ""), (memory.device, " GPU")] if memory is not None else []
    return " + ".join(f"{size_text(size)}{where}" for size, where in marks if size is not None) or NO_VALUE


def flag_line(name: str, flag: str, metric: Metric, per_class: Mapping[str, float]) -> str:
    """Return "unet: not learnt: it did not learn every class (water below 0.010); weigh the classes, …"."""
    words = flag_words([flag])
    if flag == "not learnt" and metric.learnt_from is not None:
        words += f" ({', '.join(metric.unlearnt(per_class))} below {metric.score(metric.learnt_from)})"
    way_out = f"; {FLAGS[flag].way_out}" if flag in FLAGS else ""
    return f"{name}: {flag}: it {words}{way_out}."


def _comparison_table(comparisons: Sequence[Comparison], metric: Metric) -> Table:
    rows = [
        [pair(of.a, of.b), metric.difference(of.difference),
         f"{metric.difference(of.low)} to {metric.difference(of.high)}",
         p_value(of.p).removeprefix("p").lstrip(f"{NBSP}="), _verdict(of)]
        for of in comparisons
    ]  # fmt: skip
    header = ("Arms", "Difference", INTERVAL, "p (Holm)", "Verdict")
    caption = (
        f"Pairs of arms on the same {metric.samples}, in {metric.unit}; p is corrected over all comparisons of the "
        "study."
    )
    return Table(caption, header, rows, (False, True, True, True, False))


def _verdict(comparison: Comparison) -> str:
    flagged = flagged_arms([comparison])
    return f"{comparison.verdict} ({flagged})" if flagged else comparison.verdict


def _class_table(arms: Sequence[ArmResult], metric: Metric) -> Table | None:
    by_arm = {arm.arm: arm.score.per_class for arm in arms if arm.score is not None and arm.score.per_class}
    if not by_arm:
        return None
    classes = list(dict.fromkeys(name for per_class in by_arm.values() for name in per_class))
    rows = [
        [name, *(metric.score(of[name]) if name in of else NO_VALUE for of in by_arm.values())]
        for name in (sorted(classes) if metric.fold_classes else classes)
    ]
    caption = f"{metric.per_class} by class, mean over seeds"
    return Table(caption, ("Class", *by_arm), rows, (False, *[True] * len(by_arm)), folded=metric.fold_classes)
