"""Views of one image for self-supervised pretraining."""

from __future__ import annotations

from pydantic import Field

from sightline.config.base import Frozen
from sightline.config.types import Fraction, Hue, NonNegative, Positive, Range, Weight

# Of ImageNet's pixels in 0–1, by color channel: what most published backbones expect.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class ViewsConfig(Frozen):
    """The multi-crop of DINO (Caron et al. 2021, section 3.1 and the official code's DataAugmentationDINO)."""

    global_size: Positive = Field(default=224, description="Side of the two global views, in pixels.")
    local_size: Positive = Field(default=96, description="Side of the local views, in pixels.")
    local_crops: NonNegative = Field(default=6, description="Local views of each image.")
    global_scale: Range = Field(
        default=(0.14, 1.0), description="Fraction of the image's area that a global view shows."
    )
    local_scale: Range = Field(
        default=(0.05, 0.14), description="Fraction of the image's area that a local view shows."
    )
    ratio: Range = Field(default=(3 / 4, 4 / 3), description="Width to height of the region that a view shows.")
    flip: Fraction = Field(default=0.5, description="Probability of a horizontal flip.")
    jitter: Fraction = Field(default=0.8, description="Probability of color jitter.")
    brightness: Weight = Field(default=0.4, description="Largest relative change of brightness.")
    contrast: Weight = Field(default=0.4, description="Largest relative change of contrast.")
    saturation: Weight = Field(default=0.2, description="Largest relative change of saturation.")
    hue: Hue = Field(default=0.1, description="Largest shift of hue, in turns of the color circle.")
    gray: Fraction = Field(default=0.2, description="Probability of a grayscale view.")
    blur: tuple[Fraction, Fraction, Fraction] = Field(
        default=(1.0, 0.1, 0.5),
        description="Probability of Gaussian blur of the first global, the second global and the local views.",
    )
    blur_sigma: Range = Field(
        default=(0.1, 2.0),
        description="Sigma of the blur, in pixels of a 224-pixel view; it scales with the view.",
    )
    solarize: Fraction = Field(default=0.2, description="Probability of solarization, of the second global view only.")
    mean: tuple[float, float, float] | None = Field(
        default=None,
        description="Mean of each color channel in 0–1; none takes that of the weights that it begins with, "
        "ImageNet's where these are random.",
    )
    std: tuple[float, float, float] | None = Field(
        default=None, description="Standard deviation of each color channel in 0–1; none likewise."
    )
