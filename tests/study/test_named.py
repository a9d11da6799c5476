"""Published comparisons by name: their files, the data they ask for, and a trial of each on data of the same layout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from conftest import picture, write_tiles
from sightline.config import PretrainConfig, SegmentConfig
from sightline.errors import ConfigError, DataError
from sightline.files import data_home
from sightline.models import build_backbone
from sightline.report import write
from sightline.report.answers import answers
from sightline.runs.study_folder import StudyFolder
from sightline.runs.study_result import StudyResult
from sightline.study import check_sources, expand, named, read_study, run_study
from sightline.study.estimate import estimate
from sightline.study.trial import on_trial

PUBLISHED = ["deepglobe-landcover", "mini-imagenet-office-home"]


@pytest.fixture
def homes(tmp_path, monkeypatch) -> Path:
    """Point to a data home of this test's own."""
    monkeypatch.setenv("SIGHTLINE_DATA", str(tmp_path / "data"))
    return data_home()


def write_objects(home: Path) -> None:
    for label in range(4):
        folders = [(home / "mini-imagenet" / f"n{label:08d}", 100)]
        folders += [(home / "office-home" / style / f"Class{label}", 30) for style in ("Art", "Real World")]
        for folder, count in folders:
            folder.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(picture(label, number, 84)).save(folder / f"{number}.jpg")


def write_reference(path: Path) -> str:
    torch.save(build_backbone("timm/test_resnet", seed=5).inner.state_dict(), path)
    return str(path)


@pytest.mark.parametrize("name", PUBLISHED)
def test_missing_data_are_named_with_page_and_folder_before_anything_is_written(name, homes, tmp_path):
    study = read_study(name)
    nodes = expand(study, tmp_path / "out")
    assert [node for node in nodes if node.arm]
    sources = {node.config.to_dict()["data"]["source"] for node in nodes}
    with pytest.raises(DataError) as caught:
        run_study(study, tmp_path / "out")
    for source in sources:
        line = next(line for line in str(caught.value).split("\n") if repr(source) in line)
        assert "Page: http" in line
        assert str(homes / source) in line
    assert not (tmp_path / "out").exists()


def test_each_file_says_its_own_command():
    for name in named.names():
        assert named.path_of(name).read_text().startswith(f"# sightline study {name}\n")
    with pytest.raises(ConfigError, match="Did you mean 'deepglobe-landcover'"):
        read_study("deepglobe-landcovr")


def test_published_figures_are_of_arms_of_the_study(tmp_path):
    content = yaml.safe_load(named.path_of("deepglobe-landcover").read_text())
    content["published"]["values"]["unet-refrence"] = 0.5
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=r"published.values.unet-refrence: not an arm.*'unet-reference'"):
        expand(read_study(str(tmp_path / "study.yaml")), tmp_path)


def test_a_trial_shrinks_what_is_counted_in_epochs_and_nothing_else():
    config = PretrainConfig.build({"data": {"source": "x"}, "epochs": 500, "optim": {"warmup_epochs": 10}})
    small = on_trial(config, 0.02)
    assert isinstance(small, PretrainConfig)
    assert (small.epochs, small.optim.warmup_epochs, small.data.share) == (10, 0.2, 0.02)
    assert (small.optim.lr, small.batch_size, small.views) == (config.optim.lr, config.batch_size, config.views)
    named_images = SegmentConfig.build({"data": {"source": "x", "share": 0.5}, "log_images": ["a.png"], "epochs": 3})
    small = on_trial(named_images, 0.1)
    assert (small.epochs, small.log_images, small.data.share) == (1, (), pytest.approx(0.05))
    assert on_trial(config, 1.0) is config


def test_land_cover_runs_as_a_trial_and_says_so(homes, tmp_path):
    write_tiles(homes / "deepglobe-landcover")
    tiny = {"backbone": "timm/test_resnet", "crop": 32, "batch_size": 4, "precision": "32-true", "interventions": False}
    changes = {"reference": {"weights": write_reference(tmp_path / "reference.pth")}, "segment": {"set": tiny}}
    study = read_study("deepglobe-landcover", changes, {"scale": 0.02, "seeds": [0, 1, 2]})
    nodes = expand(study, tmp_path / "out")
    check_sources(nodes, tmp_path / "out")
    total = estimate(nodes, tmp_path / "out")[-1]
    assert total["disk"].endswith("MB")
    folder = run_study(study, tmp_path / "out")
    result = folder.result
    assert result == StudyResult.from_dict(result.to_dict())
    assert {arm.status for arm in result.arms} == {"done"}
    assert {(c.a, c.b) for c in result.comparisons} == {
        ("unet-reference", "unet-reference-drop-deepest"), ("deeplabv3plus-reference", "unet-reference"),
    }  # fmt: skip
    assert not any(comparison.judged for comparison in result.comparisons)
    assert all("Not to be said from a trial." in answer.short for answer in answers(result))
    text = next(path for path in write(folder.path) if path.suffix == ".md").read_text()
    assert "a trial on 2" in text.split("## ")[0]
    table = next(line for line in text.splitlines() if line.startswith("| Arm |"))
    assert table.rstrip(" |").endswith("Published")
    assert study.published is not None
    for name, value in study.published.values.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
        assert row.rstrip(" |").endswith(f"{value:.3f}")
    assert study.published.source.rstrip(".") in text


def test_the_five_settings_run_as_a_trial(homes, tmp_path):
    write_objects(homes)
    tiny = {"backbone": "timm/test_resnet", "batch_size": 8, "precision": "32-true", "method": {"prototypes": 64}}
    changes = {
        "reference": {"weights": write_reference(tmp_path / "reference.pth")},
        "pretrain": {"set": tiny},
        "classify": {"set": {"precision": "32-true"}},
        "seeds": [0],
        "embed_samples": 8,
    }
    study = read_study("mini-imagenet-office-home", changes, {"scale": 0.02})
    result = run_study(study, tmp_path / "out").result
    assert [(arm.arm, arm.status) for arm in result.arms] == [
        (name, "done") for name in (*"ABCDE", "D-lbfgs", "E-lbfgs")
    ]
    runs = [StudyFolder(tmp_path / "out").run(name) for name in ("E-0", "E-lbfgs-0")]
    assert [run.config()["head_solver"] for run in runs] == ["gradient", "lbfgs"]
    assert result.pretrain is not None
    assert (result.pretrain.epochs, result.pretrain.images) == (10, 8)
    assert os.path.isfile(write(tmp_path / "out")[0])
