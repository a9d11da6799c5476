"""Checkpoints: whole or not there."""

import json

import pytest
import torch
from timm.optim import param_groups_weight_decay
from torch import nn

from sightline.config import OptimConfig
from sightline.engine import checkpoint, make_optimizer
from sightline.errors import RunError


def test_what_is_saved_comes_back_bit_for_bit(tmp_path):
    tensors = {
        "a": torch.randn(3, 4),
        "b/c": torch.arange(5),
        "last": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
    }
    checkpoint.save(tmp_path, tensors, {"step": 3, "x": 0.1}, step=3)
    found = checkpoint.load(tmp_path)
    assert found is not None
    assert found.state == {"step": 3, "x": 0.1}
    assert all(torch.equal(found.tensors[name], value) for name, value in tensors.items())


def test_only_the_newest_is_kept(tmp_path):
    for step in (1, 2):
        checkpoint.save(tmp_path, {"a": torch.full((2,), float(step))}, {"step": step}, step)
    assert len(list(tmp_path.glob("tensors-*"))) == 1
    assert checkpoint.load(tmp_path).state["step"] == 2  # pyright: ignore[reportOptionalMemberAccess]


def test_an_unfinished_write_leaves_the_old_checkpoint(tmp_path):
    checkpoint.save(tmp_path, {"a": torch.ones(2)}, {"step": 1}, 1)
    (tmp_path / "tensors-000000002.safetensors").write_bytes(b"half a file")  # killed before the manifest
    assert checkpoint.load(tmp_path).state["step"] == 1  # pyright: ignore[reportOptionalMemberAccess]


def test_a_flipped_bit_is_found(tmp_path):
    checkpoint.save(tmp_path, {"a": torch.ones(1000)}, {}, 1)
    path = tmp_path / json.loads((tmp_path / "manifest.json").read_text())["tensors"]
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(RunError, match="does not match its checksum"):
        checkpoint.load(tmp_path)


def test_no_checkpoint_is_none(tmp_path):
    assert checkpoint.load(tmp_path / "nothing") is None


@pytest.mark.parametrize("name", ["sgd", "adamw", "lars"])
def test_an_optimizer_goes_on_exactly_where_it_was(name):
    def train(steps, stop=None):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
        optimizer = make_optimizer(net, OptimConfig(name=name, lr=0.1))
        for step in range(steps):
            if step == stop:
                kept = {k: v.clone() for k, v in checkpoint.optimizer_tensors(optimizer).items()}
                optimizer = make_optimizer(net, OptimConfig(name=name, lr=0.1))
                checkpoint.load_optimizer(optimizer, kept)
            optimizer.zero_grad()
            net(torch.full((3, 4), step + 1.0)).square().mean().backward()
            optimizer.step()
        return [p.detach().clone() for p in net.parameters()]

    assert all(torch.equal(a, b) for a, b in zip(train(6), train(6, stop=3), strict=True))


def test_sgd_is_torch_s_plain_one_and_lets_layers_stand_still():
    def train(make):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
        optimizer = make(net)
        for step in range(6):
            optimizer.zero_grad()
            net(torch.full((3, 4), step + 1.0)).square().mean().backward()
            if step < 3:
                net[1].weight.grad = None
            optimizer.step()
        return list(net.parameters())

    config = OptimConfig(name="sgd", lr=0.01, weight_decay=0.1)
    ours = train(lambda net: make_optimizer(net, config))
    plain = train(lambda n: torch.optim.SGD(param_groups_weight_decay(n, 0.1), lr=0.01, momentum=0.9, foreach=False))
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b)


def test_biases_and_norms_do_not_decay():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    groups = make_optimizer(net, OptimConfig(name="adamw", weight_decay=0.1)).param_groups
    assert {p.ndim for p in groups[0]["params"]} == {2, 4}
    assert {p.ndim for p in groups[1]["params"]} == {1}
    assert (groups[0]["weight_decay"], groups[1]["weight_decay"]) == (0.1, 0.0)


def test_a_state_that_is_no_tensor_is_refused():
    net = nn.Linear(2, 1)
    optimizer = make_optimizer(net, OptimConfig(name="sgd"))
    optimizer.state[net.weight]["count"] = 3
    with pytest.raises(TypeError, match="SGD holds count = 3 of parameter 0: expected a tensor"):
        checkpoint.optimizer_tensors(optimizer)
