"""Frozen features of many images: the one place that runs a backbone without training it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from sightline.config import FEATURE_BATCH
from sightline.models.backbones import Backbone
from sightline.models.cpu import place
from sightline.views import Resize
from sightline.views.device import Preprocessing

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from sightline.data import Images

MakeBatch = Callable[[np.ndarray], Tensor]


class FeatureMaker:
    """A backbone, from pixels to pooled features.

    Args:
        backbone: on any device.
        preprocessing: of its weights.
        fabric: device and precision.
        size: side of the images that the backbone sees, in pixels.
    """

    def __init__(self, backbone: Backbone, preprocessing: Preprocessing, fabric: Fabric, size: int) -> None:
        self._backbone = place(backbone, fabric.device).eval()
        self._resize, self._to_device, self._fabric = Resize(size), preprocessing.on(fabric.device), fabric

    @torch.no_grad()
    def __call__(self, images: list[np.ndarray]) -> np.ndarray:
        """Return float32 (B, dim) of B images, uint8 HWC of any size."""
        with self._fabric.autocast():
            features = self._backbone(self._to_device(self._resize(images)))
        return features.float().cpu().numpy()


@torch.no_grad()
def extract_features(
    backbone: nn.Module,
    make: MakeBatch,
    indices: np.ndarray,
    fabric: Fabric,
    batch_size: int = FEATURE_BATCH,
    progress: Callable[[int], object] | None = None,
) -> np.ndarray:
    """Return pooled features of the samples `indices`, in their order, float32 (N, dim).

    Args:
        backbone: on the device; it is put in eval mode for the time being, batch-norm statistics too.
        make: sample indices → normalised float batch (B, 3, H, W) on the device.
        indices: int64 (N,).
        fabric: for autocast.
        batch_size: images at a time.
        progress: called with the number of samples done.
    """
    training = backbone.training
    backbone.eval()
    parts: list[np.ndarray] = []
    for begin in range(0, len(indices), batch_size):
        with fabric.autocast():
            features = backbone(make(indices[begin : begin + batch_size]))
        parts.append(features.float().cpu().numpy())
        if progress:
            progress(min(begin + batch_size, len(indices)))
    backbone.train(training)
    return np.concatenate(parts) if parts else np.zeros((0, getattr(backbone, "dim", 0)), np.float32)


def backbone_features(
    backbone: Backbone,
    preprocessing: Preprocessing,
    images: Images,
    chosen: np.ndarray,
    fabric: Fabric,
    *,
    size: int,
    batch_size: int = FEATURE_BATCH,
    progress: Callable[[int], object] | None = None,
) -> np.ndarray:
    """Return features of some images, float32 (N, dim).

    Args:
        backbone: on any device.
        preprocessing: of its weights.
        images: decoded.
        chosen: indices, int64 (N,).
        fabric: device and precision.
        size: side of the images that the backbone sees, in pixels.
        batch_size: images at a time.
        progress: called with the number of images done.
    """
    resize, to_device = Resize(size), preprocessing.on(fabric.device)
    placed = place(backbone, fabric.device)
    make = lambda ids: to_device(resize(images.gather(ids)))  # noqa: E731
    return extract_features(placed, make, chosen, fabric, batch_size, progress=progress)
