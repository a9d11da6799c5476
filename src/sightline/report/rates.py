"""What each arm was given: learning rates that it tried, and epochs where they follow from measured seconds."""

from __future__ import annotations

from sightline.report.document import Block, Section, Table, Text
from sightline.runs.numbers import NO_VALUE, count, duration, plain
from sightline.runs.study_result import ArmResult, Budget, StudyResult


def rates_sections(result: StudyResult) -> list[Section]:
    """Return the section on learning rates and time; none where each arm had what the study file says."""
    tuned = [arm for arm in result.arms if arm.score is not None and arm.score.tuning is not None]
    timed = [arm for arm in result.arms if arm.score is not None and arm.score.budgets]
    blocks: list[Block] = []
    for metric in dict.fromkeys(arm.metric for arm in tuned):
        blocks.append(_rates([arm for arm in tuned if arm.metric == metric]))
    for arm in timed:
        blocks += _budgets(arm)
    return [Section("rates", "Learning rates and time", blocks)] if blocks else []


def _rates(arms: list[ArmResult]) -> Table:
    """Return validation scores by learning rate, arms of one metric."""
    tunings = {arm.arm: arm.done.tuning for arm in arms}
    rates = sorted({rate for tuning in tunings.values() if tuning for rate in tuning.scores})
    metric, rows = arms[0].measure, []
    for name, tuning in tunings.items():
        assert tuning is not None, "arms that tried"
        scores = [metric.score(tuning.scores[rate]) if rate in tuning.scores else NO_VALUE for rate in rates]
        time = NO_VALUE if tuning.seconds is None else duration(tuning.seconds)
        rows.append([name, *scores, plain(tuning.best), time])
    caption = (
        f"Learning rates that each arm tried with its first seed: {metric.text} on the validation split. The best "
        "one is kept for all seeds; the first seed is then trained anew with it. The trials never saw the test split."
    )
    header = ("Arm", *(plain(rate) for rate in rates), "Kept", "Time of the trials")
    return Table(caption, header, rows, (False, *[True] * (len(rates) + 2)))


def _budgets(arm: ArmResult) -> list[Block]:
    """Return the epochs of an arm that is trained for the time of others."""
    budgets = arm.done.budgets or ()
    rows = [
        [run, " + ".join(budget.runs), duration(budget.seconds), duration(budget.epoch_seconds), count(budget.epochs),
         f"× {budget.times:.3g}"]
        for run, budget in zip(arm.parts.runs.values(), budgets, strict=True)
    ]  # fmt: skip
    base = arm.parts.base
    caption = (
        f"{arm.arm} is {base}, trained for as long as these runs took together, in epochs of the measured length of "
        f"{base}’s; at {base}’s learning rate. The last column compares with {base}’s epochs."
    )
    header = ("Run", "As long as", "Time", "An epoch", "Epochs", f"Against {base}")
    table = Table(caption, header, rows, (False, False, True, True, True, True))
    capped = [budget for budget in budgets if budget.capped]
    return [table, Text([_capped(arm, capped)])] if capped else [table]


def _capped(arm: ArmResult, capped: list[Budget]) -> str:
    asked = max(budget.seconds / budget.epoch_seconds for budget in capped)
    return (
        f"{arm.arm} was given fewer epochs than the time allows: {count(asked)} would fit, and no more than "
        f"{plain(capped[0].times)} times {arm.parts.base}’s are trained. It had less compute than it is compared with."
    )
