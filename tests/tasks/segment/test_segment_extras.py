"""What a segmentation run makes after its result: nothing of it can cost the run."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

import sightline as sl
from sightline.config import SegmentConfig, SegmentDataConfig
from sightline.data import load_masks
from sightline.engine import NoProgress
from sightline.errors import WeightsError
from sightline.metrics.segmentation import MeanIou
from sightline.models import save_model
from sightline.report.segmentation import interventions as report_of
from sightline.runs import RunFolder, read_json
from sightline.runs.results import Interventions, SegmentResult
from sightline.tasks.segment import segment
from sightline.tasks.segment.interventions import _effect

URBAN, AGRICULTURE, WATER, BARREN = (0, 255, 255), (255, 255, 0), (0, 0, 255), (255, 255, 255)
SMALL = {"backbone": "timm/resnet10t", "precision": "32-true", "threads": 1, "workers": 0, "device": "cpu", "crop": 32}


def deepglobe(folder, barren=()):
    """Write 20 tiles NAME_sat.jpg with NAME_mask.png; those of `barren` have a class more."""
    folder.mkdir(exist_ok=True)
    for i in range(20):
        mask = np.empty((48, 48, 3), np.uint8)
        mask[:] = URBAN
        mask[20:, :24] = AGRICULTURE
        mask[30:, 24:] = WATER
        if i in barren:
            mask[:20] = BARREN
        noise = np.random.default_rng(i).integers(0, 60, mask.shape)
        Image.fromarray(np.clip(mask * 0.7 + noise, 0, 255).astype(np.uint8)).save(folder / f"{i}_sat.jpg")
        Image.fromarray(mask).save(folder / f"{i}_mask.png")
    return str(folder)


def strict(path):
    """Read JSON as readers do that know no NaN."""

    def refuse(word):
        raise AssertionError(f"{path} holds {word}")

    return json.loads(path.read_text(), parse_constant=refuse)


def test_a_class_that_the_validation_tiles_lack_costs_no_run(tmp_path):
    """Twenty tiles as DeepGlobe has them, one class in training tiles only, as happens with its real ones."""
    data = {"source": deepglobe(tmp_path / "tiles"), "val": 0.2, "test": 0.2, "split_seed": 1}
    parts = load_masks(SegmentDataConfig.build(data)).parts
    ids = load_masks(SegmentDataConfig.build(data)).ids
    barren = [int("".join(c for c in ids[i].rpartition("/")[2] if c.isdigit())) for i in parts["train"]]
    deepglobe(tmp_path / "tiles", barren)
    config = SegmentConfig.build(SMALL, {"data": data, "epochs": 2, "batch_size": 4})
    run = segment(config, tmp_path / "run", progress=NoProgress())
    result = SegmentResult.from_dict(strict(run.path / "result.json"))
    assert result.notes is None
    measured = Interventions.from_dict(strict(run.path / "interventions.json"))
    assert measured.n == len(parts["val"])
    assert report_of({"a": run})


def test_a_change_that_is_no_number_is_null_and_read_back_as_nan(tmp_path):
    base, changed = MeanIou(0.5, np.array([0.5, 0.0]), 0.5), MeanIou(0.4, np.array([0.4, np.nan]), 0.4)
    effect = _effect(changed, base, [(0, "land"), (1, "water")])
    named = {"land": 0.5, "water": 0.0}
    measured = Interventions(part="val", n=2, mean_iou=0.5, per_class=named, skips={"1": {"zero": effect}})
    measured.write(tmp_path / "interventions.json")
    read = Interventions.from_dict(strict(tmp_path / "interventions.json"))
    assert np.isnan(read.skips["1"]["zero"].per_class["water"])
    assert read.skips["1"]["zero"].per_class["land"] == pytest.approx(-0.1)
    run = RunFolder(tmp_path)
    (table,) = [block for block in report_of({"a": run}) if hasattr(block, "rows")]
    assert table.rows[0][-1] == "–"


@pytest.fixture
def config(tmp_path):
    data = {"source": deepglobe(tmp_path / "tiles"), "val": 0.2, "test": 0.2}
    return SegmentConfig.build(SMALL, {"data": data, "epochs": 1, "batch_size": 6})


def test_the_result_is_there_when_interventions_fail_and_resume_makes_them(config, tmp_path, monkeypatch):
    whole = segment(config, tmp_path / "whole", progress=NoProgress())

    def broken(*_, **__):
        raise ValueError("no skips today")

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["sightline.tasks.segment.segment"], "interventions", broken)
        run = segment(config, tmp_path / "run", progress=NoProgress())
    assert run.is_done
    result = SegmentResult.from_dict(run.result())
    assert result.interventions is None
    assert result.notes == ("interventions: ValueError: no skips today (details in notes/interventions.txt)",)
    assert not (run.path / "interventions.json").exists()

    weights = run.weights.stat().st_mtime_ns
    with monkeypatch.context() as patch:
        patch.setattr("sightline.engine.run.fit", broken)
        segment(config, tmp_path / "run", resume=True, progress=NoProgress())
    assert run.weights.stat().st_mtime_ns == weights, "nothing was trained again"
    for name in ("result.json", "interventions.json", "architecture.json"):
        assert (run.path / name).read_bytes() == (whole.path / name).read_bytes(), name


def test_masks_that_cannot_be_kept_are_a_note(config, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr("sightline.tasks.segment.progress.masks.save_palette_png", broken)
    watched = config.model_copy(update={"log_images": (load_masks(config.data).ids[0],)})
    run = segment(watched, tmp_path / "run", progress=NoProgress())
    assert run.is_done
    assert [note.split(" (")[0] for note in run.result()["notes"]] == ["masks of epoch 1: OSError: no space left"]


def test_a_segmenter_with_nan_in_its_weights_predicts_nothing(config, tmp_path):
    run = segment(config.model_copy(update={"interventions": False}), tmp_path / "run", progress=NoProgress())
    poisoned = {name: value * float("nan") for name, value in load_file(run.weights).items()}
    save_model(run, poisoned, read_json(run.model_json))
    with pytest.raises(WeightsError, match="hold NaN or infinity"):
        sl.predict(run.path, tmp_path / "tiles", tmp_path / "out")
    assert not (tmp_path / "out").exists()
