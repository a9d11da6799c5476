"""Segmentation end to end on generated scenes: learning, dropping skips, watching, resuming, predicting."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline import recipes
from sightline.config import PretrainConfig, SegmentConfig, resolve
from sightline.data import DEEPGLOBE, load_masks
from sightline.engine import Interrupted, NoProgress
from sightline.errors import ConfigError, DataError
from sightline.report import write
from sightline.runs import RunFolder
from sightline.runs.parts import Part
from sightline.runs.results import SegmentResult
from sightline.tasks.segment import MaskMaker, Options, predict_masks, segment
from sightline.tasks.segment.progress import stages
from sightline.web.opening import open_site

SMALL = {
    "backbone": "timm/resnet10t",
    "epochs": 2,
    "batch_size": 6,
    "crop": 64,
    "precision": "32-true",
    "threads": 1,
    "workers": 0,
    "log_every": 1,
    "data": {"source": "demo/landcover", "image_size": 96},
}


def run(out, **keys):
    return segment(SegmentConfig.build(SMALL, keys), out, resume=True, progress=NoProgress())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        base = tmp_path_factory.mktemp("segment")
        patch.setenv("SIGHTLINE_CACHE", str(base / "cache"))
        patch.setenv("SIGHTLINE_DATA", str(base / "data"))
        yield run(base / "run", epochs=6, log_images=["validation/0002_sat.jpg"])


def test_its_report_and_its_page_show_it(trained: RunFolder, tmp_path: Path):
    text = write(trained.path, tmp_path)[1].read_text(encoding="utf-8")
    result = trained.result()
    for value in (*result["mean_iou"].values(), result["per_class"]["water"]["dice"]):
        assert f"{value:.3f}" in text or value == 8
    assert "ce+dice" in text
    shutil.copytree(trained.path, tmp_path / "run")
    site = open_site(str(tmp_path / "run"))
    assert site.first == "report"
    tiles, history = (page.described for page in site.progress)
    assert [entry["epochs"] for entry in history["images"]] == [[1, 3, 6]]
    assert len(tiles["images"]) == result["mean_iou"]["n"]
    assert [entry["name"] for entry in history["classes"]] == list(result["per_class"])
    assert [point["epoch"] for point in history["curve"]] == [1, 2, 3, 4, 5, 6]


def test_it_learns_and_says_how_well(trained: RunFolder):
    result = trained.result()
    score = result["mean_iou"]
    assert score["low"] <= score["value"] <= score["high"]
    assert score["n"] == 8
    assert score["value"] > 0.25  # an untrained network is below 0.1, one class everywhere gives 0.05
    assert np.load(trained.path / "counts.npz")["counts"].shape == (8, 6, 6)
    assert np.array(result["confusion"]).sum() == np.load(trained.path / "counts.npz")["counts"].sum()


def test_masks_of_a_watched_image_are_kept_at_three_stages(trained: RunFolder):
    index = json.loads((trained.path / "progress" / "progress.json").read_text())
    (entry,) = index["images"]
    assert entry["name"] == "validation/0002_sat.jpg"
    assert [stage["epoch"] for stage in entry["stages"]] == [1, 3, 6]
    last = np.asarray(Image.open(trained.path / "progress" / entry["stages"][-1]["mask"]))
    truth = np.asarray(Image.open(trained.path / "progress" / entry["truth"]))
    assert last.shape == truth.shape
    assert set(np.unique(truth)) <= {0, 1, 2, 3, 4, 5, 255}
    for name in ("strip.png", "overlay.png", "error.png", "progress.gif"):
        assert (trained.path / "progress" / f"0-{name}").stat().st_size > 0
    assert stages(6, 0) == (0, 2, 5)
    assert stages(7, 3) == (0, 3, 6)


def test_predicted_masks_are_in_the_palette_under_the_graders_names(trained: RunFolder, tmp_path):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (70, 130, 3), dtype=np.uint8))
    (tmp_path / "in" / "north").mkdir(parents=True)
    image.save(tmp_path / "in" / "north" / "7_sat.png")
    image.save(tmp_path / "in" / "plain.png")
    options = Options(tile=64, probabilities=True)
    written = predict_masks(trained.path, tmp_path / "in", tmp_path / "out", options)
    assert [p.relative_to(tmp_path / "out").as_posix() for p in written] == ["north/7_mask.png", "plain.png"]
    indices, off = DEEPGLOBE.encode(np.asarray(Image.open(written[0])))
    assert off == 0
    assert indices.shape == (70, 130)
    probabilities = np.load(tmp_path / "out" / "plain.npy")
    np.testing.assert_allclose(probabilities.astype(np.float32).sum(axis=0), 1, atol=0.01)
    assert (probabilities.argmax(axis=0) == indices).mean() > 0.99


def test_parts_draw_the_masks_of_the_whole_and_none_twice(trained: RunFolder, tmp_path):
    draw = np.random.default_rng(0)
    for i in range(5):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(tmp_path / "in" / f"{i}.png")
    options, out = Options(tile=64, masks="index"), tmp_path / "out"
    whole = predict_masks(trained.path, tmp_path / "in", tmp_path / "whole", options)
    parts = [predict_masks(trained.path, tmp_path / "in", out, options, part=Part(i, 2)) for i in (1, 2)]
    assert sorted(path.name for paths in parts for path in paths) == [path.name for path in whole]
    assert all((out / path.name).read_bytes() == path.read_bytes() for path in whole)
    times = {path: path.stat().st_mtime_ns for path in parts[0]}
    first = parts[0][0]
    first.unlink()
    assert predict_masks(trained.path, tmp_path / "in", out, options, part=Part(1, 2)) == parts[0]
    assert {path for path in times if path.stat().st_mtime_ns != times[path]} == {first}
    with pytest.raises(DataError, match=r"is of other inputs \(tile changed\)"):
        predict_masks(trained.path, tmp_path / "in", out, Options(tile=32, masks="index"), part=Part(1, 2))
    shutil.copytree(tmp_path / "in", tmp_path / "others")
    with pytest.raises(DataError, match=r"is of other inputs \(data changed\)"):
        predict_masks(trained.path, tmp_path / "others", out, options, part=Part(1, 2))
    Image.open(tmp_path / "in" / "0.png").save(tmp_path / "in" / "0.jpg")
    for number in range(1, 9):  # whichever parts the two are in
        with pytest.raises(DataError, match=r"0\.\w+ and .*0\.\w+ would both be written to .*0\.png"):
            predict_masks(trained.path, tmp_path / "in", tmp_path / "eight", options, part=Part(number, 8))


def test_predicted_masks_never_replace_images_nor_each_other(trained: RunFolder, tmp_path):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8))
    image.save(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises(DataError, match=r"would replace .*a\.png, which is an input; nothing was written"):
        predict_masks(trained.path, tmp_path, tmp_path)
    assert (tmp_path / "a.png").read_bytes() == before
    image.save(tmp_path / "a.jpg")
    with pytest.raises(DataError, match=r"a\.jpg and .*a\.png would both be written to"):
        predict_masks(trained.path, tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_averaging_over_turns_commutes_with_a_turn(trained: RunFolder):
    maker = MaskMaker(trained.path, Options(tta=True))
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    turned = maker.classes(np.ascontiguousarray(np.rot90(pixels)))
    assert (turned == np.rot90(maker.classes(pixels))).mean() > 0.99


@pytest.mark.parametrize(
    "skips",
    [
        {"drop": "random"},
        {"drop": "random", "at_evaluation": "drop"},
        {"drop": "deepest", "at_evaluation": "keep"},
        {"drop": 4, "mode": "structural", "match_parameters": True},
        {},
    ],
    ids=lambda skips: "-".join(str(v) for v in skips.values()) or "deeplabv3plus",
)
def test_every_kind_of_ablation_trains(tmp_path, skips):
    result = run(tmp_path / "run", epochs=1, model="unet" if skips else "deeplabv3plus", skips=skips).result()
    assert 0 <= result["mean_iou"]["value"] <= 1


def test_a_run_stopped_and_resumed_is_the_same_run(tmp_path, monkeypatch):
    keys = {"skips": {"drop": "random"}, "ema": 0.9, "log_images": ["validation/0000_sat.jpg"]}
    whole = run(tmp_path / "whole", **keys)
    from sightline.tasks.segment.task import SegmentTask

    once = SegmentTask.after_step

    def stop_at_four(self, step):
        once(self, step)
        if step == 4:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(SegmentTask, "after_step", stop_at_four)
    with pytest.raises(Interrupted):
        run(tmp_path / "parts", **keys)
    monkeypatch.setattr(SegmentTask, "after_step", once)
    parts = run(tmp_path / "parts", **keys)
    for name in ("weights.safetensors", "metrics.jsonl", "progress/0-e0002.png"):
        assert (whole.path / name).read_bytes() == (parts.path / name).read_bytes(), name


def test_an_own_pretraining_run_starts_the_encoder(tmp_path, class_folder):
    from sightline.tasks.pretrain import pretrain

    dino = resolve(
        PretrainConfig,
        recipe=recipes.layer("dino-demo"),
        flags={"data": {"source": str(class_folder)}, "backbone": "timm/resnet10t", "epochs": 1, "batch_size": 16},
    )
    own = pretrain(dino, tmp_path / "dino", progress=NoProgress())
    result = run(tmp_path / "run", epochs=1, init=str(own.path)).result()
    assert result["init"]["source"] == str(own.path)


def test_mistakes_are_named_before_anything_runs(tmp_path):
    with pytest.raises(ConfigError, match=r"skips\.drop = 7: the skip connections of this network are 1, 2, 3, 4"):
        run(tmp_path / "a", skips={"drop": 7})
    with pytest.raises(ConfigError, match="no such image in the data"):
        run(tmp_path / "b", log_images=["validation/9999_sat.jpg"])
    with pytest.raises(ConfigError, match="nothing would be dropped"):
        SegmentConfig.build(SMALL, {"skips": {"at_evaluation": "drop"}})


def test_the_demo_s_scenes_open(tmp_path):
    images = load_masks(SegmentConfig.build(SMALL).data)
    assert images.palette == DEEPGLOBE
    assert images.image(0).shape[:2] == images.mask(0).shape


def test_predicted_masks_never_replace_labels(trained: RunFolder, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    for name in ("1_sat.png", "1_mask.png"):
        Image.fromarray(pixels).save(tmp_path / name)
    with pytest.raises(DataError, match=r"would replace .*1_mask\.png, which is an input; nothing was written"):
        predict_masks(trained.path, tmp_path, tmp_path)


def test_a_learning_rate_is_chosen_on_validation_and_trials_leave_the_test_part_alone(tmp_path: Path):
    tuned = run(tmp_path / "run", epochs=1, interventions=False, tune=[1e-5, 3e-3])
    trials = {path.name: RunFolder.open(path) for path in (tuned.path / "tuning").iterdir()}
    assert set(trials) == {"lr-1e-05", "lr-0.003"}
    scores = {trial.config()["optim"]["lr"]: trial.result()["val_mean_iou"] for trial in trials.values()}
    result = tuned.result_as(SegmentResult)
    assert result.tuning is not None
    assert result.tuning.scores == scores
    assert result.lr == max(scores, key=lambda rate: scores[rate])
    for trial in trials.values():
        assert trial.result()["mean_iou"]["n"] == result.split["val"]
        assert not any((trial.path / name).exists() for name in ("counts.npz", "predictions.parquet", "progress"))
