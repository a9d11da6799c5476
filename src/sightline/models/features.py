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


MakeBatch = Callable[[np.ndarray], Tensor]
Gather = Callable[[np.ndarray], list[np.ndarray]]


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


class FeatureMaker:
    """A backbone with its preprocessing, from pixels to pooled features.

    Args:
        backbone: on any device.
        preprocessing: of its weights.
        fabric: device and precision.
        size: side of the images that the backbone sees, in pixels.
    """

    def __init__(self, backbone: Backbone, preprocessing: Preprocessing, fabric: Fabric, size: int) -> None:
        self._backbone, self._fabric = place(backbone, fabric.device), fabric
        self._resize, self._to_device = Resize(size), preprocessing.on(fabric.device)

    def __call__(
        self,
        gather: Gather,
        indices: np.ndarray,
        batch_size: int = FEATURE_BATCH,
        progress: Callable[[int], object] | None = None,
    ) -> np.ndarray:
        """Return features of images, float32 (N, dim).

        Args:
            gather: indices → as many images, uint8 (H, W, C) of any size.
            indices: int64 (N,).
            batch_size: images at a time.
            progress: called with the number of images done.
        """
        make = lambda ids: self._to_device(self._resize(gather(ids)))  # noqa: E731
        return extract_features(self._backbone, make, indices, self._fabric, batch_size, progress)
