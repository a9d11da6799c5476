"""Configuration of SimCLR (Chen et al. 2020)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sightline.config.methods.base import MethodConfig
from sightline.config.types import Positive
from sightline.config.views import ViewsConfig


class SimclrConfig(MethodConfig):
    """Projector and loss of SimCLR; the defaults are the paper's for ResNet-50 on ImageNet."""

    name: Literal["simclr"] = "simclr"
    # 0.1 is the paper's best on ImageNet (table 5); on CIFAR-10 it is 0.5 (appendix B.9).
    temperature: Annotated[float, Field(gt=0)] = Field(
        default=0.1,
        description="Temperature of the softmax over similarities; a low one minds hard negatives most.",
    )
    hidden: Positive = Field(default=2048, description="Width of the projector's hidden layer.")
    projection: Positive = Field(default=128, description="Width of the projections that are compared.")
    batch_norm: bool = Field(default=True, description="Whether the projector's hidden layer has batch norm.")

    def check_views(self, views: ViewsConfig) -> None:
        """Raise ValueError where there are local views: each image has one positive pair, of its two global views."""
        if views.local_crops:
            raise ValueError(
                f"views.local_crops = {views.local_crops}: SimCLR compares the two global views of an image and has no "
                "use for local ones; set views.local_crops to 0"
            )
