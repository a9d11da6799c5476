"""Configuration of a study: data, arms, seeds, budgets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sightline.config.base import Frozen, Resolved
from sightline.config.data import DataConfig
from sightline.config.masks import SegmentDataConfig
from sightline.config.references import REFERENCES
from sightline.config.types import Fraction, NonNegative, Positive, Share

DEFAULT_ARMS = ("A", "B", "C", "D", "E")


class StudyPretrain(Frozen):
    """The study's own pretraining: a recipe and what differs from it."""

    recipe: str = Field(default="dino-small", description="Recipe of the pretraining: a name or a YAML file.")
    data: DataConfig = Field(description="Images to learn from, without labels.")
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
    head_solver: Literal["gradient", "lbfgs"] = Field(
        default="lbfgs",
        description="How heads on frozen backbones are trained: lbfgs, to their optimum, so that a head that was not "
        "trained enough is not taken for bad features; or gradient, by the epochs and rates of the other arms.",
    )
    set: dict[str, object] = Field(default_factory=dict, description="Keys that differ from the defaults.")


class StudySegment(Frozen):
    """Data and settings shared by the segmentation arms."""

    data: SegmentDataConfig = Field(description="Images with masks.")
    metric: str = Field(default="", description="Metric that these arms are compared by; none takes mean IoU.")
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
    prompt: StudyPrompt = Field(default=StudyPrompt(), description="Arm `sam`, a promptable engine.")
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
    notes: str = Field(default="", description="Text for the top of the report.")
