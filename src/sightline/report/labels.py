"""Label efficiency on the page: scores over the number of labels, and how many labels one arm saves against another."""

from __future__ import annotations

from sightline.confidence import DECIDING_SEEDS, INTERVAL
from sightline.figures import label_panel
from sightline.report.document import Block, Picture, Section, Table, Text, Warnings
from sightline.runs.metrics import Metric, metric_named
from sightline.runs.numbers import NO_VALUE, count, percent
from sightline.runs.study_result import LabelEfficiency, LabelsSaved, StudyResult


def labels_sections(result: StudyResult) -> list[Section]:
    """Return the section on label efficiency; none where the study did not ask for it."""
    of = result.labels
    if of is None:
        return []
    drawn = [curve for curve in of.curves if curve.points]
    reasons = [f"{run}: {why}." for curve in of.curves for run, why in (curve.missing or {}).items()]
    missing: list[Block] = [Warnings("Runs without a result", reasons)] if reasons else []
    if not drawn:
        return [Section("labels", "How many labels?", missing or [Text(["No arm was asked for."])])]
    metric = metric_named(drawn[0].metric)
    caption = (
        f"{metric.title} on the whole test split over the number of training labels, on a logarithmic axis. Line: mean "
        "over draws. Band: its {INTERVAL}. Dots: single draws."
    )
    blocks: list[Block] = [Text(_sentences(of)), Picture("labels", caption, [label_panel(drawn, metric)], columns=1)]
    blocks += [_curve_table(of, metric), *missing]
    if of.saved:
        blocks.append(_saved_table(of))
    return [Section("labels", "How many labels?", blocks)]


def _sentences(of: LabelEfficiency) -> list[str]:
    """Return what is saved in words, and what the curves are of."""
    draws = f"{of.draws} draw" + ("s" if of.draws != 1 else "")
    about = (
        f"{draws} of the labels, stratified by class; a smaller fraction of a draw is a part of a larger one, and each "
        "draw has a training seed of its own. Learning rates are those chosen with all labels. The validation split, "
        "by which epochs and penalties are chosen, keeps all of its labels."
    )
    if not of.saved:
        return [about]
    return [*(saved_sentence(saved) for saved in of.saved), about]


def saved_sentence(saved: LabelsSaved) -> str:
    """Return how many labels an arm saves, or why that cannot be said."""
    have = f"{saved.a} with {count(saved.labels)} labels ({percent(saved.fraction, 0)})"
    if saved.reached == "beyond":
        return f"{saved.b} does not reach {have}, not with {count(saved.most)} either: how many it needs is not known."
    if saved.reached == "below":
        return f"{saved.b} with {count(saved.fewest)} labels is as good as {have}, or better: nothing is saved there."
    assert saved.needed is not None, "it is within the curve"
    times = f"{saved.needed / saved.labels:.1f} times as many"
    text = f"{saved.b} needs about {count(saved.needed)} labels to equal {have}, {times}"
    if saved.low is None or saved.high is None:
        return f"{text}; no interval, for not every one of {DECIDING_SEEDS} draws or more lies within its curve."
    low, high = (f"{end / saved.labels:.1f}" for end in (saved.low, saved.high))
    clear = "" if saved.low > saved.labels or saved.high < saved.labels else ", so that none may be saved"
    return f"{text} ({INTERVAL} over draws {low} to {high} times{clear})."


def _curve_table(of: LabelEfficiency, metric: Metric) -> Table:
    fractions = sorted({point.fraction for curve in of.curves for point in curve.points})
    labels = {point.fraction: point.labels for curve in of.curves for point in curve.points}
    rows = []
    for fraction in fractions:
        row = [f"{100 * fraction:g} %", count(labels[fraction])]
        for curve in of.curves:
            point = next((point for point in curve.points if point.fraction == fraction), None)
            shown = f"{metric.score(point.mean)} ({metric.interval(point.low, point.high)})" if point else NO_VALUE
            row.append(shown)
        rows.append(row)
    header = ("Fraction", "Labels", *(curve.arm for curve in of.curves))
    tested = dict.fromkeys(count(point.n) for curve in of.curves for point in curve.points)
    caption = (
        f"{metric.title} with fewer labels: mean over {of.draws} draws, {INTERVAL} over draws and test samples; "
        f"n = {' or '.join(tested)} {metric.samples}"
    )
    return Table(caption, header, rows, (True, True, *[True] * len(of.curves)))


def _saved_table(of: LabelEfficiency) -> Table:
    rows = [
        [saved.a, count(saved.labels), saved.b, _needed(saved),
         f"{count(saved.low)} to {count(saved.high)}" if saved.low is not None and saved.high is not None else NO_VALUE]
        for saved in of.saved
    ]  # fmt: skip
    caption = (
        "Labels that an arm from random weights needs to be as good, by interpolation over the logarithm of labels; "
        "the interval is over draws, on these test samples"
    )
    header = ("Arm", "Its labels", "Against", "Needs", INTERVAL)
    return Table(caption, header, rows, (False, True, False, True, True))


def _needed(saved: LabelsSaved) -> str:
    if saved.needed is not None:
        return count(saved.needed)
    return f"more than {count(saved.most)}" if saved.reached == "beyond" else f"{count(saved.fewest)} or fewer"
