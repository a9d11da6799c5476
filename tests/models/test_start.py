"""Where a run begins: which of a checkpoint's two networks is taken is the run's to say."""

from __future__ import annotations

import pytest
import torch

from sightline.config import ClassifyConfig, SegmentConfig
from sightline.models.backbones import build_backbone
from sightline.models.start import initial_backbone


@pytest.mark.parametrize("cls", [ClassifyConfig, SegmentConfig])
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
    loaded = initial_backbone(config).backbone.state_dict()
    for key, value in states[network].items():
        assert torch.equal(loaded[key], value), key
