"""Inputs of a classifier: images, or features of a frozen backbone computed once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from sightline.config import ClassifyConfig
from sightline.data import Images
from sightline.models import Backbone
from sightline.models.features import extract_features
from sightline.randomness import generator, sample_keys
from sightline.views import Flip, RandomCrop, Resize
from sightline.views.device import Preprocessing

Plain = Callable[[np.ndarray], Tensor]


class ImageInputs:
    """Images as the backbone takes them, float (B, 3, S, S) on the device, plain or augmented."""

    def __init__(
        self, config: ClassifyConfig, images: Images, preprocessing: Preprocessing, device: torch.device
    ) -> None:
        self._images, self._seed = images, config.seed
        self._resize = Resize(config.input_size)
        self._augment: Callable[..., np.ndarray] | None = None
        if config.augment == "crop":
            self._augment = RandomCrop(config.input_size, scale=config.crop_scale)
        elif config.augment == "flip":
            self._augment = Flip(config.input_size)
        self._to_tensor = preprocessing.on(device)

    def plain(self, samples: np.ndarray) -> Tensor:
        """Return the images resized and cropped in the centre."""
        return self._to_tensor(self._resize(self._images.gather(samples)))

    def augmented(self, samples: np.ndarray, epoch: int) -> Tensor:
        """Return the images under the augmentation of `epoch`."""
        if self._augment is None:
            return self.plain(samples)
        keys = sample_keys(self._seed, epoch, samples)
        return self._to_tensor(self._augment(self._images.gather(samples), keys))


class FeatureInputs:
    """Features (B, dim) of a frozen backbone, computed once.

    The training part is seen under `cached_views` augmentations, view v being the one that epoch v would have
    drawn; each epoch picks one view a sample at random. So 25 epochs cost `cached_views` passes of the backbone.
    """

    def __init__(
        self,
        config: ClassifyConfig,
        backbone: Backbone,
        images: ImageInputs,
        train: np.ndarray,
        rest: np.ndarray,
        fabric: Fabric,
    ) -> None:
        self._seed, self._train, self._rest = config.seed, train, np.sort(rest)
        self._views = config.cached_views if config.augment != "none" else 1

        def table(make: Plain, samples: np.ndarray) -> Tensor:
            return torch.from_numpy(extract_features(backbone, make, samples, fabric)).to(fabric.device)

        views = [table(lambda ids, v=view: images.augmented(ids, v), train) for view in range(self._views)]
        self._augmented = torch.stack(views)
        self._plain = table(images.plain, self._rest)

    def augmented(self, samples: np.ndarray, epoch: int) -> Tensor:
        """Return features of training samples under a view drawn for this epoch."""
        picks = _picked_views(self._seed, epoch, self._views, len(self._train))
        rows = np.searchsorted(self._train, samples)
        return self._augmented[torch.from_numpy(picks[rows]), torch.from_numpy(rows)]

    def plain(self, samples: np.ndarray) -> Tensor:
        """Return features of validation or test samples."""
        return self._plain[torch.from_numpy(np.searchsorted(self._rest, samples))]


@lru_cache(maxsize=2)  # every batch of an epoch asks for the same
def _picked_views(seed: int, epoch: int, views: int, count: int) -> np.ndarray:
    return generator(seed, "classify/view", epoch).integers(0, views, count)
