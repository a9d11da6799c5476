"""What a finished run says, typed: each class is one result.json, or a part of it, written from it and read into it.

Imports no torch, so that report, web and command line read what the tasks wrote, and the type checker sees both ends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sightline import notebook
from sightline.runs.classify_scores import ClassifyScores
from sightline.runs.interval import Interval
from sightline.runs.record import Number, Record

Row = dict[str, Any]  # of a table: column → value
SHOWN_MISTAKES = 5  # rows of a table in the terminal; --json has more


# -- parts
@dataclass(frozen=True, kw_only=True)
class Init(Record):
    """What a network started from.

    Attributes:
        source: none, a run, a file or a published name.
        matched: how many tensors of it fitted, in words.
    """

    source: str
    matched: str


@dataclass(frozen=True, kw_only=True)
class Tuning(Record):
    """Learning rates that were tried, and how good each was on validation.

    Attributes:
        scores: by learning rate, in the order they were tried; NaN where the loss did not stay finite.
        seconds: of all finished trials together; None in a run's own result, which holds no times.
    """

    scores: Mapping[float, Number]
    seconds: float | None = None

    @property
    def best(self) -> float:
        """The rate that is kept: the first of the best ones."""
        finite = {rate: score for rate, score in self.scores.items() if not math.isnan(score)}
        return max(finite, key=lambda rate: finite[rate])


@dataclass(frozen=True, kw_only=True)
class Network(Record):
    """Which network a run trained.

    Attributes:
        backbone: its name, or its encoder's.
        stem: of the backbone.
        input_size: side of the images that it was trained on, in pixels.
        parameters: numbers in all of it, head or decoder included.
    """

    backbone: str
    stem: str
    input_size: int
    parameters: int

    @property
    def text(self) -> str:
        """Backbone, stem and input in words, "resnet18, stem 3x3, 64 px"."""
        return f"{self.backbone}, stem {self.stem}, {self.input_size} px"


@dataclass(frozen=True, kw_only=True)
class ScoredResult(Record):
    """What every run tells that is judged on a test part, and that an arm of a study can be made of.

    Attributes:
        images_seen: with repetition, of all epochs.
        bad_images: unreadable ones, left out.
        split: samples of each part.
        network: that was trained; None of what trains none.
        notes: what failed and the run did without, each with the file that keeps the details; None where all went well.
    """

    images_seen: int
    bad_images: int
    split: Mapping[str, int]
    network: Network | None = None
    notes: tuple[str, ...] | None = None

    @property
    def class_count(self) -> int:
        """How many classes the data have."""
        raise NotImplementedError

    @property
    def by_epochs(self) -> bool:
        """Whether it was trained by epochs, of which validation chose one."""
        return True

    def details(self) -> Record:
        """Return what the arm of a study tells of its first run, beside its score."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Evaluation(Record):
    """What a trained network is worth on a data set.

    Attributes:
        metric: name of the field that is its score, of all images.
        seen: how many of them the run was trained on, or its best epoch chosen on, by their pixels; None for a run that
            kept no record of these.
        unseen: the score of the others; None where all or none were seen.
    """

    metric: ClassVar[str]
    seen: int | None = None
    unseen: Interval | None = None

    @property
    def interval(self) -> Interval:
        """The score: value, the 95 % interval low to high, and n samples."""
        return getattr(self, self.metric)

    @property
    def value(self) -> float:
        """The score itself, in 0–1."""
        return self.interval.value

    def _repr_html_(self) -> str:
        return "".join(notebook.table(rows, title) for title, rows in self.tables())

    @property
    def judged(self) -> Interval:
        """The score to believe: of the images that the run was not trained on, where these are known and some."""
        return self.unseen or self.interval

    def warning(self) -> str:
        """Return what a person should know before believing the score; "" where there is nothing."""
        if not self.seen:
            return ""
        return (
            f"the run was trained or chosen on {self.seen:,} of these {self.interval.n:,} images, which says "
            "nothing of new ones; " + ("believe the score of the others" if self.unseen else "give it other images")
        )

    def row(self) -> Row:
        """Return everything as one row, for a program."""
        raise NotImplementedError

    def by_sight(self, head: str, counted: str) -> list[Row]:
        """Return the score as a row of a table, and that of the images the run was not trained on as a second one.

        Args:
            head: of the column of the score.
            counted: head of the column of the number of images.
        """
        scores = [("", self.interval)]
        if self.seen:
            scores = [("all", self.interval), *([("not trained on", self.unseen)] if self.unseen else [])]
        return [
            {
                **({"images": name} if name else {}),
                head: of.value,
                "low": of.low,
                "high": of.high,
                counted: of.n,
            }
            for name, of in scores
        ]

    def tables(self) -> list[tuple[str, list[Row]]]:
        """Return the tables that a person reads, each with its title; the first holds the scores."""
        raise NotImplementedError


# -- pretraining
@dataclass(frozen=True, kw_only=True)
class HealthPlot(Record):
    """A logged quantity of pretraining, and how to read it.

    Attributes:
        name: its key in metrics.jsonl.
        title: above the plot.
        words: how to read it, in a phrase.
        y_label: at the side of the plot; its unit, where it has one.
        percent: whether the value is a share, shown in percent.
        from_zero: whether the plot begins at zero.
        reference: where a line is drawn to compare with; None draws none.
        reference_label: what that line is.
        reference_from: draw the line only where some value is above this one, for it would flatten the curve else.
        unlearnt_from: training that ends at this value, or above it, has learnt nothing; None where it does not tell.
    """

    name: str
    title: str
    words: str
    y_label: str = ""
    percent: bool = False
    from_zero: bool = False
    reference: float | None = None
    reference_label: str = ""
    reference_from: float | None = None
    unlearnt_from: float | None = None


# What every method is monitored by, behind what it shows of itself.
COMMON_HEALTH = (
    HealthPlot(name="health/rankme", title="RankMe", words="effective rank of the features", from_zero=True),
    HealthPlot(
        name="health/feature_std",
        title="Feature spread",
        words="1 is a random direction, 0 is collapse",
        from_zero=True,
    ),
    HealthPlot(name="knn/accuracy", title="k-NN accuracy", words="labels used for looking only", percent=True),
)


@dataclass(frozen=True, kw_only=True)
class MethodReport(Record):
    """What a pretraining method tells the report of itself; nobody else knows what the method is made of.

    It stands in run.json from the start, so that an unfinished run has a page, and in result.json at the end.

    Attributes:
        name: as the configuration has it, "dino".
        title: as the paper has it, "DINO".
        rows: label and text of the settings that only this method has.
        health: quantities by epoch, in the order they are shown.
        schedules: quantities by step that the recipe prescribed.
        fine: a sentence for a run without a warning, "No collapse … was found."
    """

    name: str
    title: str
    rows: tuple[tuple[str, str], ...] = ()
    health: tuple[HealthPlot, ...] = ()
    schedules: tuple[HealthPlot, ...] = ()
    fine: str = "No warning was given."


@dataclass(frozen=True, kw_only=True)
class PretrainResult(Record):
    """result.json of a pretrain run.

    Attributes:
        epochs: done.
        steps: done.
        images: readable ones.
        images_seen: with repetition, of all epochs.
        bad_images: unreadable ones, left out.
        health: last values by key of metrics.jsonl.
        warnings: every collapse or plateau, with its epoch.
        method: what the method tells of itself.
        notes: what failed and the run did without, each with the file that keeps the details; None where all went well.
    """

    epochs: int
    steps: int
    images: int
    images_seen: int
    bad_images: int
    health: Mapping[str, Number]
    warnings: tuple[str, ...]
    method: MethodReport
    notes: tuple[str, ...] | None = None

    @property
    def unlearnt(self) -> bool:
        """Whether training ended where the method says that nothing was learnt."""
        bounds = {plot.name: plot.unlearnt_from for plot in self.method.health if plot.unlearnt_from is not None}
        return any(self.health[name] >= bound for name, bound in bounds.items() if name in self.health)


# -- classification
@dataclass(frozen=True, kw_only=True)
class ClassAccuracy(Record):
    """Accuracy on the test images of one class."""

    accuracy: Number
    n: int


@dataclass(frozen=True, kw_only=True)
class ClassifyDetails(Record):
    """What an arm of classify runs tells beside its mean, from its first run.

    Attributes:
        init: what the backbone started from.
        penalty: of a head that L-BFGS fitted; None of training by epochs.
    """

    init: Init
    penalty: float | None = None


@dataclass(frozen=True, kw_only=True)
class ClassifyResult(ScoredResult):
    """result.json of a classify run.

    Attributes:
        val_accuracy: of the best epoch.
        best_epoch: counted from 1; None of a head that L-BFGS fitted.
        trained_on: images of the training part used.
        lr: learning rate, as given or as chosen; None likewise.
        tuning: the rates it was chosen from; None where it was given.
        penalty: that L-BFGS's head has, as chosen on validation; None of training by epochs.
        init: what the backbone started from.
        accuracy: on the test part; None for a trial that does not touch it.
        per_class: by class that the test part has.
        scores: what it confuses and how sure it is, on the test part; None where an older version wrote it too.
    """

    val_accuracy: Number
    best_epoch: int | None = None
    trained_on: int
    lr: float | None = None
    tuning: Tuning | None = None
    penalty: float | None = None
    init: Init
    accuracy: Interval | None = None
    per_class: Mapping[str, ClassAccuracy] | None = None
    scores: ClassifyScores | None = None

    @property
    def class_count(self) -> int:
        """How many classes the test part has."""
        return len(self.per_class or ())

    @property
    def by_epochs(self) -> bool:
        """Whether it was trained by epochs, and not fitted by L-BFGS."""
        return self.best_epoch is not None

    def details(self) -> ClassifyDetails:
        """Return what a study keeps of this run beside its score."""
        return ClassifyDetails(init=self.init, penalty=self.penalty)


@dataclass(frozen=True, kw_only=True)
class ClassifyEvaluation(Evaluation):
    """What a classifier is worth on labelled images.

    Attributes:
        accuracy: share of images that got their label, with Wilson's interval.
        scores: what it confuses and how sure it is, on all images.
        unseen_scores: the same of the images that the run was not trained on; None where all or none were seen.
    """

    metric: ClassVar[str] = "accuracy"
    accuracy: Interval
    scores: ClassifyScores
    unseen_scores: ClassifyScores | None = None

    def row(self) -> Row:
        """Return accuracy, interval and number of images, and the rest as JSON has it."""
        score = self.accuracy
        row: Row = {"accuracy": score.value, "low": score.low, "high": score.high, "n": score.n}
        rest = self.to_dict()
        return row | {key: rest[key] for key in ("seen", "unseen", "scores", "unseen_scores") if key in rest}

    def tables(self) -> list[tuple[str, list[Row]]]:
        """Return the scores, those without the images that the run was trained on, and what is confused among these."""
        by_sight = [self.scores, *([self.unseen_scores] if self.unseen_scores else [])]
        scores = [
            row | {"balanced": of.balanced_accuracy, "macro F1": of.macro_f1, "ECE": of.calibration.error}
            for row, of in zip(self.by_sight("accuracy", "n"), by_sight, strict=True)
        ]
        of = by_sight[-1]
        styles: list[Row] = [
            {"style": name, "accuracy": of_style.value, "low": of_style.low, "high": of_style.high, "n": of_style.n}
            for name, of_style in (of.by_style or {}).items()
        ]
        pairs: list[Row] = [
            {"label": pair.label, "taken for": pair.predicted, "images": pair.count, "of": pair.n}
            for pair in of.confused[:SHOWN_MISTAKES]
        ]
        mistakes: list[Row] = [
            {"image": mistake.id, "label": mistake.label, "taken for": mistake.predicted, "sure": mistake.probability}
            for mistake in of.mistakes[:SHOWN_MISTAKES]
        ]
        images = ", images not trained on" if self.unseen_scores else ""
        further = [
            (f"by style{images}", styles),
            (f"most confused{images}", pairs),
            (f"most confident mistakes{images}", mistakes),
        ]
        return [("evaluation", scores), *(table for table in further if table[1])]


# -- segmentation
@dataclass(frozen=True, kw_only=True)
class ClassIou(Record):
    """Overlap on one class that prediction or truth has.

    Attributes:
        iou: intersection over union.
        dice: twice the intersection over the sum.
        share: of the labelled pixels.
        boundary_iou: IoU near boundaries; None where it was not counted.
    """

    iou: Number
    dice: Number
    share: Number
    boundary_iou: float | None = None


@dataclass(frozen=True, kw_only=True)
class SegmentScores(Record):
    """What a segmenter is worth on images with masks.

    Attributes:
        mean_iou: of all images together, with its interval.
        boundary_iou: mean over classes.
        per_class: by class that occurs.
        absent: classes in neither prediction nor truth.
        pixel_accuracy: share of labelled pixels that are right.
        confusion: pixels, rows truth, columns prediction.
    """

    mean_iou: Interval
    boundary_iou: Number
    per_class: Mapping[str, ClassIou]
    absent: tuple[str, ...]
    pixel_accuracy: Number
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class SkipEffect(Record):
    """Mean IoU with one skip connection replaced at test time, and what changed by it, in all and by class."""

    mean_iou: Number
    change: Number
    per_class: Mapping[str, Number]


@dataclass(frozen=True, kw_only=True)
class Interventions(Record):
    """interventions.json: how much a network relies on each of its skip connections.

    Attributes:
        part: of the data that the images are from.
        data: their source; None for the run's own.
        n: images.
        mean_iou: of the network as it is.
        per_class: IoU of the network as it is.
        skips: by index, then by what replaced it: zero, mean or shuffle.
    """

    part: str
    data: str | None = None
    n: int
    mean_iou: Number
    per_class: Mapping[str, Number]
    skips: Mapping[str, Mapping[str, SkipEffect]]


@dataclass(frozen=True, kw_only=True)
class SegmentEvaluation(SegmentScores, Evaluation):
    """What a segmenter is worth on images with masks, and what its skips are where that was asked for.

    Attributes:
        unseen_scores: of the tiles that the run was not trained on; None where all or none were seen.
        interventions: with each skip replaced; None where they were not asked for.
    """

    metric: ClassVar[str] = "mean_iou"
    unseen_scores: SegmentScores | None = None
    interventions: Interventions | None = None

    def row(self) -> Row:
        """Return all of it, as JSON has it."""
        return self.to_dict()

    def tables(self) -> list[tuple[str, list[Row]]]:
        """Return the scores, those by class of the tiles not trained on, and what replaced skips change."""
        by_sight = [self, *([self.unseen_scores] if self.unseen_scores else [])]
        scores = [
            row | {"Boundary IoU": of.boundary_iou, "pixel accuracy": of.pixel_accuracy}
            for row, of in zip(self.by_sight("mean IoU", "tiles"), by_sight, strict=True)
        ]
        classes: list[Row] = [{"class": name, **values.to_dict()} for name, values in by_sight[-1].per_class.items()]
        title = "images not trained on" if self.unseen_scores else ""
        tables: list[tuple[str, list[Row]]] = [("evaluation", scores), (title, classes)]
        if self.interventions is not None:
            changes: list[Row] = [
                {"skip": skip, **{name: f"{effect.change:+.4f}" for name, effect in effects.items()}}
                for skip, effects in self.interventions.skips.items()
            ]
            tables.append(("change of mean IoU with a skip taken away, not retrained", changes))
        return tables


@dataclass(frozen=True, kw_only=True)
class SegmentDetails(Record):
    """What an arm of segment runs tells beside its mean, from its first run."""

    init: Init
    parameters: int
    pixel_accuracy: Number
    boundary_iou: Number


@dataclass(frozen=True, kw_only=True)
class SegmentResult(SegmentScores, ScoredResult):
    """result.json of a segment run; its scores are those on the test part, of a trial those on validation.

    Attributes:
        classes: names in the order of the indices.
        val_mean_iou: of the best epoch.
        best_epoch: counted from 1.
        lr: learning rate, as given or as chosen; None where an older version wrote it.
        tuning: the rates it was chosen from; None where it was given.
        trained_on: tiles of the training part.
        parameters: numbers in the network.
        init: what the encoder started from.
        interventions: file name; None where none were asked for or none can be.
        progress: pictures of the images watched, relative to the run.
    """

    classes: tuple[str, ...]
    val_mean_iou: Number
    best_epoch: int
    lr: float | None = None
    tuning: Tuning | None = None
    trained_on: int
    parameters: int
    init: Init
    interventions: str | None
    progress: tuple[str, ...]

    @property
    def class_count(self) -> int:
        """How many classes the palette has."""
        return len(self.classes)

    def details(self) -> SegmentDetails:
        """Return what a study keeps of this run beside its score."""
        return SegmentDetails(
            init=self.init,
            parameters=self.parameters,
            pixel_accuracy=self.pixel_accuracy,
            boundary_iou=self.boundary_iou,
        )


# -- promptable engines
@dataclass(frozen=True, kw_only=True)
class EngineName(Record):
    """Which engine answered, how it works in a few words, and with which weights; None for an engine without any."""

    name: str
    description: str
    model: str | None


@dataclass(frozen=True, kw_only=True)
class Oracle(Record):
    """What the engine's regions hold.

    Attributes:
        covered: share of labelled pixels in some region; None where nothing is labelled.
        masks_per_image: mean.
    """

    covered: float | None
    masks_per_image: Number


@dataclass(frozen=True, kw_only=True)
class Clicks(Record):
    """Simulated clicks on every region large enough.

    Attributes:
        regions: how many.
        iou: mean IoU after each click; empty without a region.
        low: of 95 % intervals over images.
        high: of these.
        median_seconds: of an answer; None without a region.
    """

    regions: int
    iou: tuple[Number, ...] = ()
    low: tuple[Number, ...] = ()
    high: tuple[Number, ...] = ()
    median_seconds: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as JSON; where there was no region, only their count."""
        return super().to_dict() if self.regions else {"regions": 0}


@dataclass(frozen=True, kw_only=True)
class SuperpixelVote(Record):
    """A network's masks voted into the engine's regions: mean IoU before and after, and the difference."""

    before: Number
    after: Number
    difference: Number
    low: Number
    high: Number
    p: Number


@dataclass(frozen=True, kw_only=True)
class PromptDetails(Record):
    """How a promptable engine was asked and what its regions and clicks gave.

    Attributes:
        engine: which one.
        method: of everything mode, in words.
        oracle: what its regions hold.
        clicks: simulated clicks.
        snap: a network's masks in its regions; None where none were asked for.
        settings: of everything mode, and the least share of a tile that a clicked region has.
    """

    engine: EngineName
    method: str
    oracle: Oracle
    clicks: Clicks
    snap: SuperpixelVote | None
    settings: Mapping[str, int | float]


@dataclass(frozen=True, kw_only=True)
class PromptResult(PromptDetails, ScoredResult):
    """result.json of a prompt run.

    Attributes:
        mean_iou: of the regions, each named by an oracle.
        classes: names in the order of the indices.
        per_class: by class that occurs.
        absent: classes in neither prediction nor truth.
        pixel_accuracy: share of labelled pixels that are right.
        confusion: pixels, rows truth, columns prediction, the last column pixels in no region.
        pictures: file name, relative to the run → the tile's id.
    """

    mean_iou: Interval
    classes: tuple[str, ...]
    per_class: Mapping[str, ClassIou]
    absent: tuple[str, ...]
    pixel_accuracy: Number
    confusion: tuple[tuple[int, ...], ...]
    pictures: Mapping[str, str]

    @property
    def class_count(self) -> int:
        """How many classes the palette has."""
        return len(self.classes)

    def details(self) -> PromptDetails:
        """Return what a study keeps of this run beside its score."""
        return PromptDetails(
            engine=self.engine, method=self.method, oracle=self.oracle, clicks=self.clicks, snap=self.snap,
            settings=self.settings,
        )  # fmt: skip
