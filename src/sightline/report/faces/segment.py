"""Segmentation on the page: settings, overlap by class, what networks draw over time, what their skips are worth."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.config import SegmentConfig
from sightline.report import pictures, segmentation
from sightline.report.document import Answer, Block, Section, Text
from sightline.report.face import Heading, Rows, StudyView
from sightline.report.faces.classify import HIDDEN, network_text, rate_text
from sightline.report.sentences import score_interval
from sightline.runs import RunFolder
from sightline.runs.metrics import METRICS
from sightline.runs.numbers import count, percent, plain
from sightline.runs.results import SegmentResult

MEAN_IOU = METRICS["mean_iou"]
HEADING = Heading(
    anchor="segmentation",
    title="Segmentation",
    prefix="segmentation-",
    curves="segmentation-curves",
    settings="Segmentation, every arm",
)


class SegmentFace:
    """The face of segment runs."""

    verb = "segment"
    heading = HEADING

    def rows(self, run: RunFolder) -> Rows:
        """Return the settings that all arms of a study share."""
        config = SegmentConfig.build(run.config(), where=str(run.path))
        turned = " and turns" if config.augment.rot90 else ""
        optim = config.optim
        average = f", weights averaged with momentum {plain(config.ema)}" if config.ema else ""
        return [
            ("Encoder", network_text(run, config)),
            ("Crops", f"{config.crop} px, scale {plain(config.augment.scale)}, flips{turned}, colour jitter"),
            ("Loss", f"{config.loss}, class weights {config.class_weights}"),
            ("Optimiser", f"{optim.name}, learning rate {rate_text(optim.lr, config.tune)}, weight decay "
                          f"{plain(optim.weight_decay)}, schedule {optim.schedule}{average}"),
            ("Epochs, batch", f"{config.epochs} epochs of batches of {config.batch_size}; the epoch best on "
                              "validation by mean IoU is judged"),
        ]  # fmt: skip

    def answers(self, run: RunFolder) -> list[Answer]:
        """Return mean IoU on the test part."""
        result = run.result_as(SegmentResult)
        iou = result.mean_iou
        sentences = [
            f"{score_interval(MEAN_IOU, iou)}, n = {count(iou.n)} test tiles. "
            f"Pixel accuracy {percent(result.pixel_accuracy)}.",
            f"Weights of epoch {result.best_epoch} (best on validation, {MEAN_IOU.score(result.val_mean_iou)}).",
        ]
        return [Answer("Test mean IoU", MEAN_IOU.score(iou.value), sentences)]

    def sections(self, run: RunFolder) -> Sequence[Section]:
        """Return IoU by class, learning curves, and what the network draws."""
        result = run.result_as(SegmentResult) if run.is_done else None
        judged = [segmentation.class_table(result.per_class)] if result is not None and result.per_class else []
        runs = {run.path.resolve().name: run}
        drawn = [*segmentation.strips(runs), *segmentation.interventions(runs), *segmentation.diagrams(runs)]
        return [
            *([Section("results", "Results", judged)] if judged else []),
            pictures.curves_section(run),
            Section("masks", "What the network draws", drawn or [Text(["Nothing was drawn yet."])]),
        ]

    def study_sections(self, view: StudyView) -> Sequence[Section]:
        """Return what the networks draw, what their skips are worth, and how they are built."""
        arms = view.arms("segment")
        if not arms:
            return []
        first = view.first_runs(arms)
        strips: list[Block] = segmentation.strips(first) if view.config.show_samples else [Text([HIDDEN])]
        sections = [
            Section("masks", "What the networks draw, over training", strips),
            Section("skips", "Skips replaced at test time", segmentation.interventions(first)),
            Section("networks", "The networks", segmentation.diagrams(first)),
        ]
        return [section for section in sections if section.blocks]


FACE = SegmentFace()
