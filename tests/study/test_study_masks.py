"""A study of networks that draw masks: ablated skips, an own encoder, free masks, and the report of it all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from conftest import write_classes
from sightline.errors import ConfigError, DataError, RunError
from sightline.metrics import segmentation
from sightline.report import write
from sightline.runs import RunFolder, read_json
from sightline.study import expand, read_study, run_study
from sightline.study.arms import pairs_of, parse_arm

SMALL = {"crop": 32, "epochs": 2, "batch_size": 8, "precision": "32-true", "log_images": ["validation/0001_sat.jpg"]}
PRETRAIN = {
    "backbone": "timm/test_resnet",
    "epochs": 1,
    "batch_size": 12,
    "precision": "32-true",
    "method": {"prototypes": 32, "hidden": 32, "bottleneck": 16},
}


def study_file(folder: Path, **changes) -> Path:
    content = {
        "name": "masks",
        "arms": ["unet", "unet-own", "deeplabv3plus", "sam"],
        "seeds": [0, 1],
        "pretrain": {"recipe": "dino-demo", "data": {"source": str(write_classes(folder / "p"))}, "set": PRETRAIN},
        "segment": {"data": {"source": "demo/landcover", "image_size": 64}, "set": SMALL, "lr_factors": [1]},
        "ablate": {"skips": [1, "random"]},
        "prompt": {"tiles": 3, "clicks": 2},
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(content | changes))
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGHTLINE_CACHE", str(folder / "cache"))
        patch.setenv("SIGHTLINE_DATA", str(folder / "data"))
        yield run_study(str(study_file(folder)), folder / "out")


def arms_of(result):
    return {arm.arm: arm for arm in result.arms}


def test_the_block_adds_each_ablation_and_its_control_of_the_same_size(finished):
    arms = arms_of(finished.result)
    added = ["unet-drop-1", "unet-drop-random", "unet-drop-1-structural"]
    assert list(arms) == ["unet", "unet-own", "deeplabv3plus", "sam", *added]
    assert {arm.status for arm in arms.values()} == {"done"}
    sizes = {name: arm.details.parameters for name, arm in arms.items() if name != "sam"}
    assert sizes["unet"] == sizes["unet-drop-1"] == sizes["unet-drop-random"]
    assert abs(sizes["unet-drop-1-structural"] / sizes["unet"] - 1) < 0.01


def test_every_number_is_a_run_s(finished):
    for name, arm in arms_of(finished.result).items():
        seeds = (0,) if name == "sam" else (0, 1)
        own = [RunFolder.open(finished.path / "runs" / f"{name}-{seed}") for seed in seeds]
        assert list(arm.done.seeds) == pytest.approx([run.result()["mean_iou"]["value"] for run in own])
        assert arm.value == arm.mean_iou == pytest.approx(np.mean(arm.done.seeds))
        assert arm.done.low <= arm.value <= arm.done.high
        assert arm.done.n == own[0].result()["mean_iou"]["n"]
        assert arm.metric == "mean_iou"
        with pytest.raises(RunError, match="is measured in mean IoU, not in accuracy"):
            _ = arm.accuracy


def test_differences_are_paired_by_tile(finished):
    found = {entry.pair: entry for entry in finished.result.comparisons}
    assert set(found) == {
        ("unet-own", "unet"), ("deeplabv3plus", "unet"), ("unet", "unet-drop-1"), ("unet", "unet-drop-random"),
        ("unet", "unet-drop-1-structural"),
    }  # fmt: skip
    counts = [
        np.stack([np.load(finished.path / "runs" / f"{arm}-{seed}" / "counts.npz")["counts"] for seed in (0, 1)])
        for arm in ("unet", "unet-drop-1")
    ]
    of = segmentation.paired_difference(*counts)
    entry = found["unet", "unet-drop-1"]
    assert (entry.difference, entry.low, entry.high, entry.p_raw) == (of.mean, max(-1, of.low), min(1, of.high), of.p)
    assert entry.verdict == "two runs each"


def test_own_weights_are_those_of_the_study_s_pretraining(finished):
    source = arms_of(finished.result)["unet-own"].details.init.source
    assert source == str(finished.path / "runs" / "pretrain")
    assert arms_of(finished.result)["unet"].details.init.source == "none"


def test_free_masks_say_how_they_were_made_and_snap_the_network_s(finished):
    arm = arms_of(finished.result)["sam"]
    assert arm.details.engine.name == "graphcut"
    assert arm.done.n == 3
    assert len(arm.details.clicks.iou) == 2
    assert arm.details.clicks.iou[1] >= arm.details.clicks.iou[0] - 0.05
    snap = arm.details.snap
    assert snap.difference == pytest.approx(snap.after - snap.before)
    first = RunFolder.open(finished.path / "runs" / "unet-0")
    kept = np.load(first.path / "counts.npz")
    chosen = [name in sorted(kept["ids"])[:3] for name in kept["ids"]]
    assert snap.before == pytest.approx(segmentation.mean_iou(kept["counts"][chosen].sum(axis=0)).mean)


def test_the_report_shows_networks_masks_and_numbers(finished):
    paths = write(finished.path)
    page, text = paths[0].read_text(), paths[1].read_text()
    for arm in finished.result.arms:
        assert f"{arm.value:.3f}" in page
        assert f"{arm.value:.3f}" in text
    names = {path.name for path in paths}
    assert {"architecture-unet.png", "architecture-unet-drop-1.png", "segmentation-arms.png"} <= names
    assert {"progress-unet-0.png", "prompt-0.png", "prompt-2.png"} <= names
    assert "Masks without training" in page
    assert "Learning curves" in page
    assert read_json(finished.path / "result.json") == finished.result.to_dict()


@pytest.mark.parametrize("name", ["unet-0", "sam-0"])
def test_a_run_of_it_has_a_page_of_its_own(finished, tmp_path, name):
    page = write(finished.path / "runs" / name, tmp_path)[0].read_text()
    assert f"{RunFolder.open(finished.path / 'runs' / name).result()['mean_iou']['value']:.3f}" in page
    assert ("named by an oracle" in page) == (name == "sam-0")
    assert ("epoch 2" in page) == (name == "unet-0")


def test_only_takes_what_the_arm_needs_along(tmp_path):
    study = read_study(str(study_file(tmp_path, seeds=[0], ablate=None)))
    assert [node.name for node in expand(study, tmp_path, ("sam",))] == ["unet-0", "sam-0"]
    assert [node.name for node in expand(study, tmp_path, ("unet-own",))] == ["pretrain", "unet-own-0"]
    # The order of the arms is the study's own; a run still stands after what it needs.
    turned = read_study(str(study_file(tmp_path, seeds=[0], ablate=None, arms=["sam", "unet"])))
    assert [node.name for node in expand(turned, tmp_path)][-2:] == ["unet-0", "sam-0"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arms": ["unett-drop"]}, "no such arm"),
        ({"segment": None}, "no `segment:` block"),
        ({"pretrain": None}, "no `pretrain:` block"),
        ({"arms": ["A", "unet"]}, "no `classify:` block"),
        ({"prompt": {"superpixel_vote": "fpn"}}, "not an arm of this study"),
        ({"prompt": {"motor": "sam2"}}, "motor"),
    ],
)
def test_mistakes_are_named(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        expand(read_study(str(study_file(tmp_path, **changes))), tmp_path)


def test_masks_of_one_class_are_refused_before_anything_is_trained(tmp_path):
    for i in range(8):
        for kind, value in (("images", 90), ("masks", 0)):
            (tmp_path / "tiles" / kind).mkdir(parents=True, exist_ok=True)
            Image.new("L", (24, 24), value + i * (kind == "images")).save(tmp_path / "tiles" / kind / f"{i}.png")
    file = study_file(tmp_path, segment={"data": {"source": str(tmp_path / "tiles")}, "set": SMALL})
    with pytest.raises(DataError, match=r"hold one class, class 0, and two are needed"):
        run_study(str(file), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_of_arms_say_what_they_are():
    arm = parse_arm("unet-own-drop-2-structural")
    assert arm.settings == {"model": "unet", "skips": {"drop": "2", "mode": "structural", "match_parameters": True}}
    assert (arm.task, arm.weights) == ("segment", "own")
    assert parse_arm("deeplabv3plus").title == "DeepLabV3+"
    assert "random skip" in parse_arm("unet-drop-random").title
    names = ["unet", "unet-own", "unet-own-drop-all", "fpn"]
    assert pairs_of([parse_arm(name) for name in names]) == [
        ("unet-own", "unet"), ("unet-own", "unet-own-drop-all"), ("fpn", "unet"),
    ]  # fmt: skip
