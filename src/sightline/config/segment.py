"""Configuration of segmentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from sightline.config.backbone import BackboneConfig
from sightline.config.base import Frozen
from sightline.config.losses import loss_words
from sightline.config.masks import SegmentDataConfig
from sightline.config.optim import SegmentOptim
from sightline.config.types import DropMode, Fraction, Hue, NonNegative, Positive, Range, Weight


class SegmentAugment(Frozen):
    """Augmentation of image and mask together in training; color changes the image alone."""

    scale: Range = Field(
        default=(0.5, 2.0), description="Scale of the tile, as DeepLab trains (Chen et al. 2018, section 4)."
    )
    flips: bool = Field(default=True, description="Whether tiles are flipped: pictures from above have no up.")
    rot90: bool = Field(
        default=True, description="Whether tiles are turned by 90°, for the same reason; off for street scenes."
    )
    jitter: Fraction = Field(default=0.8, description="Probability of color jitter.")
    brightness: Weight = Field(
        default=0.2, description="Largest relative change of brightness; half of DINO's, as color tells land cover."
    )
    contrast: Weight = Field(default=0.2, description="Largest relative change of contrast.")
    saturation: Weight = Field(default=0.2, description="Largest relative change of saturation.")
    hue: Hue = Field(default=0.02, description="Largest shift of hue, in turns of the color circle.")


class SkipsConfig(Frozen):
    """Skip connections that a network goes without, as `sightline.models.segmentation.SkipPolicy` carries them out."""

    drop: str | int | None = Field(
        default=None,
        description="Skip connection to go without: the index of an encoder feature, deepest, shallowest, all or "
        "random.",
    )
    mode: DropMode = Field(
        default="zero",
        description="How a skip is dropped: zero feeds zeros in its place, structural builds the decoder without it.",
    )
    match_parameters: bool = Field(
        default=False, description="Whether a structural decoder is widened to the full network's number of parameters."
    )
    at_evaluation: Literal["auto", "keep", "drop"] = Field(
        default="auto",
        description="Whether dropped skips are there at evaluation: keep or drop; auto drops a fixed one and keeps a "
        "random one.",
    )

    @model_validator(mode="after")
    def _something_to_drop(self) -> SkipsConfig:
        if self.at_evaluation == "drop" and self.drop is None:
            raise ValueError("at_evaluation = 'drop' without drop: nothing would be dropped; name a skip")
        return self


class SegmentConfig(BackboneConfig):
    """A segmentation network, its skip connections, its loss and its budget."""

    keywords: ClassVar[Mapping[str, str]] = {
        "drop_skip": "skips.drop",
        "drop_mode": "skips.mode",
        "eval_skips": "skips.at_evaluation",
        "split": "data.split_file",
    }
    kind: Literal["segment"] = "segment"
    data: SegmentDataConfig = Field(description="Images with masks.")
    model: str = Field(
        default="unet",
        description="Network: unet, which is Sightline's own, deeplabv3plus, or another architecture of "
        "segmentation-models-pytorch.",
    )
    skips: SkipsConfig = Field(default=SkipsConfig(), description="Skip connections to go without.")
    interventions: bool = Field(
        default=True,
        description="Whether, at the end, each skip is zeroed, averaged and shuffled on validation tiles, without "
        "retraining.",
    )
    loss: str = Field(
        default="ce+dice",
        description=f"Loss: {loss_words()}, or a sum such as 0.5*ce+dice. Cross-entropy learns early, Dice looks after "
        "small classes.",
    )
    class_weights: Literal["none", "balanced"] = Field(
        default="none", description="Weights of the classes in the loss; balanced: inverse square root of their shares."
    )
    crop: Annotated[int, Field(ge=16)] = Field(
        default=256,
        description="Side of the training crops in pixels: half of a DeepGlobe tile, four times the images a second.",
    )
    augment: SegmentAugment = Field(default=SegmentAugment(), description="Augmentation of the training crops.")
    optim: SegmentOptim = Field(default=SegmentOptim(), description="Optimizer and learning rate.")
    ema: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="Momentum of averaged weights, which are then judged and kept; 0 averages none."
    )
    epochs: Positive = Field(default=50, description="Passes over the training part.")
    batch_size: Positive = Field(default=8, description="Crops a step.")
    tune: tuple[float, ...] = Field(
        default=(), description="Learning rates of which the best on validation is taken; none takes optim.lr as it is."
    )
    log_images: tuple[str, ...] = Field(
        default=(), description="Ids of images whose predicted masks are written during training."
    )
    log_images_every: NonNegative = Field(
        default=0, description="Epochs between kept masks; 0 keeps the first, the middle and the last."
    )

    @model_validator(mode="after")
    def _no_plateau(self) -> SegmentConfig:
        if self.optim.schedule == "plateau":
            raise ValueError(
                "optim.schedule = 'plateau' watches a validation loss, and segmentation is chosen by mean IoU; take "
                "cosine, poly or constant"
            )
        return self
