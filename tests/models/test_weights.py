"""Our own weights: written with a checksum, read back bit for bit, damage refused."""

import json

import pytest
import torch

from sightline.config import PretrainConfig
from sightline.errors import RunError, WeightsError
from sightline.models import LinearHead, build_backbone, load_backbone, read_description, save_model
from sightline.runs import RunFolder

CONFIG = PretrainConfig.model_validate({"data": {"source": "nowhere"}, "backbone": "resnet18"})


@pytest.fixture
def run(tmp_path):
    return RunFolder.create(tmp_path / "run", CONFIG, kind="pretrain", fingerprint="0")


def description(backbone, kind="backbone"):
    return {"kind": kind, "backbone": backbone.name, "stem": backbone.stem, "dim": backbone.dim}


@pytest.mark.parametrize(("name", "stem"), [("resnet18", "3x3"), ("timm/test_vit", "published")])
def test_a_backbone_comes_back_bit_for_bit(run, name, stem):
    backbone = build_backbone(name, stem, seed=3).to(memory_format=torch.channels_last)
    save_model(run, backbone.state_dict(), description(backbone))
    loaded = load_backbone(run.path)
    assert (loaded.backbone.name, loaded.backbone.stem) == (name, stem)
    assert loaded.description["dim"] == loaded.backbone.dim
    assert len(loaded.report.matched) == len(backbone.state_dict())
    for key, value in backbone.state_dict().items():
        assert torch.equal(loaded.backbone.state_dict()[key], value)


def test_the_backbone_of_a_classifier(run):
    backbone, head = build_backbone("timm/test_resnet", seed=3), LinearHead(4, 2)
    state = {f"backbone.{key}": value for key, value in backbone.state_dict().items()}
    state |= {f"head.{key}": value for key, value in head.state_dict().items()}
    save_model(run, state, description(backbone, "classifier"))
    loaded = load_backbone(run.path).backbone.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in backbone.state_dict().items())


def test_a_runs_weights_are_a_checkpoint_like_any_other(run):
    backbone = build_backbone("timm/test_resnet", seed=3)
    save_model(run, backbone.state_dict(), description(backbone))
    loaded = load_backbone(run.weights, "timm/test_resnet")
    assert loaded.report.prefix == "inner."
    assert not loaded.report.missing


def test_equal_weights_make_equal_files(run, tmp_path):
    other = RunFolder.create(tmp_path / "other", CONFIG, kind="pretrain", fingerprint="0")
    for each in (run, other):
        backbone = build_backbone("timm/test_resnet", seed=3)
        save_model(each, backbone.state_dict(), description(backbone))
    assert run.weights.read_bytes() == other.weights.read_bytes()
    assert run.model_json.read_bytes() == other.model_json.read_bytes()


def test_one_flipped_bit_is_found(run):
    backbone = build_backbone("timm/test_resnet")
    save_model(run, backbone.state_dict(), description(backbone))
    content = bytearray(run.weights.read_bytes())
    content[-5] ^= 1
    run.weights.write_bytes(content)
    with pytest.raises(WeightsError, match=r"checksum in model\.json.*damaged"):
        load_backbone(run.path)


def test_weights_that_are_not_finite_are_refused_though_their_checksum_is_right(run):
    backbone = build_backbone("timm/test_resnet")
    state = {name: value * float("nan") for name, value in backbone.state_dict().items()}
    save_model(run, state, description(backbone))
    with pytest.raises(WeightsError, match="hold NaN or infinity"):
        load_backbone(run.path)


def test_a_missing_or_undescribed_file_is_named(run):
    with pytest.raises(RunError, match=r"no weights.*--resume"):
        read_description(run)
    backbone = build_backbone("timm/test_resnet")
    save_model(run, backbone.state_dict(), description(backbone))
    run.weights.unlink()
    with pytest.raises(WeightsError, match="is missing"):
        read_description(run)


def test_a_description_without_checksum_is_refused(run):
    backbone = build_backbone("timm/test_resnet")
    save_model(run, backbone.state_dict(), description(backbone))
    run.model_json.write_text(json.dumps(description(backbone)))
    with pytest.raises(WeightsError, match="checksum"):
        load_backbone(run.path)


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(RunError):
        load_backbone(tmp_path)
