"""result.json of a study, typed: its arms, what they say of each other, and what they were made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from sightline.errors import RunError
from sightline.runs.copies import CopiesInTest
from sightline.runs.info import Memory, Precision, Provenance
from sightline.runs.kinds import kind_named
from sightline.runs.metrics import Metric, metric_named
from sightline.runs.record import Number, Record
from sightline.runs.results import Interval, Network, PretrainResult, Tuning

DONE: Literal["done"] = "done"
DECIDED, UNDECIDED = ("higher", "lower"), "undecided"
TRIAL = "a trial"  # the verdict of a study that took a share of its images and epochs
Pair = tuple[str, str]


# -- arms
@dataclass(frozen=True, kw_only=True)
class Summary(Record):
    """What the runs of an arm say together by one metric.

    Attributes:
        scenes: where the interval is over whole scenes, how many there are.
        mean: over seeds.
        low: lower end of the 95 % interval.
        high: its upper end.
        n: samples.
        seeds: the value of each seed.
        per_class: mean over seeds of each class.
        chance: what the best of all constant answers scores on the same samples; None where that is not known.
    """

    scenes: int | None = None
    chance: float | None = None
    mean: float
    low: float
    high: float
    n: int
    seeds: tuple[float, ...]
    per_class: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Budget(Record):
    """The epochs of a run that is trained for the time of others, by measured seconds.

    Attributes:
        base: the run by whose epochs the length of one is known.
        runs: whose time it is given.
        seconds: of these together.
        epoch_seconds: of an epoch of the base.
        epochs: that fit.
        times: as many as the base has, times this.
        capped: whether more would have fitted than are allowed.
    """

    base: str
    runs: tuple[str, ...]
    seconds: float
    epoch_seconds: float
    epochs: int
    times: float
    capped: bool


@dataclass(frozen=True, kw_only=True)
class ArmScore(Summary):
    """What the runs of an arm say together, and what they cost.

    Attributes:
        seconds: of all seeds together, without pretraining and without trials of learning rates.
        images_seen: likewise.
        lr: learning rate of all seeds; None where there is none.
        tuning: the rates that the first seed tried, on validation; None where none were.
        budgets: of an arm that is trained for the time of others, one a seed; None of any other.
        network: that it trained; None of what trains none.
        precision: that its runs computed in; several where they differ.
        memory: the most that a run of it took, in bytes; None where no run tells.
        flags: names of `FLAGS` that it bears: reasons why no verdict rests on it; None of a result that was not looked
            through for any.
    """

    seconds: float
    images_seen: int
    lr: float | None = None
    tuning: Tuning | None = None
    budgets: tuple[Budget, ...] | None = None
    network: Network | None = None
    precision: str | None = None
    memory: Memory | None = None
    flags: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class ArmParts(Record):
    """What an arm is made of; nobody but `study.arms` reads it from the arm's name.

    Attributes:
        model: of the network; "" for the study's backbone with a linear head.
        weights: what the backbone starts from: random, own or reference.
        trained: what is trained: all, head, or "" where nothing is.
        drop: the skip that it goes without; "" for none.
        structural: whether its decoder is built without that skip, to the same size.
        base: the arm it differs from in one thing; "" for none.
        runs: run folder below runs/, by seed.
        pretrained: of own weights, the run that each seed begins with; None of others.
    """

    model: str
    weights: str
    trained: str
    drop: str
    structural: bool
    base: str
    runs: Mapping[int, str]
    pretrained: Mapping[int, str] | None = None


@dataclass(frozen=True, kw_only=True)
class ArmResult:
    """One arm of a study.

    Attributes:
        arm: its name.
        name: what it is, for a reader.
        task: the kind of its runs.
        metric: what its value is.
        parts: what it is made of.
        status: done, failed or not run.
        reason: why it is not done, else "".
        score: what its runs say; None until they are done.
        details: what its kind tells beside that, from its first run.
    """

    arm: str
    name: str
    task: str
    metric: str
    parts: ArmParts
    status: Literal["done", "failed", "not run"]
    reason: str
    score: ArmScore | None = None
    details: Record | None = None

    @property
    def measure(self) -> Metric:
        """What is known of its metric."""
        return metric_named(self.metric)

    @property
    def value(self) -> float:
        """Its mean over seeds.

        Raises:
            RunError: it is not done.
        """
        return self.done.mean

    @property
    def done(self) -> ArmScore:
        """The score of a finished arm.

        Raises:
            RunError: it is not done.
        """
        if self.score is None:
            raise RunError(f"arm {self.arm}: has no result, it is {self.status}: {self.reason or 'no reason given'}")
        return self.score

    @property
    def flags(self) -> tuple[str, ...]:
        """The names of the flags that it bears; () of an arm that is not done."""
        return (self.score.flags or ()) if self.score is not None else ()

    @property
    def accuracy(self) -> float:
        """Mean test accuracy over seeds, 0–1.

        Raises:
            RunError: it is not done, or measured in something else.
        """
        return self._value_as("accuracy")

    @property
    def mean_iou(self) -> float:
        """Mean IoU over seeds, 0–1.

        Raises:
            RunError: it is not done, or measured in something else.
        """
        return self._value_as("mean_iou")

    def _value_as(self, metric: str) -> float:
        if self.metric != metric:
            raise RunError(
                f"arm {self.arm}: is measured in {self.measure.text}, not in {metric_named(metric).text}; "
                f"ask for .value (its .metric is {self.metric!r})"
            )
        return self.value

    def to_dict(self) -> dict[str, Any]:
        """Return one flat entry, as result.json has it."""
        head = {"arm": self.arm, "name": self.name, "task": self.task, "metric": self.metric}
        entry = head | self.parts.to_dict() | {"status": self.status, "reason": self.reason}
        for part in (self.score, self.details):
            entry |= part.to_dict() if part is not None else {}
        return entry

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any], where: str = "result.json") -> Self:
        """Read one entry; its details by the class of its kind.

        Raises:
            RunError: a key is missing or holds something else.
        """
        head = _ArmHead.from_dict(entry, where)
        details, done = kind_named(head.task).details, head.status == DONE
        return cls(
            arm=head.arm, name=head.name, task=head.task, metric=head.metric, status=head.status, reason=head.reason,
            parts=ArmParts.from_dict(entry, where),
            score=ArmScore.from_dict(entry, where) if done else None,
            details=details.from_dict(entry, where) if done and details is not None else None,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _ArmHead(Record):
    arm: str
    name: str
    task: str
    metric: str
    status: Literal["done", "failed", "not run"]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Comparison(Record):
    """Two arms on the same samples: the difference a − b.

    Attributes:
        a: the first arm.
        b: the second arm.
        difference: of their means.
        low: lower end of its 95 % interval.
        high: its upper end.
        p_raw: two-sided.
        p: corrected by Holm over the comparisons of the study.
        verdict: higher, lower or undecided; of fewer than three seeds "one run each" or "two runs each"; "a trial" of
            a study on a share of its images and epochs. Where an arm is flagged, higher and lower become undecided.
        flags: why no verdict rests on it: the flags of both arms, by the arm that bears any; None where neither does.
        networks: backbone, stem and input of each arm where these differ, by arm; None where they are the same.
        detectable: smallest true difference that four studies of five would tell from none, corrected for all; None
            where it is not known.
    """

    a: str
    b: str
    difference: float
    low: float
    high: float
    p_raw: float
    p: float
    verdict: str
    flags: Mapping[str, tuple[str, ...]] | None = None
    networks: Mapping[str, Network] | None = None
    detectable: float | None = None

    @property
    def pair(self) -> Pair:
        """The names of both arms."""
        return self.a, self.b

    @property
    def decided(self) -> bool:
        """Whether it says which arm is higher."""
        return self.verdict in DECIDED

    @property
    def judged(self) -> bool:
        """Whether there were seeds enough to say anything."""
        return self.decided or self.verdict == UNDECIDED


@dataclass(frozen=True, kw_only=True)
class Question(Record):
    """A question that the study's arms answer.

    Attributes:
        heading: the question.
        form: how it is answered, a name of `report.answers.FORMS`.
        pairs: the comparisons that answer it.
        arms: the arms it is about, where pairs do not say so.
        words: short answers by what is found: better, worse, undecided, mixed.
    """

    heading: str
    form: str
    pairs: tuple[Pair, ...] = ()
    arms: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)


# -- labels
@dataclass(frozen=True, kw_only=True)
class LabelPoint(Record):
    """An arm trained on a fraction of the labels.

    Attributes:
        fraction: of the training labels.
        labels: how many these are.
        mean: over draws.
        low: lower end of the 95 % interval over draws and test samples.
        high: its upper end.
        n: test samples.
        seeds: the value of each draw.
    """

    fraction: float
    labels: int
    mean: float
    low: float
    high: float
    n: int
    seeds: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class LabelCurve(Record):
    """An arm over the number of labels.

    Attributes:
        arm: its name.
        name: what it is, for a reader.
        metric: what its values are.
        points: by number of labels; those whose runs are not all done are left out.
        missing: runs that are not done, and why.
    """

    arm: str
    name: str
    metric: str
    points: tuple[LabelPoint, ...]
    missing: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class LabelsSaved(Record):
    """How many labels arm b needs to be where arm a is.

    Attributes:
        a: the arm with fewer labels.
        b: the arm that is to equal it.
        fraction: of the labels that `a` has.
        labels: how many these are.
        reached: within the points of b's curve, below its first (b needs fewer than it has been given), or beyond its
            last (all labels are not enough).
        needed: labels of b, where within: of the mean curve, or where there is an interval the geometric mean of draws.
        low: lower end of the 95 % interval over draws; None where a draw is not within, or there are fewer than three.
        high: its upper end.
        fewest: labels at the first point of b's curve.
        most: labels at its last.
    """

    a: str
    b: str
    fraction: float
    labels: int
    reached: Literal["within", "below", "beyond"]
    needed: float | None = None
    low: float | None = None
    high: float | None = None
    fewest: int
    most: int


@dataclass(frozen=True, kw_only=True)
class LabelEfficiency(Record):
    """Arms on fractions of the labels: their curves, and what own or published weights save.

    Attributes:
        draws: of the labels, each with a seed of its own.
        curves: in the order of the arms.
        saved: against the arm from random weights, for each point of each other curve.
    """

    draws: int
    curves: tuple[LabelCurve, ...]
    saved: tuple[LabelsSaved, ...]


@dataclass(frozen=True, kw_only=True)
class Published(Record):
    """What others published for arms of a study.

    Attributes:
        source: where the figures are from, in words.
        values: of arms by name, 0–1.
    """

    source: str
    values: Mapping[str, float]


# -- what they were made from
@dataclass(frozen=True, kw_only=True)
class EmbeddingStage(Record):
    """The map at one epoch: its samples, and numbers beside the picture."""

    epoch: int
    n: int
    knn: float
    silhouette: float
    trustworthiness: float
    map_silhouette: float


@dataclass(frozen=True, kw_only=True)
class Embedding(Record):
    """The features of an arm on the plane, at the first and at the last epoch.

    Attributes:
        arm: whose.
        seed: of the run.
        points: parquet file, relative to the study.
        first: at the first epoch.
        last: at the last epoch.
    """

    arm: str
    seed: int
    points: str
    first: EmbeddingStage
    last: EmbeddingStage


@dataclass(frozen=True, kw_only=True)
class Pretraining(Record):
    """One pretraining of several, that differ in their seed.

    Attributes:
        run: below runs/.
        seed: of every random draw.
        seconds: of training.
        health: last values by key of metrics.jsonl.
        warnings: every collapse or plateau, with its epoch.
    """

    run: str
    seed: int
    seconds: float
    health: Mapping[str, Number]
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PretrainSummary(PretrainResult):
    """The study's own pretraining: its result, and what it was made from.

    Attributes:
        status: it is there only where it is done.
        recipe: of it.
        backbone: of it.
        stem: of it.
        data: their source.
        seconds: of training; of several pretrainings the mean.
        each: of several, all that are done; the rest of the entry is the first one's, warnings are all of theirs.
    """

    status: Literal["done"] = DONE
    recipe: str
    backbone: str
    stem: str
    data: str
    seconds: float
    each: tuple[Pretraining, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Reference(Record):
    """Where the reference weights come from.

    Attributes:
        name: for a reader.
        trained_here: whether the study trained them.
        data: on which data it did.
        accuracy: on the test part of these.
        images_seen: with repetition.
        seconds: of training.
    """

    name: str
    trained_here: bool
    data: str | None = None
    accuracy: Interval | None = None
    images_seen: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class DataPart(Record):
    """Data of the study: where they are, and what a run found there, as far as one is done."""

    source: str
    images: int | None = None
    split: Mapping[str, int] | None = None
    classes: int | None = None
    bad_images: int | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """result.json of a study; `result["C"]` is an arm.

    Attributes:
        name: of the study.
        notes: of the study file.
        arms: in the order of the study file.
        comparisons: of pairs of arms that are done.
        questions: that these arms are there to answer.
        embedding: the features' maps; None where no features were kept.
        pretrain: None where it did not run.
        reference: where the reference weights come from.
        data: by what they are: unlabelled, labelled, masks.
        precision: that its runs share; None where the study file names one, or each run found its own.
        provenance: versions and hardware of the first run.
        labels: arms on fractions of the labels; None where the study asks for none.
        published: figures of others for its arms; None where the study file gives none.
        scale: share of images and epochs that its runs took.
        copies: of test images among those learnt from, by the data; {} where they were not looked for.
    """

    name: str
    notes: str
    arms: tuple[ArmResult, ...]
    comparisons: tuple[Comparison, ...]
    questions: tuple[Question, ...]
    embedding: Embedding | None
    pretrain: PretrainSummary | None
    reference: Reference
    data: Mapping[str, DataPart]
    provenance: Provenance
    labels: LabelEfficiency | None = None
    published: Published | None = None
    scale: float = 1.0
    copies: Mapping[str, CopiesInTest] = field(default_factory=dict)
    precision: Precision | None = None

    def __getitem__(self, name: str) -> ArmResult:
        """Return an arm.

        Raises:
            RunError: no such arm.
        """
        arm = self.find(name)
        if arm is None:
            raise RunError(f"arm {name!r}: not in this study; it has {', '.join(a.arm for a in self.arms)}")
        return arm

    def find(self, name: str) -> ArmResult | None:
        """Return an arm, or None where the study has none of this name."""
        return next((arm for arm in self.arms if arm.arm == name), None)

    def comparison(self, a: str, b: str) -> Comparison | None:
        """Return the comparison of `a` with `b`, if it was made."""
        return next((comparison for comparison in self.comparisons if comparison.pair == (a, b)), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of result.json."""
        # Keys of what a study may do without.
        optional = {
            **({"labels": self.labels.to_dict()} if self.labels is not None else {}),
            **({"copies": {name: part.to_dict() for name, part in self.copies.items()}} if self.copies else {}),
            **({"published": self.published.to_dict()} if self.published else {}),
            **({"scale": self.scale} if self.scale != 1 else {}),
        }
        return {
            "name": self.name,
            "notes": self.notes,
            "arms": [arm.to_dict() for arm in self.arms],
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
            "questions": [question.to_dict() for question in self.questions],
            "embedding": self.embedding.to_dict() if self.embedding else {},
            "pretrain": self.pretrain.to_dict() if self.pretrain else {"status": "not run"},
            "reference": self.reference.to_dict(),
            "data": {name: part.to_dict() for name, part in self.data.items()},
            **({"precision": self.precision.to_dict()} if self.precision is not None else {}),
            "provenance": self.provenance.to_dict(),
            **optional,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], where: str = "result.json") -> Self:
        """Read what `to_dict` wrote.

        Raises:
            RunError: a key is missing or holds something else.
        """
        try:
            pretrain, embedding, precision = content["pretrain"], content["embedding"], content.get("precision")
            published = content.get("published")
            return cls(
                name=content["name"],
                notes=content["notes"],
                arms=tuple(ArmResult.from_dict(entry, where) for entry in content["arms"]),
                comparisons=tuple(Comparison.from_dict(entry, where) for entry in content["comparisons"]),
                questions=tuple(Question.from_dict(entry, where) for entry in content["questions"]),
                embedding=Embedding.from_dict(embedding, where) if embedding else None,
                pretrain=PretrainSummary.from_dict(pretrain, where) if pretrain["status"] == DONE else None,
                reference=Reference.from_dict(content["reference"], where),
                data={name: DataPart.from_dict(part, where) for name, part in content["data"].items()},
                precision=Precision.from_dict(precision, where) if precision else None,
                provenance=Provenance.from_dict(content["provenance"], where),
                labels=LabelEfficiency.from_dict(content["labels"], where) if content.get("labels") else None,
                published=Published.from_dict(published, where) if published else None,
                scale=content.get("scale", 1.0),
                # Results of earlier versions have none.
                copies={name: CopiesInTest.from_dict(part, where) for name, part in content.get("copies", {}).items()},
            )
        except KeyError as error:
            raise RunError(f"{where}: has no key {error}; run the study again, what is done stays") from None
