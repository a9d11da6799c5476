"""Where a downstream model begins: random weights, published ones, an own run, or a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from torch import nn

from sightline.config import ClassifyConfig, SegmentConfig
from sightline.models.backbones import Backbone, build_backbone
from sightline.models.reference import load_reference
from sightline.models.weights import load_backbone

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


@dataclass(frozen=True)
class Start:
    """A backbone, how it takes images, and what was loaded into it."""

    backbone: Backbone
    preprocessing: dict[str, Any]
    source: str
    matched: str
    checksum: str


def initial_backbone(config: ClassifyConfig | SegmentConfig) -> Start:
    """Build the backbone of `config.init`: none, reference, a run, a file, or a published name."""
    if config.init == "none":
        backbone = build_backbone(config.backbone, config.stem, seed=config.seed)
        return Start(backbone, dict(IMAGENET), "none", "", "")
    if config.init == "reference":
        loaded, source = load_reference(config.reference, config.backbone, config.stem), config.reference
    else:
        loaded = load_backbone(config.init, name=config.backbone, stem=config.stem, network=config.network)
        source = config.init
    preprocessing = {**IMAGENET, **loaded.description.get("preprocessing", {})}
    return Start(loaded.backbone, preprocessing, source, str(loaded.report), _checksum(loaded.backbone))


def _checksum(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
