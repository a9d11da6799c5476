"""What a study can be told: data, arms, seeds, budgets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sightline.config.base import Frozen
from sightline.config.schema import SETTINGS, DataConfig, NonNegative, Positive
from sightline.config.segment_data import SegmentDataConfig


class StudyPretrain(Frozen):
    """The study's own pretraining: a recipe and what differs from it."""

    recipe: str = "dino-small"
    data: DataConfig
    set: dict[str, object] = Field(default_factory=dict)


class StudyReference(Frozen):
    """Where the weights of arms B and D come from."""

    weights: str = "dino-resnet50"
    name: str = ""  # how the report calls it; empty takes `weights`
    supervised: dict[str, object] | None = None  # train it here, with labels, by these classify settings


class StudyClassify(Frozen):
    """Data and settings shared by arms A to E."""

    data: DataConfig
    set: dict[str, object] = Field(default_factory=dict)


class StudySegment(Frozen):
    """Data and settings shared by the segmentation arms."""

    data: SegmentDataConfig
    set: dict[str, object] = Field(default_factory=dict)
    seeds: tuple[int, ...] = ()  # () takes the study's


class StudyAblate(Frozen):
    """Which skip connections the U-Net goes without; each entry becomes an arm beside `unet`."""

    skips: tuple[int | str, ...] = (1, 2, 3, 4, "all", "random")  # each single one of a ResNet's, and both extremes
    structural: bool = True  # beside each fixed one, a decoder built without it and widened to the same size


class StudyPrompt(Frozen):
    """Arm `sam`: what a promptable engine knows of the segmentation data without having been trained on it."""

    engine: str = "graphcut"
    model: str | None = None
    tiles: NonNegative = 50
    clicks: Positive = 10
    snap: str = "unet"  # the arm whose masks are voted into the engine's regions; "" votes none


class StudyConfig(Frozen):
    """A comparison: data, arms, seeds, budgets."""

    kind: Literal["study"] = "study"
    name: str
    arms: tuple[str, ...] = SETTINGS
    seeds: tuple[int, ...] = (0, 1, 2)
    pretrain: StudyPretrain | None = None
    reference: StudyReference = StudyReference()
    classify: StudyClassify | None = None
    segment: StudySegment | None = None
    ablate: StudyAblate | None = None
    prompt: StudyPrompt = StudyPrompt()
    embed_arm: str = "C"  # whose features the t-SNE pair shows
    embed_samples: Positive = 2000  # more points only cover each other
    show_samples: bool = True  # False where the pictures may not be shown
    notes: str = ""
