"""Promptable engines on the page: how they were asked, what their regions and clicks give, and the masks themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sightline.confidence import INTERVAL
from sightline.report import segmentation
from sightline.report.document import Answer, Block, Section, Sheet, Table, Text
from sightline.report.face import Rows, StudyView
from sightline.report.faces.segment import HEADING, MEAN_IOU
from sightline.report.sentences import UNKNOWN, describe, interval_text, score_interval, scored
from sightline.runs import RunFolder
from sightline.runs.numbers import NO_VALUE, count, percent
from sightline.runs.results import PromptDetails, PromptResult
from sightline.runs.study_result import ArmResult


class PromptFace:
    """The face of prompt runs."""

    # It is run as an arm of a study; the command `prompt` draws masks and judges none.
    verb = "study"
    heading = replace(HEADING, curves="", settings="")

    def rows(self, run: RunFolder) -> Rows:
        """Return nothing: the list of every setting is enough."""
        return []

    def answers(self, run: RunFolder) -> list[Answer]:
        """Return mean IoU of the regions, named by an oracle."""
        result = run.result_as(PromptResult)
        iou = result.mean_iou
        sentences = [
            f"{score_interval(MEAN_IOU, iou)}, n = {count(iou.n)} test tiles. "
            f"Pixel accuracy {percent(result.pixel_accuracy)}.",
            "An upper bound: each mask was named by an oracle after its true majority class.",
        ]
        return [Answer("Test mean IoU", MEAN_IOU.score(iou.value), sentences)]

    def sections(self, run: RunFolder) -> Sequence[Section]:
        """Return IoU by class, how the engine was asked, and masks."""
        blocks: list[Block] = [Text(["Nothing was judged yet."])]
        if run.is_done:
            result = run.result_as(PromptResult)
            judged = [segmentation.class_table(result.per_class)] if result.per_class else []
            blocks = [*judged, *_engine_blocks(result), *_pictures(run)]
        return [Section("results", "Results", blocks)]

    def study_sections(self, view: StudyView) -> Sequence[Section]:
        """Return how the first engine was asked, and its masks."""
        arm = next((arm for arm in view.arms("prompt") if arm.details is not None), None)
        if arm is None:
            return []
        blocks = _engine_blocks(_details(arm))
        if view.config.show_samples and (runs := view.first_runs([arm])):
            blocks += _pictures(runs[arm.arm])
        return [Section("prompting", "Masks without training", blocks)]


def answer_for_free(question: str, arm: ArmResult) -> Answer:
    """Return what a promptable engine gives without having been trained on the data."""
    if arm.details is None:
        return Answer(question, UNKNOWN, [f"{describe(arm)}: {scored(arm)}."])
    details = _details(arm)
    clicks, engine, metric = details.clicks, details.engine.name, arm.measure
    sentences = [
        f"Masks of everything by {engine}, each named by an oracle after its true majority class: {scored(arm)}. "
        "That is the most that naming its masks could give, and no result of a model that names them."
    ]
    if clicks.regions:
        sentences.append(
            f"One simulated click on each of {count(clicks.regions)} regions gives a mean IoU of "
            f"{clicks.iou[0]:.3f} ({INTERVAL} {clicks.low[0]:.3f} to {clicks.high[0]:.3f}), "
            f"{len(clicks.iou)} clicks {clicks.iou[-1]:.3f} ({clicks.low[-1]:.3f} to {clicks.high[-1]:.3f})."
        )
    if (vote := details.snap) is not None:
        sentences.append(
            f"A network’s masks voted into its regions: {metric.score(vote.before)} before, "
            f"{metric.score(vote.after)} after, a difference of {metric.difference(vote.difference)} "
            f"({interval_text(metric, vote.low, vote.high)})."
        )
    return Answer(question, f"{engine}: at most {metric.score(arm.value)} {metric.text}.", sentences)


def _details(arm: ArmResult) -> PromptDetails:
    assert isinstance(arm.details, PromptDetails), "the kind of its runs says so"
    return arm.details


def _engine_blocks(details: PromptDetails) -> list[Block]:
    """Return how the engine was asked: engine, prompts, thresholds, and what it found."""
    clicks, engine, settings = details.clicks, details.engine, details.settings
    covered = details.oracle.covered
    rows = [
        ("Engine", f"{engine.name} ({engine.description}), {engine.model or 'no weights'}"),
        ("Everything mode", details.method),
        ("Settings", ", ".join(f"{name} {value:g}" for name, value in settings.items())),
        ("Masks an image", f"{details.oracle.masks_per_image:.1f}"),
        ("Labelled pixels in some mask", percent(covered) if covered is not None else NO_VALUE),
    ]
    blocks: list[Block] = [Table("How it was asked", ("What", "Value"), rows, (False, False))]
    if clicks.regions:
        header = ("Clicks", "Mean IoU of the region", INTERVAL)
        lines = zip(clicks.iou, clicks.low, clicks.high, strict=True)
        cells = [[str(k), f"{iou:.3f}", f"{low:.3f} to {high:.3f}"] for k, (iou, low, high) in enumerate(lines, 1)]
        caption = (
            f"{count(clicks.regions)} regions of at least {100 * settings['min_share']:g} % of a tile, each clicked "
            "deepest inside, then deepest inside the largest error, inside or outside"
        )
        blocks.append(Table(caption, header, cells, (False, True, True)))
    return blocks


def _pictures(run: RunFolder) -> list[Block]:
    """Return the tiles that a judged engine kept: image, truth, its regions named by an oracle, and snapped masks."""
    shown: list[Block] = []
    for number, (path, name) in enumerate(run.result_as(PromptResult).pictures.items()):
        alt = f"{name}: image, truth, the engine’s regions named by an oracle, a network’s mask and the same snapped"
        caption = f"{name}. A region that no mask holds is black."
        shown.append(Sheet(f"prompt-{number}", alt, caption, (run.path / path).read_bytes()))
    return shown


FACE = PromptFace()
