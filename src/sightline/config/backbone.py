"""Which backbone a run trains, and which weights it begins with."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from sightline.config.backbone_names import BackboneName
from sightline.config.references import REFERENCES
from sightline.config.run import RunConfig
from sightline.config.types import Init, Network, Stem


class BackboneConfig(RunConfig):
    """The base of the configuration of a run that trains a backbone: which one, and its first weights."""

    paths: ClassVar[tuple[str, ...]] = ("init",)

    backbone: BackboneName = Field(
        default="resnet50",
        description="Backbone, by any timm or torchvision name; a run given as init brings its own. An encoder of a "
        "segmenter needs one with features of several strides, for example a ResNet, ConvNeXt or EfficientNet.",
    )
    stem: Stem = Field(
        default="published", description="First layers of the backbone; 3x3 of stride 2 suits inputs of 64 px and less."
    )
    init: Init = Field(
        default="none",
        description="Weights to begin with: none, reference, a run's folder, a checkpoint file, or a published name.",
    )
    network: Network = Field(
        default="teacher",
        description="Network to take from a checkpoint file that holds both; the teacher is the better one.",
    )
    random_weights: bool = Field(
        default=False,
        description="Whether of init only network and preprocessing are taken, with random weights: what to compare "
        "weights with where they bring a network of their own.",
    )
    reference: str = Field(
        default="dino-resnet50",
        description=f"Weights that init reference means: {', '.join(REFERENCES)}; or a timm tag, a hub id, a file or a "
        "run.",
    )
