"""Images: which, how they are laid out, how they are split and stored."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sightline.config.base import Frozen
from sightline.config.types import Fraction, Layout, Positive, Range, Share


class SplitConfig(Frozen):
    """A stratified split, a function of sample ids and `seed` only."""

    val: Fraction = Field(
        default=0.15,
        description="Fraction of the images for validation; enough to see when the validation loss stops falling.",
    )
    test: Fraction = Field(default=0.15, description="Fraction of the images that the test part takes.")
    seed: int = Field(
        default=0,
        description="Seed of the split. It is apart from the run's seed, so that every seed and every arm is judged "
        "on the same images.",
    )

    @model_validator(mode="after")
    def _room_for_training(self) -> SplitConfig:
        if self.val + self.test >= 1:
            raise ValueError(f"val + test = {self.val + self.test} leaves nothing to train on; keep it below 1")
        return self


class PixelsConfig(Frozen):
    """How the numbers of image files become pixels."""

    bands: Annotated[tuple[Positive, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="Bands that are seen, from 1, in the order given; none takes what the file says: red, green and "
        "blue, or one gray band.",
    )
    scale: Literal["auto"] | Range | tuple[Range, ...] = Field(
        default="auto",
        description="Values that become black and white: one pair LOW, HIGH, or a pair for each band. auto leaves 8 "
        "bits as they are, and takes percentiles of the data set for more bits and floats.",
    )

    @model_validator(mode="after")
    def _low_below_high(self) -> Self:
        pairs = self.scale_pairs or ()
        for low, high in pairs:
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ValueError(f"scale = {self.scale}: a pair is LOW, HIGH with LOW below HIGH, both finite")
        if pairs and len(pairs) not in (1, self.channels):
            raise ValueError(
                f"scale = {self.scale}: {len(pairs)} pairs for {self.channels} bands; give one for all, or one a band"
            )
        return self

    @property
    def channels(self) -> int:
        """Number of channels of an image: of the chosen bands, else 3."""
        return len(self.bands) if self.bands else 3

    @property
    def scale_pairs(self) -> tuple[Range, ...] | None:
        """The pairs of `scale`; None where it is auto."""
        if self.scale == "auto":
            return None
        first, *_ = self.scale
        return self.scale if isinstance(first, tuple) else (self.scale,)  # pyright: ignore[reportReturnType]


class SourceConfig(PixelsConfig):
    """A source of images: how they become pixels, and how many of them are used."""

    share: Share | None = Field(
        default=None,
        description="Share of the images of each part and class that is used, at least one, drawn by id; none takes "
        "all.",
    )


class DataConfig(SourceConfig):
    """Which images, how they are laid out, and how they are stored."""

    source: str = Field(
        description="Folder, list file, CSV, shards, Parquet, URL or known name of the images; demo/… needs no "
        "network.",
    )
    layout: Layout = Field(
        default="auto",
        description="Layout of the source: folder, list, classes, styles or csv; auto looks at what is there.",
    )
    style: str = Field(default="all", description="Name of the one style to take from style/class folders, or all.")
    image_size: Annotated[int, Field(ge=8)] | None = Field(
        default=None,
        description="Shorter side of the decoded images in the cache, in pixels; none takes 8/7 of what the network "
        "sees.",
    )
    max_bad_fraction: Fraction = Field(
        default=0.01,
        description="Largest share of unreadable images that is tolerated. A few broken files are normal in a folder "
        "from elsewhere; more than one in a hundred is a mistake.",
    )
    split_file: str | None = Field(
        default=None,
        description="JSON file of part → ids, for example a run's split.json; it stands above the source's own parts.",
    )
    split: SplitConfig = Field(default=SplitConfig(), description="Division into training, validation and test part.")

    def stored_for(self, input_size: int) -> DataConfig:
        """Return this with `image_size` settled: if not given, 8/7 of what a network sees (256 for 224 is usual)."""
        if self.image_size is not None:
            return self
        return self.model_copy(update={"image_size": round(input_size * 8 / 7)})
