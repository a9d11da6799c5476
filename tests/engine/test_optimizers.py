"""One builder of optimizers, one rule for what decays, one schedule."""

import pytest
import torch
from torch import nn

from sightline import schedules
from sightline.config import ClassifyOptim, OptimConfig, SegmentOptim
from sightline.engine import OptimSchedule, make_optimizer


def small() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


@pytest.mark.parametrize("config", [OptimConfig(), ClassifyOptim(), SegmentOptim()])
def test_every_kind_decays_weights_and_neither_biases_nor_norms(config):
    module = small()
    groups = make_optimizer(module, config).param_groups
    decay = {p: group["weight_decay"] for group in groups for p in group["params"]}
    assert {p.ndim for p, value in decay.items() if value == config.weight_decay} == {2, 4}
    assert {p.ndim for p, value in decay.items() if value == 0} == {1}
    assert len(decay) == len(list(module.parameters()))


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_kernels_are_fused(name):
    assert make_optimizer(small(), OptimConfig(name=name)).defaults["fused"]


def test_a_part_has_its_own_share_of_the_learning_rate_at_every_step():
    module, config = small(), SegmentOptim(lr=0.1, warmup_epochs=1)
    optimizer = make_optimizer(module, config, lr_scales=[(module[0], 0.25)])
    schedule = OptimSchedule(optimizer, config, epochs=4, steps_per_epoch=5, batch=8)
    for step in range(20):
        lr = schedule.set(step)
        rates = {p: group["lr"] for group in optimizer.param_groups for p in group["params"]}
        assert {rates[p] for p in module[0].parameters()} == {lr * 0.25}
        assert {rates[p] for p in module[3].parameters()} == {lr}
        assert lr == schedules.cosine_with_warmup(step, 20, 0.1, 0.0, 5)


def test_the_learning_rate_scales_with_the_batch_where_it_is_told_to():
    for config, expected in ((OptimConfig(lr=0.1, warmup_epochs=0), 0.05), (ClassifyOptim(lr=0.1), 0.1)):
        schedule = OptimSchedule(make_optimizer(small(), config), config, epochs=2, steps_per_epoch=3, batch=128)
        assert schedule.set(0) == pytest.approx(expected)


def test_weight_decay_goes_to_its_end_also_from_zero():
    config = OptimConfig(weight_decay=0.0, weight_decay_end=0.4)
    optimizer = make_optimizer(small(), config)
    schedule = OptimSchedule(optimizer, config, epochs=1, steps_per_epoch=10, batch=256)
    schedule.set(5)
    assert sorted(group["weight_decay"] for group in optimizer.param_groups) == pytest.approx([0.0, 0.2])


def test_plateau_is_torch_s_and_goes_on_where_it_was():
    losses = [1.0, 0.9, 0.95, 0.96, 0.97, 0.98, 0.5, 0.6, 0.6, 0.6, 0.6]
    config = ClassifyOptim(lr=0.1, plateau_patience=2)

    def ours(stop: int | None) -> list[float]:
        optimizer = make_optimizer(small(), config)
        schedule = OptimSchedule(optimizer, config, epochs=len(losses), steps_per_epoch=1, batch=8)
        rates = []
        for epoch, loss in enumerate(losses):
            if epoch == stop:
                state = schedule.state()
                optimizer = make_optimizer(small(), config)
                schedule = OptimSchedule(optimizer, config, epochs=len(losses), steps_per_epoch=1, batch=8)
                schedule.load_state(state)
            rates.append(schedule.set(epoch))
            schedule.end_epoch(loss)
        return rates

    plain = torch.optim.Adam(small().parameters(), lr=0.1)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(plain, factor=0.1, patience=2)
    expected = []
    for loss in losses:
        expected.append(plain.param_groups[0]["lr"])
        plateau.step(loss)
    assert len(set(expected)) == 3
    assert ours(None) == expected
    assert ours(5) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("constant", [0.05, 0.1, 0.1, 0.1]),
        ("poly", [0.05, 0.1, 0.1, 0.1 * 0.5**0.9]),
        ("cosine", [0.05, 0.1, 0.1, 0.05]),
    ],
)
def test_courses_after_the_warm_up(name, expected):
    config = SegmentOptim(schedule=name, lr=0.1, warmup_epochs=1)
    schedule = OptimSchedule(make_optimizer(small(), config), config, epochs=2, steps_per_epoch=2, batch=1)
    assert [schedule.set(step) for step in range(4)] == pytest.approx(expected)


def test_lars_scales_by_the_norm_of_the_decayed_gradient():
    """As in the official DINO and Barlow Twins code; timm's divides by ‖g‖ + λ‖w‖ instead."""
    weight = nn.Parameter(torch.tensor([[3.0, 4.0]]))
    module = nn.Module()
    module.weight = weight
    optimizer = make_optimizer(module, OptimConfig(name="lars", lr=1.0, weight_decay=0.1, momentum=0.0))
    weight.grad = torch.tensor([[-0.3, 0.6]])
    decayed = weight.grad + 0.1 * weight.detach()
    expected = weight.detach() - 0.001 * 5 / decayed.norm() * decayed
    optimizer.step()
    torch.testing.assert_close(weight.detach(), expected)
