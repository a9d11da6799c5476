"""What a segmentation run can be told. Defaults carry their reason."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sightline.config.base import Frozen
from sightline.config.schema import Init, NonNegative, Positive, Range, RunConfig, Share
from sightline.config.segment_data import SegmentDataConfig


class SegmentAugment(Frozen):
    """What happens to image and mask together in training; colour changes the image alone."""

    scale: Range = (0.5, 2.0)  # of the tile, as DeepLab trains (Chen et al. 2018, section 4)
    flips: bool = True  # pictures from above have no up
    turns: bool = True  # by 90°, for the same reason; off for street scenes
    jitter: Share = 0.8
    brightness: float = 0.2  # half of DINO's: colour is a cue for land cover
    contrast: float = 0.2
    saturation: float = 0.2
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.02  # turns


class SegmentConfig(RunConfig):
    """A segmentation network, its skip connections, its loss and its budget."""

    kind: Literal["segment"] = "segment"
    data: SegmentDataConfig
    model: str = "unet"  # unet is ours; the others are segmentation-models-pytorch's
    backbone: str = "resnet50"  # of the encoder; a run given as `init` brings its own
    stem: Literal["published", "3x3"] = "published"
    init: Init = "none"
    network: Literal["teacher", "student"] = (
        "teacher"  # of a checkpoint file that holds both; the teacher is the better
    )
    reference: str = "dino-resnet50"  # what init "reference" means
    drop_skip: str | int | None = None  # index of an encoder feature | deepest | shallowest | all | random
    drop_mode: Literal["zero", "structural"] = "zero"
    match_parameters: bool = False  # structural only: the decoder is widened to the full network's size
    eval_skips: Literal["auto", "keep", "drop"] = (
        "auto"  # auto: a fixed skip stays dropped, a random one is there again
    )
    interventions: bool = True  # at the end, on validation tiles: each skip zeroed, averaged, shuffled; no retraining
    loss: str = "ce+dice"  # cross-entropy learns early, Dice looks after small classes
    class_weights: Literal["none", "balanced"] = "none"  # balanced: inverse square root of a class's share
    crop: Annotated[int, Field(ge=16)] = 256  # pixels: half of a DeepGlobe tile of 512, four times the images a second
    augment: SegmentAugment = SegmentAugment()
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    lr: float = 1e-3  # of a network from random weights; a pretrained encoder gets `encoder_lr` of it
    encoder_lr: float = 1.0  # factor
    weight_decay: float = 1e-4
    schedule: Literal["cosine", "poly"] = "cosine"
    poly_power: float = 0.9  # as DeepLab
    warmup_epochs: float = 1
    clip: Annotated[float, Field(ge=0)] = 0.0
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0  # momentum of averaged weights, which are then judged; 0: none
    epochs: Positive = 50
    batch_size: Positive = 8
    watch: tuple[str, ...] = ()  # ids of images whose masks are kept as training goes on
    watch_every: NonNegative = 0  # epochs; 0 keeps the first, the middle and the last

    @model_validator(mode="after")
    def _skips_hang_together(self) -> SegmentConfig:
        if self.eval_skips == "drop" and self.drop_skip is None:
            raise ValueError("eval_skips = 'drop' without drop_skip: nothing would be dropped; name a skip")
        return self
