"""The sentences of the answers. No figure here but those of result.json."""

from __future__ import annotations

from collections.abc import Iterable

from sightline.confidence import DECIDING_SEEDS, INTERVAL, NARROW, NUMBERS, POWER, studies_of
from sightline.runs.flags import flag_words
from sightline.runs.kinds import KINDS
from sightline.runs.metrics import Metric
from sightline.runs.numbers import NBSP, count, duration, p_value, plain
from sightline.runs.results import Interval
from sightline.runs.study_result import TRIAL, ArmResult, ArmScore, Comparison, StudyResult

UNKNOWN = "Cannot be said: a needed arm did not run."
TOO_FEW = f"Not to be said from fewer than {NUMBERS[DECIDING_SEEDS]} seeds an arm."
ON_TRIAL = "Not to be said from a trial."


def comparison_sentence(result: StudyResult, a: str, b: str) -> str:
    """Return what the study says of arm `a` against arm `b`, or why it says nothing."""
    comparison = result.comparison(a, b)
    if comparison is None:
        return f"{pair(a, b)} cannot be given: {_missing(result, a, b)}."
    first, second = result[a], result[b]
    metric, score = first.measure, first.done
    figures = (
        f"{metric.score(score.mean)} against {metric.score(second.value)}, "
        f"a difference of {metric.difference(comparison.difference)}{metric.of_unit} "
        f"({interval_text(metric, comparison.low, comparison.high)}, "
        f"{p_value(comparison.p)}, n{NBSP}={NBSP}{count(score.n)} {metric.samples}, {_seeds(score)})"
    )
    if comparison.networks:
        figures += "; the two are different networks, " + " and ".join(
            f"{name} {network.text} ({count(network.parameters)} parameters)"
            for name, network in comparison.networks.items()
        )
    if comparison.verdict == TRIAL:
        return f"A trial on {trial_text(result)}, which says nothing of the whole: {figures}."
    arms = f"{costed(result, a, b)} and {costed(result, b, a)}"
    flagged = ", and ".join(f"{name} {flag_words(flags)}" for name, flags in (comparison.flags or {}).items())
    if not comparison.judged:
        also = f" No verdict could rest on it either way: {flagged}." if flagged else ""
        return f"{comparison.verdict.capitalize()}, which says nothing of another seed: {arms}, {figures}.{also}"
    if flagged:
        return f"Undecided: {arms} are not to be judged, for {flagged}: {figures}."
    if not comparison.decided:
        clear = comparison.low > 0 or comparison.high < 0
        note = (
            "; the interval alone leaves out zero, the p-value corrected for all comparisons does not" if clear else ""
        )
        if comparison.detectable is not None:
            seen = metric.difference(comparison.detectable).removeprefix("+")
            note += f"; a true difference of {seen}{metric.of_unit} would be seen in {studies_of(POWER)}"
        return f"Undecided: {arms} cannot be told apart: {figures}{note}."
    return f"{costed(result, a, b)} is {comparison.verdict} than {costed(result, b, a)}: {figures}."


def flagged_arms(comparisons: Iterable[Comparison]) -> str:
    """Return why no verdict rests on comparisons, in short: "A not converged; C at chance"; "" of none."""
    flags = {name: names for comparison in comparisons for name, names in (comparison.flags or {}).items()}
    return "; ".join(f"{name} {', '.join(names)}" for name, names in flags.items())


def costed(result: StudyResult, name: str, other: str) -> str:
    """Return an arm as `describe` does, with the pretraining that went before it where the other arm had none."""
    arm, pretrain = result[name], result.pretrain
    if pretrain is None or arm.parts.weights != "own" or result[other].parts.weights == "own":
        return describe(arm)
    return f"{describe(arm)} after {duration(pretrain.seconds)} of pretraining"


def unjudged(result: StudyResult) -> str:
    """Return why comparisons without a verdict have none."""
    return TOO_FEW if result.scale == 1 else ON_TRIAL


def trial_text(result: StudyResult) -> str:
    """Return "2 % of the images and of the epochs"."""
    return f"{plain(100 * result.scale)}{NARROW}% of the images and of the epochs"


def interval_text(metric: Metric, low: float, high: float) -> str:
    """Return "95 % interval +0.1 to +3.2", of a difference."""
    return f"{INTERVAL} {metric.difference(low)} to {metric.difference(high)}"


def score_interval(metric: Metric, interval: Interval | ArmScore) -> str:
    """Return "95 % interval 35.2 to 53.3 %", of a value."""
    return f"{INTERVAL} {metric.interval(interval.low, interval.high)}"


def scored(arm: ArmResult) -> str:
    """Return an arm's score with interval and n, or that it has none."""
    if arm.score is None:
        return arm.status
    score, metric = arm.score, arm.measure
    once = ", one run" if len(score.seeds) == 1 and KINDS[arm.task].trained else ""
    return f"{metric.score(score.mean)} ({score_interval(metric, score)}, n{NBSP}={NBSP}{count(score.n)}{once})"


def absences(arms: Iterable[ArmResult]) -> dict[str, str]:
    """Return "B, D are not run: REASON" for each reason why arms have no result, by the first arm that has it."""
    by_reason: dict[str, list[str]] = {}
    for arm in arms:
        if arm.score is None:
            by_reason.setdefault(f"{arm.status}: {arm.reason or 'no reason given'}", []).append(arm.arm)
    return {names[0]: f"{', '.join(names)} {reason}" for reason, names in by_reason.items()}


def describe(arm: ArmResult) -> str:
    """Return "C (own self-supervised weights, all trained)"."""
    return f"{arm.arm} ({arm.name})" if arm.name else arm.arm


def pair(a: str, b: str) -> str:
    """Return "C − A", unbroken."""
    return f"{a}{NBSP}−{NBSP}{b}"


def _missing(result: StudyResult, *names: str) -> str:
    reasons = []
    for name in names:
        arm = result.find(name)
        if arm is None:
            reasons.append(f"the study file does not ask for {name}")
        elif arm.score is None:
            reasons.append(f"{describe(arm)}{' is' if arm.status == 'not run' else ''} {arm.status}")
    return "; ".join(reasons) or "the study did not compare them"


def _seeds(score: ArmScore) -> str:
    number = len(score.seeds)
    return f"{NUMBERS[number]} run each" if number == 1 else f"{number} seeds"
