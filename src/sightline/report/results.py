"""The results of arms of one metric: bars, tables, differences; the same for accuracy and for mean IoU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import stdev
from typing import Any

from sightline.figures import arm_panel, difference_panel
from sightline.report.document import Block, Picture, Table, Warnings
from sightline.report.sentences import (
    NBSP,
    NO_VALUE,
    count,
    difference,
    duration,
    interval,
    p_value,
    pair,
    score,
)

Entry = Mapping[str, Any]
WORDS = {
    "accuracy": ("Accuracy", "test images", "percentage points"),
    "mean_iou": ("Mean IoU", "test tiles", "mean IoU"),
}


def blocks(arms: Sequence[Entry], comparisons: Sequence[Entry]) -> list[Block]:
    """Return bars and a table of the arms, why some have no result, and their differences.

    Args:
        arms: entries of result.json, all of one metric; at least one.
        comparisons: between these arms.
    """
    metric = arms[0].get("metric", "accuracy")
    prefix = "" if metric == "accuracy" else "segmentation-"
    caption = "Bar: mean over seeds. Line: its 95 % interval. Dots: single seeds."
    found: list[Block] = [Picture(f"{prefix}arms", caption, [arm_panel(arms)]), _arm_table(arms, metric)]
    if reasons := [f"{a['arm']}: {a['status']}, {a.get('reason') or 'no reason given'}." for a in arms if absent(a)]:
        found.append(Warnings("Arms without a result", reasons))
    if comparisons:
        caption = "Difference and its 95 % interval; a filled dot is decided, an open one undecided."
        found.append(Picture(f"{prefix}differences", caption, [difference_panel(comparisons, metric)]))
        found.append(_comparison_table(comparisons, metric))
    if per_class := _class_table(arms, metric):
        found.append(per_class)
    return found


def absent(arm: Entry) -> bool:
    """Return whether an arm has no result."""
    return arm["status"] != "done"


def between(result: Entry, arms: Sequence[Entry]) -> list[Entry]:
    """Return the comparisons of a result that are between these arms."""
    names = {arm["arm"] for arm in arms}
    return [entry for entry in result["comparisons"] if {entry["a"], entry["b"]} <= names]


def _arm_table(arms: Sequence[Entry], metric: str) -> Table:
    word, samples, unit = WORDS[metric]
    header = ("Arm", "Setting", "Mean", "95 % interval", "Seeds", "Spread", "n", "Time", "Images seen")
    rows = []
    for arm in arms:
        if absent(arm):
            rows.append([arm["arm"], arm.get("name", ""), arm["status"], *[NO_VALUE] * 6])
            continue
        seeds = arm["seeds"]
        rows.append([
            arm["arm"], arm.get("name", ""), score(arm["mean"], metric),
            interval(arm["low"], arm["high"], metric), str(len(seeds)),
            f"± {difference(stdev(seeds), metric).lstrip('+')}" if len(seeds) > 1 else NO_VALUE,
            count(arm["n"]), duration(arm["seconds"]), count(arm["images_seen"]),
        ])  # fmt: skip
    scenes = next((arm["scenes"] for arm in arms if "scenes" in arm), None)
    over = f" Intervals are over {count(scenes)} whole scenes." if scenes else ""
    caption = (
        f"{word} on the test split. Spread: standard deviation over seeds, in {unit}; n: {samples}; "
        f"time and images seen: all seeds together, without pretraining.{over}"
    )
    return Table(caption, header, rows, (False, False, *[True] * 7))


def _comparison_table(comparisons: Sequence[Entry], metric: str) -> Table:
    _, samples, unit = WORDS[metric]
    rows = [
        [pair(c["a"], c["b"]), difference(c["difference"], metric),
         f"{difference(c['low'], metric)} to {difference(c['high'], metric)}",
         p_value(c["p"]).removeprefix("p").lstrip(f"{NBSP}="), c["verdict"]]
        for c in comparisons
    ]  # fmt: skip
    header = ("Arms", "Difference", "95 % interval", "p (Holm)", "Verdict")
    caption = f"Pairs of arms on the same {samples}, in {unit}; p is corrected over all comparisons of the study."
    return Table(caption, header, rows, (False, True, True, True, False))


def _class_table(arms: Sequence[Entry], metric: str) -> Table | None:
    done = [arm for arm in arms if arm.get("per_class")]
    if not done:
        return None
    word = "Accuracy" if metric == "accuracy" else "IoU"
    classes = list(dict.fromkeys(name for arm in done for name in arm["per_class"]))
    classes = sorted(classes) if metric == "accuracy" else classes
    rows = [[name, *(score(a["per_class"][name], metric) if name in a["per_class"] else NO_VALUE for a in done)]
            for name in classes]  # fmt: skip
    header = ("Class", *(arm["arm"] for arm in done))
    caption = f"{word} by class, mean over seeds"
    return Table(caption, header, rows, (False, *[True] * len(done)), folded=metric == "accuracy")
