"""Configuration of a study: data, arms, seeds, budgets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from sightline.config.base import Frozen, Resolved, validated_block
from sightline.config.data import DataConfig
from sightline.config.loggers import LoggerNames, logger_words
from sightline.config.masks import SegmentDataConfig
from sightline.config.references import REFERENCES
from sightline.config.types import Above, Fraction, HeadSolver, NonNegative, Positive, Share

# Of the learning rate of a block: half a decade to each side, so that neighbors are told apart and three hold a decade.
LR_FACTORS = (1 / 3, 1.0, 3.0)
LR_FACTORS_TEXT = (
    "Learning rates that every trained arm tries, as factors on optim.lr: each arm keeps the one best on validation "
    "with its first seed, for all its seeds. One factor tries none."
)
DEFAULT_ARMS = ("A", "B", "C", "D", "E")


class StudyPretrain(Frozen):
    """The study's own pretraining: a recipe and what differs from it."""

    recipe: str = Field(default="dino-small", description="Recipe of the pretraining: a name or a YAML file.")
    data: DataConfig = Field(description="Images to learn from, without labels.")
    seeds: Positive = Field(
        default=1,
        description="Pretrainings, each with a seed of its own: each training seed of an arm takes the next one, and "
        "begins again with the first where there are fewer. 1, the cheapest, leaves unknown what another one gives.",
    )
    set: dict[str, object] = Field(default_factory=dict, description="Keys that differ from the recipe.")


class StudyReference(Frozen):
    """Where the weights of arms B and D come from."""

    weights: str = Field(
        default="dino-resnet50",
        description=f"Reference weights: {', '.join(REFERENCES)}; a timm tag, a hub id, a file or a run.",
    )
    name: str = Field(default="", description="Name of the reference in the report; empty takes `weights`.")
    supervised: dict[str, object] | None = Field(
        default=None, description="Keys of a classification with labels that trains the reference here."
    )


class StudyClassify(Frozen):
    """Data and settings shared by arms A to E."""

    data: DataConfig = Field(description="Labelled images.")
    metric: str = Field(default="", description="Metric that these arms are compared by; none takes accuracy.")
    head_solver: HeadSolver = Field(
        default="lbfgs",
        description="How heads on frozen backbones are trained: lbfgs, to their optimum, so that a head that was not "
        "trained enough is not taken for bad features; or gradient, by the epochs and rates of the other arms. It adds "
        "arms D-lbfgs and E-lbfgs beside D and E, so that the report shows both.",
    )
    head_views: NonNegative = Field(
        default=0,
        description="Augmented views of each training image that a head fitted by lbfgs sees beside the plain one; "
        "each is one more pass of the frozen backbone.",
    )
    lr_factors: tuple[Above, ...] = Field(default=LR_FACTORS, min_length=1, description=LR_FACTORS_TEXT)
    set: dict[str, object] = Field(default_factory=dict, description="Keys that differ from the defaults.")


class StudySegment(Frozen):
    """Data and settings shared by the segmentation arms."""

    data: SegmentDataConfig = Field(description="Images with masks.")
    metric: str = Field(default="", description="Metric that these arms are compared by; none takes mean IoU.")
    lr_factors: tuple[Above, ...] = Field(default=LR_FACTORS, min_length=1, description=LR_FACTORS_TEXT)
    set: dict[str, object] = Field(default_factory=dict, description="Keys that differ from the defaults.")
    seeds: tuple[int, ...] = Field(default=(), description="Seeds of the segmentation arms; none takes the study's.")


class StudyAblate(Frozen):
    """Which skip connections the U-Net goes without; each entry becomes an arm beside `unet`."""

    skips: tuple[int | str, ...] = Field(
        default=(1, 2, 3, 4, "all", "random"),
        description="Skips to go without, one arm each: by default each single one of a ResNet's, and both extremes.",
    )
    structural: bool = Field(
        default=True,
        description="Whether each fixed one gets a second arm: a decoder built without it, widened to the same size.",
    )


class StudyLabels(Frozen):
    """Label efficiency: arms of classification trained on fractions of the labels. A list stands for its fractions."""

    fractions: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        default=(0.01, 0.05, 0.1, 0.25, 1.0),
        min_length=1,
        description="Fractions of the training labels, stratified by class; at 1 stand the arm's own runs.",
    )
    arms: tuple[str, ...] = Field(
        default=(), description="Arms whose curve is drawn; none takes all of classification but A-long."
    )
    draws: NonNegative = Field(
        default=0, description="Draws of the labels, each by the next seed of the study; 0 takes one for every seed."
    )
    epochs_power: Fraction = Field(
        default=0.5,
        description="Exponent of 1 / fraction by which there are more epochs with fewer labels: 0 keeps the epochs, 1 "
        "the steps; between them the smallest draw has more than a few steps, and none costs as much as all labels.",
    )


class StudyPrompt(Frozen):
    """Arm `sam`: what a promptable engine knows of the segmentation data without having been trained on it."""

    engine: str = Field(default="graphcut", description="Promptable engine; the default needs nothing downloaded.")
    model: str | None = Field(default=None, description="Hub id or folder of the weights; none takes the engine's own.")
    tiles: NonNegative = Field(default=50, description="Tiles of the test part, the first by name; 0 takes all.")
    clicks: Positive = Field(default=10, description="Clicks on each region.")
    superpixel_vote: str = Field(
        default="unet", description="Arm whose masks are voted into the engine's regions; empty votes none."
    )


class StudyPublished(Frozen):
    """Figures that others published for arms of the study, to stand beside its own."""

    source: str = Field(description="Where the figures are from, and what was done for them, in words.")
    values: dict[str, Fraction] = Field(description="Published value of each arm, 0–1.")


class StudyConfig(Resolved):
    """A comparison: data, arms, seeds, budgets."""

    kind: Literal["study"] = "study"
    name: str = Field(description="Name of the study, the title of its report.")
    arms: tuple[str, ...] = Field(
        default=DEFAULT_ARMS, min_length=1, description="Arms: settings A to E, networks, and what they lack."
    )
    seeds: tuple[int, ...] = Field(
        default=(0, 1, 2), min_length=1, description="Seeds of each arm; fewer than three say nothing of another seed."
    )
    pretrain: StudyPretrain | None = Field(default=None, description="The study's own pretraining.")
    reference: StudyReference = Field(default=StudyReference(), description="Reference weights.")
    classify: StudyClassify | None = Field(default=None, description="Data and settings of arms A to E.")
    segment: StudySegment | None = Field(default=None, description="Data and settings of the segmentation arms.")
    ablate: StudyAblate | None = Field(default=None, description="Skip connections that the U-Net goes without.")
    labels: StudyLabels | None = Field(
        default=None, description="Fractions of the labels that arms of classification are also trained on."
    )
    prompt: StudyPrompt = Field(default=StudyPrompt(), description="Arm `sam`, a promptable engine.")
    budget: Literal["equal-epochs", "equal-time"] = Field(
        default="equal-epochs",
        description="What arms have in common: equal-epochs, in which no other arm is given the time of pretraining; "
        "or equal-time, which adds arm A-long: A, trained for the measured seconds of pretraining and C together; "
        "likewise unet-long beside unet and unet-own, and so for any segmentation model.",
    )
    published: StudyPublished | None = Field(default=None, description="Published figures of these arms.")
    scale: Share = Field(
        default=1.0,
        description="Share of the images and of the epochs that each run takes: below 1 a trial of the whole, without "
        "verdicts.",
    )
    embed_arm: str = Field(default="C", description="Arm whose features the t-SNE pair shows.")
    embed_samples: Positive = Field(
        default=2000, description="Points of the t-SNE pair; more of them only cover each other."
    )
    show_samples: bool = Field(
        default=True, description="Whether the report shows test images; off where they may not be shown."
    )
    logger: LoggerNames = Field(
        default=(), description=f"Programs that each run is mirrored in, under the study's name: {logger_words()}."
    )
    notes: str = Field(default="", description="Text for the top of the report.")

    @field_validator("labels", mode="before")
    @classmethod
    def _fractions_alone(cls, value: object) -> object:
        if isinstance(value, list):
            value = {"fractions": value}
        return validated_block(StudyLabels, value) if isinstance(value, dict) else value
