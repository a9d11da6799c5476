"""What is frozen: by family, and that batch norms of frozen parts stay as they are."""

from __future__ import annotations

import pytest
import torch

from sightline.models import Classifier, LinearHead, build_backbone
from sightline.models.freezing import freeze, is_frozen, last_stage


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("timm/test_resnet", "inner.layer4"),
        ("timm/test_vit", "inner.blocks.5"),
        ("timm/test_convnext", "inner.stages.3"),
        ("timm/densenet121", "inner.features.denseblock4"),
        ("timm/vgg11", "inner.pre_logits.fc2"),
        ("torchvision/resnet18", "inner.layer4"),
        ("torchvision/convnext_tiny", "inner.features.7"),
        ("torchvision/vit_b_32", "inner.encoder.layers.encoder_layer_11"),
        ("torchvision/regnet_y_400mf", "inner.trunk_output.block4"),
    ],
)
def test_the_last_stage_of_each_family(name, stage):
    backbone = build_backbone(name)
    assert last_stage(backbone) == stage
    freeze(backbone, "last-stage")
    learned = [name for name, parameter in backbone.named_parameters() if parameter.requires_grad]
    assert learned[0].startswith(stage)
    # With it goes only what comes after it: a last norm.
    assert all(name.startswith(stage) or "norm" in name or "ln" in name or "classifier" in name for name in learned)
    assert not is_frozen(backbone)


def test_all_and_head():
    backbone = build_backbone("timm/test_resnet")
    freeze(backbone, "all")
    assert all(parameter.requires_grad for parameter in backbone.parameters())
    freeze(backbone, "head")
    assert is_frozen(backbone)


@pytest.mark.parametrize("train", ["head", "last-stage"])
def test_frozen_batch_norms_stay_in_evaluation_mode_whatever_is_asked(train):
    backbone = build_backbone("timm/test_resnet")
    freeze(backbone, train)
    model = Classifier(backbone, LinearHead(backbone.dim, 3)).train()
    before = {name: value.clone() for name, value in backbone.named_buffers()}
    model(torch.randn(4, 3, 32, 32))
    moved = {name.split(".")[1] for name, value in backbone.named_buffers() if not torch.equal(value, before[name])}
    assert moved == ({"layer4"} if train == "last-stage" else set())
    assert model.head.training
    assert not any(module.training for module in model.eval().modules())
