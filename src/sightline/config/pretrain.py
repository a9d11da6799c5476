"""Configuration of pretraining."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from sightline.config.backbone import BackboneConfig
from sightline.config.base import Frozen
from sightline.config.data import DataConfig
from sightline.config.methods import METHODS, AnyMethod, DinoConfig, method_class
from sightline.config.optim import OptimConfig
from sightline.config.types import Positive, Weight
from sightline.config.views import IMAGENET_MEAN, IMAGENET_STD, ViewsConfig


class MonitorConfig(Frozen):
    """k-NN accuracy on labelled images during pretraining. For looking only: no gradient and no choice uses it."""

    data: DataConfig | None = Field(default=None, description="Labelled images to monitor on; none monitors nothing.")
    every_epochs: Positive = Field(default=5, description="Epochs from one measurement to the next.")
    neighbors: Positive = Field(default=20, description="Neighbours that vote.")


class PretrainConfig(BackboneConfig):
    """A pretraining run: images, views, a method, a budget."""

    switches: ClassVar[tuple[str, ...]] = ("method",)

    kind: Literal["pretrain"] = "pretrain"
    recipe: str = Field(default="", description="Recipe that the values come from: a name or a YAML file.")
    data: DataConfig = Field(description="Images to learn from.")
    head_warmup_epochs: Weight = Field(
        default=0, description="Epochs in which the backbone stands still while the head learns, with init."
    )
    views: ViewsConfig = Field(default=ViewsConfig(), description="Views of each image.")
    views_on: Literal["auto", "cpu", "device"] = Field(
        default="auto",
        description="Where views are made: cpu or device. auto takes the device where it is a GPU, which then gets the "
        "images, a hundredth of the size of their views.",
    )
    method: AnyMethod = Field(
        default=DinoConfig(), description=f"Method of self-supervised learning: {', '.join(METHODS)}."
    )
    optim: OptimConfig = Field(default=OptimConfig(), description="Optimizer and learning rate.")
    monitor: MonitorConfig = Field(default=MonitorConfig(), description="Monitoring on labelled images.")
    epochs: Positive = Field(default=100, description="Passes over the images.")
    batch_size: Positive = Field(default=128, description="Images a batch.")
    accumulate: Positive = Field(default=1, description="Batches a step, whose gradients are averaged.")

    @model_validator(mode="after")
    def _no_plateau(self) -> PretrainConfig:
        if self.optim.schedule == "plateau":
            raise ValueError(
                "optim.schedule = 'plateau' watches a validation loss, and pretraining has none; take cosine, poly or "
                "constant"
            )
        return self

    @model_validator(mode="after")
    def _views_for_the_method(self) -> PretrainConfig:
        self.method.check_views(self.views)
        return self

    @classmethod
    def block(cls, key: str, value: object) -> type[Frozen] | None:
        """Return the configuration class of the block under `key`; the method's goes by its name."""
        return method_class(value) if key == "method" else super().block(key, value)

    def settled(self) -> Self:
        """Return this with the size of the stored images filled in, and ImageNet's mean and std for random weights."""
        views = self.views
        if self.init == "none":
            update = {"mean": views.mean or IMAGENET_MEAN, "std": views.std or IMAGENET_STD}
            views = views.model_copy(update=update)
        return self.model_copy(update={"views": views, "data": self.data.stored_for(views.global_size)})
