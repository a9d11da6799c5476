"""The best epoch's weights: which one it is, that they are a copy, and that they outlive a resume."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from sightline.engine import BestWeights


def filled(value: float) -> nn.Linear:
    module = nn.Linear(2, 1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(value)
    return module


def held(best: BestWeights) -> float:
    module = filled(math.nan)
    best.restore(module)
    return module.bias.item()


def test_it_holds_what_the_module_was_until_a_score_is_offered():
    best = BestWeights(filled(3.0))
    assert (held(best), best.score, best.epoch) == (3.0, -1.0, -1)


@pytest.mark.parametrize(
    ("scores", "epoch"),
    [([0.0, 0.5, 0.3], 1), ([0.5, 0.5], 0), ([math.nan, 0.1, math.nan], 1), ([0.1, 0.2, 0.3], 2)],
    ids=["highest", "first of equals", "NaN is never best", "rising"],
)
def test_the_highest_score_wins(scores, epoch):
    best = BestWeights(filled(-1.0))
    taken = [best.offer(score, number, filled(number)) for number, score in enumerate(scores)]
    assert (best.epoch, best.score, held(best)) == (epoch, scores[epoch], float(epoch))
    assert [number for number, was in enumerate(taken) if was][-1] == epoch


def test_training_on_does_not_change_what_is_held():
    module = filled(1.0)
    best = BestWeights(module)
    best.offer(0.5, 0, module)
    with torch.no_grad():
        module.bias.fill_(9.0)
    assert held(best) == 1.0


def test_its_state_comes_back():
    best, again = BestWeights(filled(0.0)), BestWeights(filled(0.0))
    best.offer(0.25, 4, filled(7.0))
    for name, tensor in again.tensors().items():
        tensor.copy_(best.tensors()[name])
    again.load_state(best.state())
    assert (again.score, again.epoch, held(again)) == (0.25, 4, 7.0)
    assert not again.offer(0.2, 5, filled(8.0))
