"""Which images and masks a segmentation run is given."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sightline.config.base import Frozen
from sightline.config.schema import Share

SegmentLayout = Literal["auto", "pairs", "folders"]


class SegmentDataConfig(Frozen):
    """Images with masks, how classes are told from colours, and which part is for what."""

    source: str
    layout: SegmentLayout = "auto"
    palette: Literal["auto", "deepglobe"] = "auto"  # auto: DeepGlobe's where masks hold its colours, else found out
    image_size: Annotated[int, Field(ge=16)] | None = None  # shorter side that tiles are shrunk to; None keeps them
    val: Share = 0.15  # of the training part, where the source has no validation and test part of its own
    test: Share = 0.15
    split_seed: int = 0  # apart from the run's seed: every seed and every arm is judged on the same tiles
    split_file: str | None = None  # a JSON of part → ids, for example one without leaks by `data check --write-split`
    max_bad_share: Share = 0.0  # a mask without its image is a mistake, not bad luck
