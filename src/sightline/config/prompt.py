"""What the judging of a promptable engine against labelled masks can be told."""

from __future__ import annotations

from typing import Literal

from sightline.config.schema import NonNegative, Positive, RunConfig, Share
from sightline.config.segment_data import SegmentDataConfig


class PromptJudgeConfig(RunConfig):
    """An engine that was never trained on these masks, against the test part of them."""

    kind: Literal["prompt"] = "prompt"
    data: SegmentDataConfig
    engine: str = "grabcut"  # the one that works with nothing downloaded
    model: str | None = None  # a hub id or a folder; None takes the engine's own
    tiles: NonNegative = 50  # of the test part, by name; 0 takes all. Ten clicks on each region take their time
    clicks: Positive = 10
    min_share: Share = 0.01  # of the image: nobody clicks a region smaller than that
    grid: Positive = 32  # of everything mode: points along each side
    snap: str = ""  # a finished segment run of the same data, whose masks are voted into the engine's regions
