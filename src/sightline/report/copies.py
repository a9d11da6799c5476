"""What a study's page says of copies in its test data: how many there are, and every score with and without them."""

from __future__ import annotations

from sightline.confidence import percent_of
from sightline.data.copies.fingerprint import SMALLEST
from sightline.report.document import Block, Section, Table, Text
from sightline.report.sentences import score_interval
from sightline.runs.copies import CopiesInTest
from sightline.runs.kinds import KINDS
from sightline.runs.numbers import count
from sightline.runs.results import Interval
from sightline.runs.study_result import ArmResult, StudyResult

HOW = (
    "Copies are found from the pixels, exact ones and near ones: encoded again, resized, lighter, mirrored, cropped to "
    f"{percent_of(SMALLEST)} or so. Collages, free turns and smaller crops are not found."
)


def copies_sections(result: StudyResult) -> list[Section]:
    """Return the section on copies; none of a result that was collected before they were looked for."""
    blocks: list[Block] = []
    for data, copies in result.copies.items():
        arms = [arm for arm in result.arms if KINDS[arm.task].data == data and arm.arm in copies.scores]
        blocks += [Text([_sentence(copies, KINDS_TITLE[data])]), *([_table(arms, copies)] if arms else [])]
    return [Section("copies", "Copies in the test data", [*blocks, Text([HOW])])] if blocks else []


KINDS_TITLE = {kind.data: kind.data_title for kind in KINDS.values()}


def _sentence(copies: CopiesInTest, title: str) -> str:
    among = [(len(copies.train), "among the images of training and validation")]
    if copies.unlabelled is not None:
        among.append((len(copies.unlabelled), "among the unlabelled images of pretraining"))
    if not copies.ids:
        return (
            f"{title}: none of the {count(copies.n)} test images has a copy {' or '.join(where for _, where in among)}."
        )
    parts = " and ".join(f"{count(number)} {where}" for number, where in among)
    return f"{title}: of the {count(copies.n)} test images these have a copy: {parts}."


def _table(arms: list[ArmResult], copies: CopiesInTest) -> Table:
    rows = []
    for arm in arms:
        clean, metric = copies.scores[arm.arm], arm.measure
        interval = Interval(value=clean.mean, low=clean.low, high=clean.high, n=clean.n)
        cells = [(arm.done.mean, score_interval(metric, arm.done)), (clean.mean, score_interval(metric, interval))]
        rows.append([arm.arm, *(f"{metric.score(mean)} ({text})" for mean, text in cells), count(clean.n)])
    header = ("Arm", "All test images", "Without the copies", "n without")
    return Table("Scores with and without the test images that have a copy", header, rows, (False, True, True, True))
