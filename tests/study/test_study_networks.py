"""Where weights bring a network of their own, random weights in that network are what they are compared with."""

from __future__ import annotations

from pathlib import Path

import torch

from sightline.config import ClassifyConfig, StudyConfig
from sightline.models import InitialBackbone
from sightline.study.arms import arms_of, pairs_of, parse_arm, questions_of
from sightline.study.plan import expand

SMALL = {"recipe": "dino-demo", "data": {"source": "photos"}, "set": {"backbone": "resnet10t", "stem": "published"}}


def study(arms: tuple[str, ...], **blocks) -> StudyConfig:
    data = {"classify": {"data": {"source": "labelled"}}, "segment": {"data": {"source": "tiles"}}}
    return StudyConfig.build(
        {"name": "networks", "arms": list(arms), "seeds": [0], "pretrain": SMALL, **data, **blocks}
    )


def test_arms_of_one_network_need_no_control(tmp_path):
    config = study(("A", "C", "E", "unet", "unet-own", "unet-own-drop-2"))
    assert [arm.name for arm in arms_of(config)] == list(config.arms)
    assert {node.config.to_dict()["backbone"] for node in expand(config, tmp_path)} == {"resnet10t"}


def test_own_weights_of_another_encoder_get_random_ones_in_it(tmp_path):
    config = study(("unet", "unet-own"), segment={"data": {"source": "tiles"}, "set": {"backbone": "resnet18"}})
    arms = arms_of(config)
    assert [arm.name for arm in arms] == ["unet", "unet-own", "unet-as-own"]
    control = next(node for node in expand(config, tmp_path) if node.name == "unet-as-own-0")
    assert control.needs == ("pretrain",)
    settings = control.config.to_dict()
    assert (settings["random_weights"], settings["init"]) == (True, str(tmp_path / "runs" / "pretrain"))
    assert pairs_of(arms) == [("unet-own", "unet-as-own")]
    questions = {question.heading: question.pairs for question in questions_of(arms)}
    assert questions["Do your own weights help a segmentation encoder?"] == (("unet-own", "unet-as-own"),)
    assert parse_arm("unet-as-own").title == "U-Net, random weights in the network of the own weights"


def test_published_weights_of_another_network_get_random_ones_in_it():
    arms = arms_of(study(("A", "B", "C", "D"), reference={"weights": "dino-resnet50"}))
    assert [arm.name for arm in arms] == ["A", "B", "C", "D", "A-as-reference"]
    assert pairs_of(arms) == [("B", "C"), ("C", "A"), ("B", "D"), ("B", "A-as-reference")]
    headings = [question.heading for question in questions_of(arms) if ("B", "A-as-reference") in question.pairs]
    assert headings == ["What are the reference’s weights worth in their own network?"]
    assert arms_of(study(("A", "B", "C"), reference={"weights": "timm/resnet10t.c3_in1k"}))[-1].name == "C"


def test_random_weights_in_the_network_of_a_run(tmp_path: Path):
    def start(**keys):
        config = ClassifyConfig.build({"data": {"source": "x"}, "backbone": "resnet18", "seed": 3, **keys})
        return InitialBackbone.of(config)

    weights = tmp_path / "weights.pth"
    torch.save(start(backbone="timm/test_resnet").backbone.state_dict(), weights)
    loaded = start(backbone="timm/test_resnet", init=str(weights), seed=4)
    control = start(backbone="timm/test_resnet", init=str(weights), random_weights=True)
    assert (control.source, control.matched, control.checksum) == ("none", "", "")
    assert control.backbone.name == loaded.backbone.name
    assert control.preprocessing == loaded.preprocessing
    fresh = start(backbone="timm/test_resnet", seed=3).backbone.state_dict()
    assert all(torch.equal(value, fresh[name]) for name, value in control.backbone.state_dict().items())
