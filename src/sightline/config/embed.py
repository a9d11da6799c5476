"""Configuration of an embedding."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sightline.config.base import Resolved
from sightline.config.data import DataConfig
from sightline.config.run import FEATURE_BATCH
from sightline.config.types import Above, Device, NonNegative, Positive

Selection = Literal["diverse", "typical", "uncertain", "random"]


class EmbedConfig(Resolved):
    """Features of a run on a data set, and their picture."""

    kind: Literal["embed"] = "embed"
    run: str = Field(description="Folder of a finished pretrain or classify run.")
    data: DataConfig = Field(description="Images, with or without labels.")
    split: Literal["train", "val", "test", "all"] = Field(default="all", description="Part of the images to embed.")
    tsne: bool = Field(default=False, description="Whether the features are also mapped to the plane, by t-SNE.")
    perplexity: Above = Field(default=30.0, description="Perplexity of the map, about how many neighbours count.")
    select: NonNegative = Field(
        default=0, description="Images to label next, written to select.csv, the first ones first; 0 chooses none."
    )
    select_by: Selection = Field(
        default="typical",
        description="How they are chosen: typical (the densest places of as many clusters: worth most where labels are "
        "few, docs/benchmarks/selection.md), diverse (each the farthest from those before), uncertain (where a "
        "classifier wavers between two classes) or random, to compare with.",
    )
    seed: int = Field(default=0, description="Seed of the map, and of what is chosen.")
    device: Device = Field(default="auto", description="Device to compute on: auto, cpu, cuda or mps.")
    batch_size: Positive = Field(default=FEATURE_BATCH, description="Images at a time.")
