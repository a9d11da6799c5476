"""A segmentation task's state: whole as soon as its evaluation has given its first value."""

from __future__ import annotations

import numpy as np

from sightline.config import SegmentConfig
from sightline.data import Loader
from sightline.models.segmentation import build_segmenter
from sightline.tasks.segment.losses import build_loss
from sightline.tasks.segment.task import SegmentTask, Validation


def test_an_evaluation_that_is_left_early_loses_nothing():
    config = SegmentConfig.build({"data": {"source": "nowhere"}, "backbone": "timm/resnet10t"})
    network = build_segmenter("unet", "timm/resnet10t", 3)
    shown = list[int]()
    task = SegmentTask(
        network,
        config,
        Loader(np.arange(4), 2, lambda samples, epoch: samples, seed=0, purpose="test"),
        build_loss("ce", None),
        lambda network: Validation(0.5, {"mean_iou": 0.5, "pixel_accuracy": 0.75}),
        lambda epoch, network: shown.append(epoch),
    )
    assert next(iter(task.evaluate(7))) == ("val/mean_iou", 0.5)
    assert (task.best.epoch, task.best.score, shown) == (7, 0.5, [7])
