"""Configuration of a promptable engine's evaluation on labelled masks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sightline.config.masks import SegmentDataConfig
from sightline.config.run import RunConfig
from sightline.config.types import Fraction, NonNegative, Positive


class PromptConfig(RunConfig):
    """Evaluation of a promptable engine on the test part of labelled masks that it was not trained on."""

    kind: Literal["prompt"] = "prompt"
    data: SegmentDataConfig = Field(description="Images with masks.")
    engine: str = Field(default="graphcut", description="Promptable engine; the default needs nothing downloaded.")
    model: str | None = Field(default=None, description="Hub id or folder of the weights; none takes the engine's own.")
    tiles: NonNegative = Field(
        default=50,
        description="Tiles of the test part, the first by name; 0 takes all, and ten clicks on each region take time.",
    )
    clicks: Positive = Field(default=10, description="Clicks on each region.")
    min_fraction: Fraction = Field(
        default=0.01,
        description="Smallest region that is clicked, as a share of the image; nobody clicks a smaller one.",
    )
    points_per_side: Positive = Field(
        default=32, description="Points along each side of the grid of everything mode, as segment-anything calls it."
    )
    superpixel_vote: str = Field(
        default="",
        description="Finished segment run of the same data, whose masks are voted into the engine's regions; empty "
        "votes none.",
    )
