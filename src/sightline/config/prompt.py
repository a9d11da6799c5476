"""Configuration of an engine's evaluation on labelled masks."""

from __future__ import annotations

from typing import Literal

from sightline.config.schema import NonNegative, Positive, RunConfig, Share
from sightline.config.segment_data import SegmentDataConfig


class PromptJudgeConfig(RunConfig):
    """An engine that was never trained on these masks, against the test part of them."""

    kind: Literal["prompt"] = "prompt"
    data: SegmentDataConfig
    engine: str = "graphcut"  # the one that works with nothing downloaded
    model: str | None = None  # a hub id or a folder; None takes the engine's own
    tiles: NonNegative = 50  # of the test part, by name; 0 takes all. Ten clicks on each region take their time
    clicks: Positive = 10
    min_share: Share = 0.01  # of the image: nobody clicks a region smaller than that
    points_per_side: Positive = 32  # of everything mode's grid, as segment-anything calls it
    snap: str = ""  # a finished segment run of the same data, whose masks are voted into the engine's regions
