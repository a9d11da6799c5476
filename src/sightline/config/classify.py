"""Configuration of classification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from sightline.config.backbone import BackboneConfig
from sightline.config.base import Effects
from sightline.config.data import DataConfig
from sightline.config.optim import ClassifyOptim
from sightline.config.types import HeadSolver, NonNegative, Positive, Range, Train


class ClassifyConfig(BackboneConfig):
    """One of the five settings, or any other mix of where weights come from and what is trained."""

    keywords: ClassVar[Mapping[str, str]] = {"split": "data.split_file"}
    effective: ClassVar[Effects] = {
        "crop_scale": ("augment", ("crop",)),
        "head_solver": ("train", ("head",)),
        "head_views": ("head_solver", ("lbfgs",)),
    }
    harmless: ClassVar[tuple[str, ...]] = (*BackboneConfig.harmless, "shared_features")
    kind: Literal["classify"] = "classify"
    data: DataConfig = Field(description="Labelled images.")
    train: Train = Field(
        default="all",
        description="What is trained: head, last-stage (the backbone's, with the head), or all; the rest stands still, "
        "batch-norm statistics too.",
    )
    head_solver: HeadSolver = Field(
        default="gradient",
        description="How a head on a frozen backbone is trained: gradient, by epochs as in the published protocol; "
        "or lbfgs, to its optimum, with the penalty best on validation (what a study does).",
    )
    head_views: NonNegative = Field(
        default=0,
        description="Augmented views of each training image that a head fitted by lbfgs sees beside the plain one.",
    )
    label_fraction: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="Fraction of the training labels that is used, stratified by class."
    )
    label_draw: NonNegative = Field(
        default=0,
        description="Number of the draw of these labels: another number, others; a smaller fraction of a draw is a "
        "part of a larger one.",
    )
    input_size: Positive = Field(default=64, description="Side of the images that the backbone is fed, in pixels.")
    augment: Literal["none", "flip", "crop"] = Field(
        default="crop", description="Augmentation of the training images: none, flip, or crop (which flips too)."
    )
    crop_scale: Range = Field(
        default=(0.5, 1.0),
        description="Fraction of the image's area that a crop shows; milder than ImageNet's 0.08, to suit few labels.",
    )
    cached_views: Positive = Field(
        default=2,
        description="Augmented copies of each image whose features a frozen backbone computes once; 4 were no better "
        "(docs/log.md).",
    )
    feature_cache: bool = Field(
        default=True,
        description="Whether a frozen backbone computes its features once; off, it runs every epoch, as a check.",
    )
    shared_features: str = Field(
        default="",
        description="Folder where a head that is fitted to its optimum keeps the features of all images, for other "
        "runs on the same backbone; empty keeps none.",
    )
    optim: ClassifyOptim = Field(default=ClassifyOptim(), description="Optimizer and learning rate.")
    epochs: Positive = Field(default=25, description="Passes over the training part.")
    batch_size: Positive = Field(default=32, description="Images a step.")
    keep_features: NonNegative = Field(
        default=0, description="Training images whose features are kept at the first and the last epoch."
    )
    tune: tuple[float, ...] = Field(
        default=(), description="Learning rates of which the best on validation is taken; none takes optim.lr as it is."
    )

    @property
    def fits_head(self) -> bool:
        """Whether a head is fitted to its optimum, without epochs and without a learning rate."""
        return self.train == "head" and self.head_solver == "lbfgs"

    def settled(self) -> Self:
        """Return this with the size of the stored images filled in."""
        return self.model_copy(update={"data": self.data.stored_for(self.input_size)})
