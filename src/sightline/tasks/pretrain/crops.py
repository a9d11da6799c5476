"""The loader of a pretraining: which images, which views of them, on which device."""

from __future__ import annotations

import numpy as np
from lightning_fabric import Fabric
from torch import Tensor

from sightline.config import PretrainConfig
from sightline.data import Images, Loader
from sightline.engine import resolve_workers
from sightline.models.libraries import RGB
from sightline.randomness import sample_keys
from sightline.tasks.pretrain.methods import Crops
from sightline.views import MultiCrop
from sightline.views.device import DeviceMultiCrop, Preprocessing


def preprocessing_of(config: PretrainConfig, start: Preprocessing) -> Preprocessing:
    """Return how views are normalized: by the configuration's mean and std, else as the first weights were trained."""
    views, channels = config.views, len(start.mean)
    return Preprocessing(
        views.global_size,
        start.mean if views.mean is None else Preprocessing(mean=views.mean).for_channels(channels).mean,
        start.std if views.std is None else Preprocessing(std=views.std).for_channels(channels).std,
    )


def crop_loader(config: PretrainConfig, images: Images, start: Preprocessing, fabric: Fabric) -> Loader[Crops]:
    """Return the loader of normalized crops on the training device, of this process's share of each batch.

    Args:
        config: of the run.
        images: to learn from.
        start: how the first weights take images.
        fabric: device, processes.
    """
    views = config.views
    # Views on a device are of RGB only; it refuses others where it is asked for.
    here = fabric.device.type == "cuda" and images.channels == RGB
    on_device = config.views_on == "device" or (config.views_on == "auto" and here)
    render = DeviceMultiCrop(views, fabric.device) if on_device else MultiCrop(views)
    to_device = preprocessing_of(config, start).on(fabric.device)

    def by_view(crops: np.ndarray | Tensor) -> Tensor:
        count, batch = crops.shape[:2]
        return to_device(crops.reshape(count * batch, *crops.shape[2:])).unflatten(0, (count, batch))

    def make(samples: np.ndarray, epoch: int) -> Crops:
        crops = render(images.gather(samples), sample_keys(config.seed, epoch, samples))
        return by_view(crops.globals), by_view(crops.locals)

    return Loader(
        np.arange(len(images)),
        config.batch_size,
        make,
        seed=config.seed,
        purpose="pretrain/order",
        drop_last=True,
        workers=resolve_workers(config.workers, fabric.device.type),
        rank=fabric.global_rank,
        world=fabric.world_size,
    )
