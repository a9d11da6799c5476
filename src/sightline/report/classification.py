"""What a report shows of a classifier beside its accuracy: what it confuses, and whether to believe its confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

import numpy as np

from sightline.figures import Panel, confusion_panel, reliability_panel
from sightline.metrics.classification import Reliability, most_confused, pooled
from sightline.report.document import Block, Listing, Picture, Table, Text
from sightline.runs.classify_scores import ClassifyScores, ConfusedPair
from sightline.runs.metrics import METRICS
from sightline.runs.numbers import NO_VALUE, count, percent
from sightline.runs.results import Interval

SHOWN_PAIRS, SHOWN_MISTAKES = 3, 5  # of an arm: what is read, not what is searched
Seeds = Sequence[ClassifyScores]
ACCURACY = METRICS["accuracy"]


def looks(by_arm: Mapping[str, Seeds], together: str = "") -> list[Block]:
    """Return numbers, matrices, reliability diagrams, styles and mistakes of classifiers.

    Args:
        by_arm: what the runs of each arm tell, at least one a seed; the arm "" is a single run.
        together: what is said of several seeds, behind a caption.
    """
    blocks: list[Block] = [_numbers(by_arm)]
    if matrices := [panel for arm, seeds in by_arm.items() if (panel := _matrix(arm, seeds)) is not None]:
        caption = (
            "Confusion matrix: of the images of each true class (row), the share that was given each label (column); "
            f"what is right stands on the diagonal.{together}"
        )
        blocks.append(Picture("confusion", caption, matrices))
    blocks.append(Listing([_pairs(arm, seeds) for arm, seeds in by_arm.items()]))
    caption = (
        "Reliability: answers in groups of like confidence, how sure they were and how often right. On the dashed line "
        "both agree; below it the network is surer than it should be. A larger dot is of more images."
        f"{together}"
    )
    diagrams = [_diagram(arm, seeds) for arm, seeds in by_arm.items()]
    blocks.append(Picture("reliability", caption, diagrams, columns=3))
    blocks += _styles(by_arm)
    return [*blocks, *_mistakes(by_arm)]


def _numbers(by_arm: Mapping[str, Seeds]) -> Table:
    bins = {len(of.calibration.bins) for seeds in by_arm.values() for of in seeds}
    caption = (
        "Beside accuracy. Balanced accuracy: the mean over classes of the share that is right, so that a rare class "
        "counts as much as a frequent one. Macro F1: the mean over classes of the harmonic mean of precision and "
        "recall. Confidence: the mean probability of the label that was given. ECE, the expected calibration error: "
        f"how far confidence and accuracy are apart, on average over {' or '.join(map(str, sorted(bins)))} bins of "
        "confidence; the lower, the better."
    )
    header = ("Arm", "Balanced accuracy", "Macro F1", "Confidence", "ECE")
    rows = [
        [arm or NO_VALUE, percent(mean(of.balanced_accuracy for of in seeds)),
         f"{mean(of.macro_f1 for of in seeds):.3f}", percent(mean(of.calibration.confidence for of in seeds)),
         percent(mean(of.calibration.error for of in seeds))]
        for arm, seeds in by_arm.items()
    ]  # fmt: skip
    return Table(caption, header, rows, (False, True, True, True, True))


def _matrix(arm: str, seeds: Seeds) -> Panel | None:
    confusion = _confusion(seeds)
    if confusion is None:
        return None
    return confusion_panel(confusion, seeds[0].classes, _name("confusion", arm), arm or "Confusion")


def _confusion(seeds: Seeds) -> np.ndarray | None:
    """Return the matrices of all seeds together; None where any is not kept."""
    kept = [np.array(of.confusion) for of in seeds if of.confusion is not None]
    return np.sum(kept, axis=0) if len(kept) == len(seeds) else None


def _diagram(arm: str, seeds: Seeds) -> Panel:
    return reliability_panel(_reliability(seeds), _name("reliability", arm), arm or "Reliability")


def _reliability(seeds: Seeds) -> Reliability:
    columns = [
        [np.array([getattr(of_bin, key) for of_bin in of.calibration.bins]) for key in ("n", "confidence", "accuracy")]
        for of in seeds
    ]
    return pooled([Reliability(*arrays) for arrays in columns])


def _pairs(arm: str, seeds: Seeds) -> str:
    """Return "C confuses most often: dog taken for cat, 12 of 60 (20.0 %); …"."""
    confusion, classes = _confusion(seeds), seeds[0].classes
    if confusion is None:
        pairs, scope = list(seeds[0].confused[:SHOWN_PAIRS]), " (first seed)" if len(seeds) > 1 else ""
    else:
        cells = most_confused(confusion, SHOWN_PAIRS)
        pairs, scope = [_pair(confusion, classes, *cell) for cell in cells], ""
    who = arm or "The run"
    if not pairs:
        return f"{who} confuses no two classes."
    texts = [
        f"{of.label} taken for {of.predicted}, {count(of.count)} of {count(of.n)} ({percent(of.count / of.n)})"
        for of in pairs
    ]
    return f"{who} confuses most often{scope}: {'; '.join(texts)}."


def _pair(confusion: np.ndarray, classes: Sequence[str], truth: int, taken: int) -> ConfusedPair:
    return ConfusedPair(
        label=classes[truth], predicted=classes[taken], count=int(confusion[truth, taken]),
        n=int(confusion[truth].sum()),
    )  # fmt: skip


def _styles(by_arm: Mapping[str, Seeds]) -> list[Block]:
    styled = {arm: [of.by_style for of in seeds if of.by_style] for arm, seeds in by_arm.items()}
    styled = {arm: of for arm, of in styled.items() if of}
    names = sorted({name for of in styled.values() for styles in of for name in styles})
    if not names:
        return []
    caption = "Accuracy by style, mean over seeds: whether what was learnt of one kind of picture holds for another."
    n = {name: next(styles[name].n for of in styled.values() for styles in of if name in styles) for name in names}
    rows = [[name, count(n[name]), *(_style([of[name] for of in each if name in of]) for each in styled.values())]
            for name in names]  # fmt: skip
    header = ("Style", "n", *(arm or "Accuracy" for arm in styled))
    return [Table(caption, header, rows, (False, *[True] * (len(header) - 1)))]


def _style(seeds: Sequence[Interval]) -> str:
    if len(seeds) == 1:
        return f"{ACCURACY.score(seeds[0].value)} ({ACCURACY.interval(seeds[0].low, seeds[0].high)})"
    return ACCURACY.score(mean(of.value for of in seeds)) if seeds else NO_VALUE


def _mistakes(by_arm: Mapping[str, Seeds]) -> list[Block]:
    rows = [
        [arm or NO_VALUE, of.id, of.label, of.predicted, percent(of.probability)]
        for arm, seeds in by_arm.items()
        for of in seeds[0].mistakes[:SHOWN_MISTAKES]
    ]
    if not rows:
        return [Text(["No test image got a wrong label."])]
    caption = "Most confident mistakes of the first seed: look at these first, for the label may be what is wrong"
    header = ("Arm", "Image", "Label", "Predicted", "Probability")
    return [Table(caption, header, rows, (False, False, False, False, True), folded=True)]


def _name(head: str, arm: str) -> str:
    return f"{head}-{arm}" if arm else head
