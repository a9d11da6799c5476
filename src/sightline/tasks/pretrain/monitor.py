"""What is measured of a backbone's features at the end of each epoch, by any method.

An evaluator is a function of a `Snapshot` that yields (name, value), and one line in `EVALUATORS`. It changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from lightning_fabric import Fabric

from sightline.config import PretrainConfig
from sightline.data import Images, load_images
from sightline.engine.ranks import shared_out
from sightline.engine.task import Values
from sightline.metrics.features import feature_std, knn_accuracy, rankme
from sightline.models import Backbone
from sightline.models.features import extract_features
from sightline.randomness import permutation
from sightline.views import Resize
from sightline.views.device import Preprocessing

HEALTH_IMAGES = 1024  # twice the widest feature of a ResNet-18: RankMe is bounded by min(images, dim)
MONITOR_IMAGES = 5000  # leave-one-out k-NN over these takes a second
POINT = 0.1  # of a random direction's feature spread: below it, features have collapsed


@dataclass(frozen=True)
class Snapshot:
    """A backbone at the end of an epoch.

    Attributes:
        epoch: 0-based.
        config: the run's.
        images: those it learns from.
        labelled: those to monitor on; None without any.
        features: (images, indices int64 (N,)) → its features, float32 (N, dim).
    """

    epoch: int
    config: PretrainConfig
    images: Images
    labelled: Images | None
    features: Callable[[Images, np.ndarray], np.ndarray]


def spread(snapshot: Snapshot) -> Iterator[tuple[str, float]]:
    """Yield RankMe (Garrido et al. 2023), the features' effective rank, and their std.

    The std is of L2-normalized features, times √dim: 1 is what a random direction has, 0 is collapse to a point.
    """
    indices = permutation(len(snapshot.images), snapshot.config.seed, "pretrain/health")[:HEALTH_IMAGES]
    features = snapshot.features(snapshot.images, np.sort(indices))
    yield "health/rankme", rankme(features)
    yield "health/feature_std", feature_std(features) * math.sqrt(features.shape[1])


def neighbors(snapshot: Snapshot) -> Iterator[tuple[str, float]]:
    """Yield the leave-one-out k-NN accuracy on the labelled images, every few epochs and at the last."""
    config, labelled = snapshot.config, snapshot.labelled
    done = snapshot.epoch + 1
    if labelled is None or (done % config.monitor.every_epochs and done != config.epochs):
        return
    indices = np.sort(permutation(len(labelled), config.seed, "pretrain/monitor")[:MONITOR_IMAGES])
    features = snapshot.features(labelled, indices)
    yield "knn/accuracy", knn_accuracy(features, labelled.listing.labels[indices], k=config.monitor.neighbors)


EVALUATORS: tuple[Callable[[Snapshot], Iterator[tuple[str, float]]], ...] = (spread, neighbors)


class Monitor:
    """Runs every evaluator on a backbone.

    Args:
        config: the run's.
        images: those it learns from.
        preprocessing: of the images, as training has it.
        fabric: device, precision.
    """

    def __init__(self, config: PretrainConfig, images: Images, preprocessing: Preprocessing, fabric: Fabric) -> None:
        self._config, self._images, self._fabric = config, images, fabric
        self._to_device = preprocessing.on(fabric.device)
        data = config.monitor.data
        self._labelled = (
            load_images(data.stored_for(config.views.global_size), earlier=images.reading) if data else None
        )

    def __call__(self, epoch: int, backbone: Backbone) -> Values:
        """Yield what the evaluators yield of `backbone` at the end of `epoch` (0-based)."""
        features = partial(self._features, backbone)
        snapshot = Snapshot(epoch, self._config, self._images, self._labelled, features)
        for evaluator in EVALUATORS:
            yield from evaluator(snapshot)

    def _features(self, backbone: Backbone, source: Images, indices: np.ndarray) -> np.ndarray:
        resize = Resize(self._config.views.global_size)
        make = lambda ids: self._to_device(resize(source.gather(ids)))  # noqa: E731
        return shared_out(self._fabric, indices, lambda ids: extract_features(backbone, make, ids, self._fabric))


def feature_remarks(health: Mapping[str, float]) -> list[str]:
    """Name a collapse of the features, with what to change; `health` by name without "health/"."""
    if health.get("feature_std", 1.0) >= POINT:
        return []
    return [
        f"collapse to a point: features spread {health['feature_std']:.3f} of a random direction's. "
        "Lower optim.lr and lengthen optim.warmup_epochs"
    ]
