"""Networks written and read back, described, drawn, exported."""

import json
import logging

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from PIL import Image
from safetensors.torch import load_file

from sightline.config import PretrainConfig
from sightline.errors import ConfigError, RunError, SightlineError, WeightsError
from sightline.figures import architecture_panel, png, svg
from sightline.models import build_backbone, load_backbone, save_model
from sightline.models.segmentation import (
    SkipPolicy,
    build_segmenter,
    describe,
    export_library,
    export_onnx,
    load_encoder,
    load_segmenter,
    policy_of,
    save_segmenter,
)
from sightline.models.segmentation import export as export_module
from sightline.runs import RunFolder
from sightline.runs.architecture import ArchitectureDescription

CONFIG = PretrainConfig.model_validate({"data": {"source": "nowhere"}, "backbone": "resnet18"})
CLASSES = {"classes": ["road", "field"], "palette": [[0, 0, 0], [0, 255, 0]]}


@pytest.fixture
def run(tmp_path):
    return RunFolder.create(tmp_path / "run", CONFIG, kind="segment", fingerprint="0")


def images(batch=2, height=64, width=64):
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("model", "stem", "policy"),
    [
        ("unet", "3x3", SkipPolicy("deepest")),
        ("unet", "published", SkipPolicy("all", "structural", True)),
        ("unet", "published", SkipPolicy("random")),
        ("deeplabv3plus", "published", None),
    ],
)
def test_a_network_comes_back_bit_for_bit(run, model, stem, policy):
    network = build_segmenter(model, "resnet18", 2, stem=stem, policy=policy, seed=3)
    save_segmenter(run, network, {**CLASSES, "kind": "anything"})
    loaded = load_segmenter(run.path)
    assert not loaded.segmenter.training
    assert loaded.description["kind"] == "segmenter"
    assert loaded.description["palette"] == CLASSES["palette"]
    assert policy_of(loaded.segmenter) == (policy or SkipPolicy())
    state = network.state_dict()
    assert all(torch.equal(state[name], value) for name, value in loaded.segmenter.state_dict().items())
    with torch.no_grad():
        assert torch.equal(loaded.segmenter(images()), network.eval()(images()))


def test_other_runs_and_other_weights_are_named(run):
    backbone = build_backbone("timm/test_resnet")
    save_model(run, backbone.state_dict(), {"kind": "backbone", "backbone": backbone.name, "stem": "published"})
    with pytest.raises(RunError, match="holds a backbone"):
        load_segmenter(run.path)
    network = build_segmenter("unet", "timm/test_resnet", 2)
    save_segmenter(run, network, CLASSES)
    description = {k: v for k, v in json.loads(run.model_json.read_text()).items() if k != "sha256"}
    save_model(run, network.state_dict(), {**description, "outputs": 5})
    with pytest.raises(WeightsError, match="does not fit unet"):
        load_segmenter(run.path)


def test_an_own_runs_weights_load_through_a_run_folder(run):
    backbone = build_backbone("resnet18", "3x3", seed=9)
    save_model(run, backbone.state_dict(), {"kind": "backbone", "backbone": "resnet18", "stem": "3x3"})
    loaded = load_backbone(run.path)
    network = build_segmenter("unet", "resnet18", 3, stem="3x3")
    report = load_encoder(network, loaded.backbone.state_dict(), str(run.path))
    assert len(report.matched) == len(backbone.state_dict())
    own = network.encoder.state_dict()
    assert all(torch.equal(own[name], value) for name, value in backbone.state_dict().items())


def test_a_u_nets_encoder_is_a_backbone_again(run):
    network = build_segmenter("unet", "resnet18", 2, seed=3)
    save_segmenter(run, network, CLASSES)
    state = load_backbone(run.path).backbone.state_dict()
    own = network.encoder.state_dict()
    assert set(state) == set(own)
    assert all(torch.equal(own[name], value) for name, value in state.items())
    save_segmenter(run, build_segmenter("deeplabv3plus", "resnet18", 2), CLASSES)
    with pytest.raises(RunError, match="deeplabv3plus does not keep a backbone"):
        load_backbone(run.path)


# -- describing and drawing
def test_a_description_is_what_ran():
    network = build_segmenter("unet", "resnet18", 7, policy=SkipPolicy("deepest"))
    found = describe(network, 128, 100)
    assert network.training
    assert (found.height, found.width) == (128, 128)
    assert found.parameters == sum(value.numel() for value in network.parameters())
    parts = [stage.parameters for stage in found.stages]
    assert sum(parts) == found.parameters
    by_name = {stage.name: stage for stage in found.stages}
    assert [by_name[f"encoder.{i}"].label for i in (1, 4, 5)] == ["stem", "layer3", "layer4"]
    assert (by_name["encoder.4"].stride, by_name["encoder.4"].channels, by_name["encoder.4"].height) == (16, 256, 8)
    assert [(skip.index, skip.stride, skip.state) for skip in found.skips] == [
        (1, 2, "kept"),
        (2, 4, "kept"),
        (3, 8, "kept"),
        (4, 16, "zeroed"),
    ]
    assert ArchitectureDescription.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert found.drop == "deepest"


def test_deeplabs_rates_are_read_from_the_module():
    found = describe(build_segmenter("deeplabv3plus", "resnet18", 7))
    assert found.aspp_rates == (12, 24, 36)
    assert [(skip.index, skip.state) for skip in found.skips] == [(2, "fixed")]


@pytest.mark.parametrize(
    ("model", "encoder", "policy"),
    [
        ("unet", "timm/test_resnet", SkipPolicy("deepest")),
        ("unet", "timm/test_convnext", SkipPolicy("random")),
        ("deeplabv3plus", "resnet18", None),
        ("fpn", "resnet18", None),
    ],
)
def test_a_diagram_shows_every_stage(tmp_path, model, encoder, policy):
    network = build_segmenter(model, encoder, 7, policy=policy)
    found = describe(network, 128, 128)
    panel = architecture_panel(found)
    text = svg(panel)
    assert "7 classes" in text
    for stage in found.stages:
        assert f"{stage.channels} × {stage.height}×{stage.width}" in text
    assert ("zeroed" in text) == (policy is not None and policy.drop == "deepest")
    assert ("rate 24" in text) == (model == "deeplabv3plus")
    assert text == svg(panel)
    with Image.open(png([panel], tmp_path / "a.png", columns=1)) as picture:
        assert np.asarray(picture.convert("L")).std() > 5


# -- exporting
@pytest.fixture
def quiet():
    """The exporter logs every shape that it thinks of, and pytest keeps every record: seconds of them."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    ("model", "encoder", "stem", "policy"),
    [
        ("unet", "timm/test_resnet", "published", SkipPolicy("deepest")),
        pytest.param("unet", "resnet18", "3x3", None, marks=pytest.mark.slow),
        pytest.param("unet", "timm/test_convnext", "published", None, marks=pytest.mark.slow),
        pytest.param("deeplabv3plus", "resnet18", "3x3", None, marks=pytest.mark.slow),
        pytest.param("fpn", "resnet18", "published", None, marks=pytest.mark.slow),
    ],
)
def test_onnx_takes_any_size_and_gives_the_same(tmp_path, quiet, model, encoder, stem, policy):
    runtime = pytest.importorskip("onnxruntime")
    network = build_segmenter(model, encoder, 3, stem=stem, policy=policy)
    report = export_onnx(network, tmp_path / "network.onnx")
    assert network.training
    assert report.max_difference < 1e-4 * report.largest_logit
    session = runtime.InferenceSession(report.path, providers=["CPUExecutionProvider"])
    x = images(3, report.smallest + 13, report.smallest + 50)
    (found,) = session.run(["logits"], {"images": x.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(found), network.eval()(x), rtol=1e-3, atol=1e-5)


def test_an_export_that_differs_is_not_written(tmp_path, monkeypatch):
    network = build_segmenter("unet", "resnet18", 3)
    monkeypatch.setattr(export_module, "_folded", lambda n: {k: v * 1.01 for k, v in n.state_dict().items()})
    with pytest.raises(SightlineError, match="Nothing was written"):
        export_library(network, tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("model", "encoder", "policy"),
    [
        ("unet", "resnet18", None),
        ("unet", "torchvision/resnet18", SkipPolicy("deepest")),
        ("unet", "timm/test_convnext", SkipPolicy("all")),
        ("deeplabv3plus", "resnet18", None),
        ("fpn", "timm/test_efficientnet", None),
    ],
)
def test_segmentation_models_pytorch_loads_what_is_exported(tmp_path, model, encoder, policy):
    network = build_segmenter(model, encoder, 3, policy=policy, seed=2)
    network(images(4))  # statistics that are not the first ones
    report = export_library(network, tmp_path / "out")
    assert report.max_difference < 1e-4 * report.largest_logit
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["config.json", "model.safetensors", "out"]
    theirs = smp.from_pretrained(str(tmp_path / "out")).eval()
    theirs.load_state_dict(load_file(tmp_path / "out" / "model.safetensors"), strict=True)
    with torch.no_grad():
        torch.testing.assert_close(theirs(images()), network.eval()(images()), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("stem", "policy", "hint"),
    [("3x3", None, "stem = '3x3'"), ("published", SkipPolicy("deepest", "structural"), "1 tensors")],
)
def test_what_the_library_cannot_build_is_refused(tmp_path, stem, policy, hint):
    network = build_segmenter("unet", "resnet18", 3, stem=stem, policy=policy)
    with pytest.raises(ConfigError, match=hint):
        export_library(network, tmp_path / "out")
