"""Images with masks: which, how classes are told from colors, and which part is for what."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from sightline.config.data import SourceConfig
from sightline.config.palettes import checked_palette
from sightline.config.types import Fraction, MaskLayout

# What the user says of values and colors; looked at by `checked_palette`, whose errors name the entry.
Palette = Annotated[str | dict[str, Any], BeforeValidator(checked_palette)]


class SegmentDataConfig(SourceConfig):
    """Images with masks, how classes are told from colors, and which part is for what."""

    source: str = Field(
        description="Folder or known name of the images with masks; demo/landcover needs no network.",
    )
    layout: MaskLayout = Field(
        default="auto",
        description="Layout of the source: pairs (NAME_sat.jpg or NAME.jpg with NAME_mask.png), folders (images/ with "
        "masks/), labelme, coco, yolo, or project (of the page); auto looks at what is there.",
    )
    palette: Palette = Field(
        default="auto",
        description="Classes and their values or colors in the masks: auto looks at all masks; deepglobe or voc; a "
        "JSON, YAML, CSV or text file; or in YAML a mapping of names to values, or to colors ([r, g, b], '#rrggbb').",
    )
    image_size: Annotated[int, Field(ge=16)] | None = Field(
        default=None, description="Shorter side that tiles are shrunk to, in pixels; none keeps them as they are."
    )
    val: Fraction = Field(
        default=0.15,
        description="Fraction of the training part that validation takes, where the source has no validation part.",
    )
    test: Fraction = Field(
        default=0.15,
        description="Fraction of the training part that the test takes, where the source has no test part.",
    )
    split_seed: int = Field(
        default=0,
        description="Seed of the split. It is apart from the run's seed, so that every seed and every arm is judged "
        "on the same tiles.",
    )
    split_file: str | None = Field(
        default=None,
        description="JSON file of part → ids, for example one without leaks from `data check --write-split`.",
    )
    max_bad_fraction: Fraction = Field(
        default=0.0,
        description="Largest share of unusable pairs tolerated: none, as a mask without image is a mistake.",
    )
