"""A classification task's state: whole as soon as its evaluation has given its first value."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from sightline.config import ClassifyConfig
from sightline.data import Loader
from sightline.engine import make_fabric
from sightline.models import Classifier, LinearHead
from sightline.tasks.classify import ClassifyTask


def test_an_evaluation_that_is_left_early_loses_nothing():
    config = ClassifyConfig.build(
        {"data": {"source": "nowhere"}, "optim": {"schedule": "plateau"}, "device": "cpu", "precision": "32-true"}
    )
    head, kept = LinearHead(2, 2), list[int]()
    task = ClassifyTask(
        head,
        Classifier(nn.Identity(), head),
        config,
        Loader(np.arange(4), 2, lambda samples, epoch: samples, seed=0, purpose="test"),
        lambda samples: torch.zeros(len(samples), 2),
        np.array([0, 0, 1, 1]),
        np.arange(4),
        make_fabric(config),
        kept.append,
    )
    assert next(iter(task.evaluate(7)))[0] == "val/loss"
    assert (task.best.epoch, task.best.score, kept) == (7, 0.5, [7])
    assert task.state()["plateau"]["last_epoch"] == 1
