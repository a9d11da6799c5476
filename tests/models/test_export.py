"""Exports: what ONNX Runtime, timm, transformers and segmentation-models-pytorch load is what the run holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import timm
import torch

from sightline.cli.main import run as command_line
from sightline.errors import ConfigError, SightlineError
from sightline.files.atomic import write_json
from sightline.models import build_backbone
from sightline.models.export import Network, export_network_onnx, export_timm, export_transformers, load_network
from sightline.models.heads import LinearHead
from sightline.models.parity import compare, pictures
from sightline.models.segmentation import SkipPolicy, build_segmenter, export_library, export_onnx, save_segmenter
from sightline.models.weights import save_model
from sightline.runs import RunFolder
from sightline.runs.info import RunInfo

PREPROCESSING = {"input_size": 64, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}
CLASSES = ["ant", "bee", "cat"]


def network(name: str = "timm/resnet10t", classes: bool = True, stem="published") -> Network:
    """Return a network whose batch norms are not the identity, so that lost statistics would show."""
    backbone = build_backbone(name, stem).train()
    with torch.no_grad():
        backbone(2 * pictures(8, 64, 64) + 1)
    kind = {"kind": "classifier", "classes": CLASSES} if classes else {"kind": "backbone"}
    description = {**kind, "backbone": name, "stem": stem, "dim": backbone.dim, "preprocessing": PREPROCESSING}
    torch.manual_seed(1)
    head = LinearHead(backbone.dim, 3) if classes else None
    if head is not None:
        torch.nn.init.normal_(head.weight)
        torch.nn.init.normal_(head.bias)
    return Network(backbone, head, description).eval()


def info(kind: str) -> dict:
    made = RunInfo(
        kind=kind, status="done", reason="", fingerprint="", seed=0, timings={}, started="2026-01-01", finished=""
    )
    return made.to_dict()


def as_run(folder: Path, state: dict[str, torch.Tensor], description: dict) -> RunFolder:
    folder.mkdir(parents=True)
    kind = "classify" if description["kind"] == "classifier" else "pretrain"
    write_json(folder / "run.json", info(kind))
    run = RunFolder.open(folder)
    save_model(run, state, description)
    return run


def saved(folder: Path, net: Network) -> RunFolder:
    state = net.state_dict() if net.head is not None else net.backbone.state_dict()
    return as_run(folder, state, net.description)


@torch.no_grad()
def outputs(net: torch.nn.Module, images: torch.Tensor) -> np.ndarray:
    return net(images).numpy()


@pytest.mark.parametrize("classes", [True, False])
def test_a_run_is_loaded_as_it_was_saved(tmp_path: Path, classes: bool):
    net = network(classes=classes)
    loaded = load_network(saved(tmp_path / "run", net))
    assert (outputs(loaded, pictures(2, 64, 64)) == outputs(net, pictures(2, 64, 64))).all()


@pytest.mark.parametrize("classes", [True, False])
def test_timm_loads_its_folder(tmp_path: Path, classes: bool):
    net, images = network(classes=classes), pictures(3, 64, 64)
    export_timm(net, tmp_path / "out")
    model = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True).eval()
    np.testing.assert_allclose(outputs(model, images), outputs(net, images), rtol=1e-4, atol=1e-4)
    assert model.num_classes == (3 if classes else 0)
    config = timm.data.resolve_model_data_config(model)
    assert (list(config["input_size"]), list(config["mean"]), config["crop_pct"]) == ([3, 64, 64], [0.4, 0.5, 0.6], 1.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("classes", [True, False])
def test_transformers_loads_it_too(tmp_path: Path, classes: bool):
    import transformers

    net, images = network(classes=classes), pictures(3, 64, 64)
    written = export_transformers(net, tmp_path / "out")
    if classes:
        model = transformers.AutoModelForImageClassification.from_pretrained(str(tmp_path / "out")).eval()
        assert model.config.id2label == dict(enumerate(CLASSES))
        found = model(images).logits
    else:
        model = transformers.AutoModel.from_pretrained(str(tmp_path / "out")).eval()
        found = model(images).pooler_output
    np.testing.assert_allclose(found.detach().numpy(), outputs(net, images), rtol=1e-4, atol=1e-4)
    assert written.max_difference < 1e-4 * written.largest


@pytest.mark.parametrize("stem", ["published", "3x3"])
@pytest.mark.parametrize("classes", [True, False])
def test_onnx_runtime_gives_the_same(tmp_path: Path, classes: bool, stem):
    runtime = pytest.importorskip("onnxruntime")
    net, images = network("timm/resnet18", classes, stem), pictures(5, 64, 64)
    export_network_onnx(net, tmp_path / "a.onnx")
    session = runtime.InferenceSession(tmp_path / "a.onnx")
    (found,) = session.run(["logits" if classes else "features"], {"images": images.numpy()})
    np.testing.assert_allclose(found, outputs(net, images), rtol=1e-3, atol=1e-4)
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["mean"]) == PREPROCESSING["mean"]
    assert json.loads(metadata.get("classes", "[]")) == (CLASSES if classes else [])


@pytest.mark.parametrize(
    ("name", "stem", "reason"),
    [("torchvision/resnet18", "published", "is torchvision's"), ("timm/resnet18", "3x3", "stem = '3x3'")],
)
def test_what_timm_does_not_have_is_refused_with_the_way_out(tmp_path: Path, name, stem, reason):
    with pytest.raises(ConfigError, match=f"{reason}.*export to ONNX"):
        export_timm(network(name, stem=stem), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_where_the_other_program_differs(tmp_path: Path, monkeypatch):
    wrong = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    monkeypatch.setattr("sightline.models.export.timm.create_model", _wrong_where_local(timm.create_model, wrong))
    with pytest.raises(SightlineError, match="timm gives outputs"):
        export_timm(network(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SightlineError, match=r"differ by 0\.5"):
        compare([(np.ones((2, 3)), np.full((2, 3), 1.5))], "another program")
    with pytest.raises(SightlineError, match="differ by nan"):
        compare([(np.ones(2), np.array([1, np.nan]))], "another program")


def _wrong_where_local(create, wrong):
    return lambda name, **keys: wrong if name.startswith("local-dir:") else create(name, **keys)


# -- segmenters
def segmenter(**keys):
    net = build_segmenter("unet", "timm/resnet10t", 4, **keys).train()
    with torch.no_grad():
        net(pictures(4, 64, 64))
    return net.eval()


def test_a_segmenter_runs_in_onnx_runtime_at_any_size(tmp_path: Path):
    runtime = pytest.importorskip("onnxruntime")
    net = segmenter()
    report = export_onnx(net, tmp_path / "a.onnx")
    session = runtime.InferenceSession(tmp_path / "a.onnx")
    for height, width in ((report.smallest, report.smallest), (97, 130)):
        images = pictures(2, height, width)
        (found,) = session.run(["logits"], {"images": images.numpy()})
        np.testing.assert_allclose(found, outputs(net, images), rtol=1e-3, atol=1e-4)


def test_segmentation_models_pytorch_loads_its_folder(tmp_path: Path):
    net = build_segmenter("unet", "resnet18", 4, policy=SkipPolicy("deepest")).eval()
    export_library(net, tmp_path / "out")
    model = smp.from_pretrained(str(tmp_path / "out")).eval()
    images = pictures(2, 64, 96)
    np.testing.assert_allclose(outputs(model, images), outputs(net, images), rtol=1e-4, atol=1e-4)


# -- the command line
def test_the_command_line_exports_each_kind(tmp_path: Path, capsys):
    pytest.importorskip("onnxruntime")
    classifier = saved(tmp_path / "classifier", network())
    unet = RunFolder(tmp_path / "unet")
    unet.path.mkdir()
    write_json(unet.path / "run.json", info("segment"))
    save_segmenter(unet, build_segmenter("unet", "resnet18", 2), {"classes": ["a", "b"]})
    for run, name in ((classifier, "timm"), (classifier, "onnx"), (unet, "smp"), (unet, "onnx")):
        assert command_line(["export", str(run.path), "--format", name, "--json"]) == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert Path(row["wrote"]).exists()
        assert Path(row["wrote"]).is_relative_to(run.path / "export")
        assert row["largest difference"] < 1e-4 * max(row["largest output"], 1)
    assert command_line(["export", str(unet.path), "--format", "timm"]) == 2
    assert "holds a segment run, which is exported as onnx, smp, hf" in capsys.readouterr().err
    assert command_line(["export", str(classifier.path), "--format", "smp"]) == 2
    assert "exported as onnx, timm, hf" in capsys.readouterr().err
