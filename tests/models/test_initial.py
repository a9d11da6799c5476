"""Where a run begins: random weights, the reference, a file; of a checkpoint's two networks the one asked for."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

import sightline as sl
from sightline.config import ClassifyConfig, PretrainConfig, SegmentConfig
from sightline.errors import NotAvailable, WeightsError
from sightline.models.backbones import build_backbone
from sightline.models.initial import initial_backbone


@pytest.mark.parametrize("cls", [PretrainConfig, ClassifyConfig, SegmentConfig])
@pytest.mark.parametrize("network", ["teacher", "student"])
def test_a_run_takes_the_network_it_asks_for(tmp_path, cls, network):
    states = {
        name: build_backbone("timm/test_resnet", seed=seed).state_dict()
        for seed, name in enumerate(("teacher", "student"))
    }
    path = tmp_path / "both.pth"
    torch.save(
        {name: {f"backbone.{key}": value for key, value in state.items()} for name, state in states.items()}, path
    )
    config = cls.build({"data": {"source": "x"}, "backbone": "timm/test_resnet", "init": str(path), "network": network})
    loaded = initial_backbone(
        config.init, config.backbone, config.stem, 0, reference="", network=config.network
    ).backbone.state_dict()
    for key, value in states[network].items():
        assert torch.equal(loaded[key], value), key


def test_pretraining_begins_with_reference_weights(tmp_path, class_folder):
    published = build_backbone("timm/test_resnet", seed=7)
    torch.save(published.inner.state_dict(), tmp_path / "reference.pth")
    run = sl.pretrain(
        class_folder,
        tmp_path / "run",
        backbone="timm/test_resnet",
        init="reference",
        reference=str(tmp_path / "reference.pth"),
        epochs=1,
        batch_size=30,
        precision="32-true",
        head_warmup_epochs=1,
        method={"prototypes": 16, "hidden": 16, "bottleneck": 8},
        views={"global_size": 32, "local_size": 16, "local_crops": 1},
    )
    # The backbone stood still while the head warmed up: it is the reference, but for batch-norm statistics.
    found = load_file(run.path / "weights.safetensors")
    for name, value in published.named_parameters():
        torch.testing.assert_close(found[name], value, msg=name)


@pytest.mark.parametrize("network", ["teacher", "student"])
def test_a_reference_file_gives_the_network_asked_for(tmp_path, network):
    states = {
        name: build_backbone("timm/test_resnet", seed=seed).inner.state_dict()
        for seed, name in enumerate(("teacher", "student"))
    }
    path = tmp_path / "both.pth"
    torch.save({name: {f"backbone.{key}": v for key, v in state.items()} for name, state in states.items()}, path)
    start = initial_backbone("reference", "timm/test_resnet", "published", 0, reference=str(path), network=network)
    assert start.source == str(path)
    found = start.backbone.inner.state_dict()
    assert all(torch.equal(value, found[key]) for key, value in states[network].items())


def test_random_weights_say_so_and_a_published_name_is_taken_as_one(monkeypatch):
    start = initial_backbone("none", "timm/test_resnet", "published", 3, reference="")
    assert (start.source, start.matched, start.checksum) == ("none", "", "")
    expected = build_backbone("timm/test_resnet", seed=3).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in start.backbone.state_dict().items())
    assert start.preprocessing.mean == (0.485, 0.456, 0.406)
    with pytest.raises(NotAvailable, match=r"resnet18\.a1_in1k could not be fetched"):
        initial_backbone("timm/resnet18.a1_in1k", "resnet50", "published", 0, reference="")
    with pytest.raises(WeightsError, match="no such run folder or file"):
        initial_backbone("runs/nowhere", "resnet50", "published", 0, reference="")
