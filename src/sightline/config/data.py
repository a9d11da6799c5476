"""Images: which, how they are laid out, how they are split and stored."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from sightline.config.base import Frozen
from sightline.config.types import Fraction, Layout


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


class DataConfig(Frozen):
    """Which images, how they are laid out, and how they are stored."""

    source: str = Field(
        description="Folder, list file, CSV or known name of the images; demo/… needs no network.",
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
