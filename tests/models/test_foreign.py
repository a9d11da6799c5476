"""Checkpoints in the forms others write them, all of one torchvision ResNet-18."""

import argparse
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file

from sightline.errors import WeightsError
from sightline.models import load_backbone


@pytest.fixture(scope="module")
def states():
    """Return teacher, student: state dicts with a classifier, as torchvision writes them."""
    with torch.random.fork_rng():
        torch.manual_seed(11)
        return tuple(torchvision.models.resnet18(weights=None).state_dict() for _ in range(2))


def prefixed(state, prefix):
    return {prefix + name: value for name, value in state.items()}


def without_classifier(state):
    return {name: value for name, value in state.items() if not name.startswith("fc.")}


def head():
    return {"head.mlp.0.weight": torch.zeros(4, 512), "head.last_layer.weight_g": torch.ones(8, 1)}


def official_dino(teacher, student):
    """Return what main_dino.py saves: the arguments and a NumPy number among it."""
    inner = {
        network: {**prefixed(without_classifier(state), "module.backbone."), **prefixed(head(), "module.")}
        for network, state in (("student", student), ("teacher", teacher))
    }
    return {
        **inner,
        "optimizer": {"state": {0: {"momentum_buffer": torch.zeros(3)}}, "param_groups": [{"lr": np.float64(0.1)}]},
        "epoch": 100,
        "args": argparse.Namespace(arch="resnet18", lr=0.03, local_crops_scale=(0.05, 0.14)),
        "dino_loss": {"center": torch.zeros(1, 8)},
    }


def numbered(state):
    """Return the state of nn.Sequential(*list(resnet.children())[:-1])."""
    parts = {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7}
    return {
        f"{parts[name.split('.')[0]]}.{name.partition('.')[2]}": value
        for name, value in without_classifier(state).items()
    }


def hugging_face(state):
    """Return a ResNet's tensors by the names that transformers' ResNetModel gives them."""
    renamed = {}
    for name, value in state.items():
        first, _, rest = name.partition(".")
        if not first.startswith("layer"):
            part = {"conv1": "convolution", "bn1": "normalization"}[first]
            renamed[f"embedder.embedder.{part}.{rest}"] = value
            continue
        block, part, leaf = rest.split(".", 2)
        if part == "downsample":
            number, leaf = leaf.split(".")
            part = f"shortcut.{('convolution', 'normalization')[int(number)]}"
        else:
            kind = "convolution" if part.startswith("conv") else "normalization"
            part = f"layer.{int(part[-1]) - 1}.{kind}"
        renamed[f"encoder.stages.{int(first[-1]) - 1}.layers.{block}.{part}.{leaf}"] = value
    return renamed


FORMS = {
    "torchvision": lambda t, s: t,
    "DINO, backbone only": lambda t, s: without_classifier(t),
    "DINO, full": official_dino,
    "MoCo": lambda t, s: {
        "epoch": 1,
        "arch": "resnet18",
        "state_dict": {**prefixed(s, "module.encoder_k."), **prefixed(t, "module.encoder_q.")},
    },
    "MoCo v3": lambda t, s: {
        "state_dict": {**prefixed(s, "module.momentum_encoder."), **prefixed(t, "module.base_encoder.")}
    },
    "solo-learn": lambda t, s: {"state_dict": {**prefixed(t, "backbone."), **prefixed(s, "momentum_backbone.")}},
    "solo-learn, older": lambda t, s: {"state_dict": prefixed(t, "encoder.")},
    "lightly": lambda t, s: {**prefixed(s, "student_backbone."), **prefixed(t, "teacher_backbone.")},
    "timm training": lambda t, s: {"arch": "resnet18", "state_dict": s, "state_dict_ema": t},
    "DataParallel": lambda t, s: {"model": prefixed(t, "module.")},
    "lightly, numbered": lambda t, s: {"state_dict": prefixed(numbered(t), "backbone.")},
    "lightly, numbered, alone": lambda t, s: numbered(t),
    "Hugging Face": lambda t, s: prefixed(hugging_face(without_classifier(t)), "resnet."),
    "something deep": lambda t, s: {"a": {"b": {"trunk": {"_feature_blocks": t}}}},
}


def assert_loaded(loaded, state):
    assert len(loaded.report.matched) == len(without_classifier(state))
    assert not loaded.report.missing
    assert not loaded.report.mismatched
    for name, value in loaded.backbone.inner.state_dict().items():
        torch.testing.assert_close(value, state[name])


@pytest.mark.parametrize("architecture", ["timm/resnet18", "torchvision/resnet18"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_found_and_loaded(form, architecture, states, tmp_path):
    teacher, student = states
    path = tmp_path / "checkpoint.pth"
    torch.save(FORMS[form](teacher, student), path)
    assert_loaded(load_backbone(path, architecture), teacher)


def test_a_full_dino_checkpoint_of_the_time_of_numpy_1(states, tmp_path):
    path, old = tmp_path / "new.pth", tmp_path / "old.pth"
    torch.save(official_dino(*states), path)
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(old, "w") as target:
        for member in source.infolist():
            content = source.read(member)
            if member.filename.endswith("data.pkl"):
                assert b"numpy._core" in content
                content = content.replace(b"numpy._core", b"numpy.core")
            target.writestr(member.filename, content)
    assert_loaded(load_backbone(old, "resnet18"), states[0])


@pytest.mark.parametrize("form", ["DINO, full", "lightly", "timm training"])
def test_the_student_when_asked_for(form, states, tmp_path):
    teacher, student = states
    torch.save(FORMS[form](teacher, student), tmp_path / "checkpoint.pt")
    assert_loaded(load_backbone(tmp_path / "checkpoint.pt", "resnet18", network="student"), student)


def test_safetensors(states, tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(prefixed(states[0], "model.backbone."), path)
    loaded = load_backbone(path, "resnet18")
    assert_loaded(loaded, states[0])
    assert loaded.report.prefix == "model.backbone."
    assert str(loaded.report) == (
        "120 of 122 tensors used; not used: fc.bias, fc.weight; missing: none; found under model.backbone."
    )


def test_the_published_stem_into_a_small_one_is_refused(states, tmp_path):
    torch.save(states[0], tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"other shape: conv1\.weight.*--set stem=published"):
        load_backbone(tmp_path / "a.pth", "resnet18", stem="3x3")


def test_a_missing_layer_is_refused_and_named(states, tmp_path):
    kept = {name: value for name, value in states[0].items() if not name.startswith("layer4")}
    torch.save(kept, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"missing: layer4\.0\.conv1\.weight"):
        load_backbone(tmp_path / "a.pth", "resnet18")


def test_the_architecture_that_fits_is_named(tmp_path):
    torch.save(torchvision.models.resnet34().state_dict(), tmp_path / "a.pth")
    words = r"left over: layer1\.2.*fits timm/resnet34 or torchvision/resnet34: --backbone resnet34"
    with pytest.raises(WeightsError, match=words):
        load_backbone(tmp_path / "a.pth", "resnet18")


def test_another_architecture_is_refused(states, tmp_path):
    torch.save(states[0], tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"does not fit timm/test_vit.*0 of 122.*--backbone resnet18"):
        load_backbone(tmp_path / "a.pth", "timm/test_vit")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_blamed_on_their_file(value, states, tmp_path):
    broken = {**states[0], "layer3.0.conv1.weight": torch.full_like(states[0]["layer3.0.conv1.weight"], value)}
    torch.save(broken, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"a\.pth: 1 of its tensors hold NaN or infinity: layer3\.0\.conv1\.weight"):
        load_backbone(tmp_path / "a.pth", "resnet18")


@pytest.mark.parametrize("content", [{"epoch": 3}, [1, 2], 7, torch.zeros(3)])
def test_a_file_without_named_tensors_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="holds no tensors by name"):
        load_backbone(tmp_path / "a.pth", "resnet18")


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_checkpoint_is_not_run(legacy, states, tmp_path):
    path, proof = tmp_path / "evil.pth", tmp_path / "ran"
    torch.save({"state_dict": states[0], "x": Bomb(str(proof))}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError, match=r"runs no code from a checkpoint.*safetensors") as caught:
        load_backbone(path, "resnet18")
    assert not proof.exists()
    assert "\x1b" not in str(caught.value), "torch writes parts of its message in bold"


def test_a_bare_pickle_is_not_run(tmp_path):
    path, proof = tmp_path / "evil.pt", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Bomb(str(proof))))
    with pytest.raises(WeightsError, match=r"evil\.pt"):
        load_backbone(path, "resnet18")
    assert not proof.exists()


@pytest.mark.parametrize("name", ["a.pth", "a.pt", "a.safetensors"])
@pytest.mark.parametrize("content", [b"", b"<html>404</html>", bytes(range(256)) * 40])
def test_damaged_files_are_named(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=name):
        load_backbone(tmp_path / name, "resnet18")


def test_a_truncated_checkpoint_is_named(states, tmp_path):
    path = tmp_path / "a.pth"
    torch.save(states[0], path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(WeightsError, match=r"a\.pth"):
        load_backbone(path, "resnet18")


def test_the_architecture_is_asked_for(states, tmp_path):
    torch.save(states[0], tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="--backbone"):
        load_backbone(tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="no such run folder or file"):
        load_backbone(tmp_path / "b.pth", "resnet18")
