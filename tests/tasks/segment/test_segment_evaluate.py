"""A trained segmenter judged anew: on parts, on other masks, over scenes, and with its skips taken away."""

from __future__ import annotations

import itertools
import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from sightline.cli.main import run as command_line
from sightline.config import SegmentConfig, SegmentDataConfig
from sightline.data import find, load_masks
from sightline.engine import NoProgress
from sightline.errors import ConfigError, DataError
from sightline.files.atomic import write_json
from sightline.metrics import segmentation
from sightline.models.segmentation import build_segmenter
from sightline.runs import RunFolder, read_json
from sightline.tasks.segment import evaluate, interventions, segment
from sightline.tasks.segment.interventions import _batches, _cycle

DEMO = SegmentDataConfig(source="demo/landcover", image_size=64)
CLASSES = ("urban", "agriculture", "rangeland", "forest", "water", "barren")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        base = tmp_path_factory.mktemp("evaluate")
        patch.setenv("SIGHTLINE_CACHE", str(base / "cache"))
        patch.setenv("SIGHTLINE_DATA", str(base / "data"))
        yield run(base / "run", epochs=4)


def run(out, **keys):
    small = {
        "backbone": "timm/resnet10t",
        "epochs": 1,
        "batch_size": 6,
        "crop": 64,
        "precision": "32-true",
        "threads": 1,
        "workers": 0,
        "data": {"source": "demo/landcover", "image_size": 64},
    }
    return segment(SegmentConfig.build(small, keys), out, progress=NoProgress())


def test_the_test_part_evaluated_again_gives_the_run_s_own_result(trained: RunFolder):
    own, again = trained.result(), evaluate(trained.path, DEMO, part="test").to_dict()
    for key in ("mean_iou", "boundary_iou", "pixel_accuracy", "per_class", "confusion", "absent"):
        assert again[key] == own[key], key
    everything = evaluate(trained.path, DEMO)
    assert everything.mean_iou.n == sum(own["split"].values())
    assert everything.seen == own["split"]["train"] + own["split"]["val"]
    assert everything.unseen is not None
    assert everything.unseen.to_dict() == own["mean_iou"]
    # The table of classes is of the tiles it was not trained on too, and so is the second row of scores.
    assert everything.unseen_scores is not None
    (_, scores), (title, classes) = everything.tables()
    assert title == "images not trained on"
    assert [row["pixel accuracy"] for row in scores] == [everything.pixel_accuracy, own["pixel_accuracy"]]
    assert {row["class"]: row["iou"] for row in classes} == {
        name: values["iou"] for name, values in own["per_class"].items()
    }
    assert again["seen"] == 0
    assert "unseen" not in again


def test_boundary_iou_is_that_of_the_masks_drawn(trained: RunFolder):
    result = trained.result()
    stored = np.load(trained.path / "counts.npz")["boundary"]
    assert stored.shape == (result["mean_iou"]["n"], 6, 2)
    hits, union = stored.sum(axis=0).T
    present = union > 0
    assert result["boundary_iou"] == pytest.approx((hits[present] / union[present]).mean())
    named = {name: value["boundary_iou"] for name, value in result["per_class"].items()}
    assert named["water"] == pytest.approx(hits[4] / union[4])
    assert 0 < result["boundary_iou"] < result["mean_iou"]["value"]  # near edges a network errs more


def test_boundary_iou_leaves_out_absent_classes():
    truth = np.zeros((20, 20), np.uint8)
    truth[:, 10:] = 1
    counts = segmentation.boundary_confusion(truth, truth, 3)
    found = segmentation.boundary_iou(counts)
    assert found.mean == 1
    assert np.isnan(found.per_class[2])
    assert segmentation.boundary_iou(np.zeros((3, 2), np.int64)).mean == 0


def test_classes_of_other_masks_are_matched_by_name_or_refused(trained: RunFolder, tmp_path):
    """Masks of the same scenes with class indices: as many classes, other names."""
    images = load_masks(DEMO, split=False)
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for i in range(4):
        Image.fromarray(np.array(images.image(i))).save(tmp_path / "images" / f"{i}.png")
        Image.fromarray(np.array(images.mask(i))).save(tmp_path / "masks" / f"{i}.png")
    other = SegmentDataConfig(source=str(tmp_path))
    with pytest.raises(DataError, match=r"class 0, .* are not among the run's: urban, agriculture"):
        evaluate(trained.path, other)


def test_intervals_are_over_scenes_where_the_split_file_names_them(tmp_path):
    ids = load_masks(DEMO, split=False).ids
    train, val, test = ids[:-12], ids[-12:-8], ids[-8:]
    write_json(
        tmp_path / "split.json",
        {"train": train, "val": val, "test": test, "scenes": {"north": test[:4], "south": test[4:7]}},
    )
    data = {"source": "demo/landcover", "image_size": 64, "split_file": str(tmp_path / "split.json")}
    own = run(tmp_path / "run", data=data)
    score, stored = own.result()["mean_iou"], np.load(own.path / "counts.npz")
    scenes = ["north"] * 4 + ["south"] * 3 + [test[7]]
    assert stored["scenes"].tolist() == scenes
    assert score["scenes"] == 3
    assert (score["low"], score["high"]) == segmentation.interval(stored["counts"], groups=scenes)
    assert (score["low"], score["high"]) != segmentation.interval(stored["counts"])
    assert read_json(own.path / "split.json")["scenes"]["north"] == test[:4]
    config = SegmentDataConfig.build(data)
    assert evaluate(own.path, config, part="test").mean_iou.to_dict() == score


# -- interventions
def test_a_run_tells_how_much_it_relies_on_each_skip(trained: RunFolder):
    assert trained.result()["interventions"] == "interventions.json"
    found = read_json(trained.path / "interventions.json")
    assert found["part"] == "val"  # the test part is judged once
    assert found["n"] == trained.result()["split"]["val"]
    assert list(found["skips"]) == ["1", "2", "3", "4"]
    for kinds in found["skips"].values():
        assert list(kinds) == ["zero", "mean", "shuffle"]
        for one in kinds.values():
            assert one["change"] == pytest.approx(one["mean_iou"] - found["mean_iou"])
            assert one["per_class"].keys() == found["per_class"].keys()
    changes = [kinds["zero"]["change"] for kinds in found["skips"].values()]
    assert min(changes) < -0.01  # no network is indifferent to losing any of its skips
    again = evaluate(trained.path, DEMO, part="val", interventions=True).interventions
    assert again is not None
    assert again.to_dict()["skips"] == found["skips"]


class Lookup:
    """A predictor whose masks depend on its skip: class 1 everywhere unless skip 2 is touched, then class 0."""

    def __init__(self) -> None:
        self.network = build_segmenter("unet", "timm/resnet10t", 2)
        self.seen: list[tuple[int, ...]] = []

    def classes(self, tiles, keep_mask=None, change=None):
        if change is not None and change.kind == "shuffle":
            self.seen.append(tuple(change.permutation.tolist()))
        wrong = change is not None and change.skip == 2
        return np.full(tiles.shape[:3], 0 if wrong else 1, np.uint8)


class Tiles:
    """Tiles of which all pixels are of class 1; the last is of another size."""

    class palette:
        classes = ("a", "b")

    def shape(self, i):
        return (8, 8) if i < 5 else (4, 4)

    def image(self, i):
        return np.zeros((*self.shape(i), 3), np.uint8)

    def mask(self, i):
        return np.ones(self.shape(i), np.uint8)


def test_changes_belong_to_the_skip_that_was_touched():
    predictor = Lookup()
    found = interventions(predictor, Tiles(), range(6), part="val")  # pyright: ignore[reportArgumentType]
    assert found.n == 6  # the sixth tile, alone of its size, is mirrored to the size of the others
    assert found.mean_iou == 1
    assert found.per_class == {"b": 1}
    for skip, kinds in found.skips.items():
        for effect in kinds.values():
            assert effect.change == (-1 if skip == "2" else 0)
            assert effect.per_class == {"b": -1 if skip == "2" else 0}
    assert interventions(predictor, Tiles(), [0, 5], part="val").n == 2  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="1 tile, and a skip is shuffled among tiles"):
        interventions(predictor, Tiles(), [5], part="val")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("count", [2, 3, 7])
def test_a_shuffled_skip_is_always_another_tile_s(count: int):
    for batch in range(5):
        partner = _cycle(count, 0, batch, "shuffle")
        assert partner is not None
        assert sorted(partner.tolist()) == list(range(count))
        assert not (partner == torch.arange(count)).any()
        again = _cycle(count, 0, batch, "shuffle")
        assert again is not None
        assert torch.equal(again, partner)
    assert _cycle(count, 0, 0, "zero") is None


def test_no_batch_is_a_single_tile(monkeypatch):
    monkeypatch.setattr(sys.modules[_batches.__module__], "PIXELS", 2 * 64)
    batches = _batches(Tiles(), range(5), seed=0)  # pyright: ignore[reportArgumentType]
    assert sorted(len(batch) for batch in batches) == [2, 3]
    assert sorted(itertools.chain(*batches)) == list(range(5))


def test_networks_without_skips_have_no_interventions(tmp_path):
    own = run(tmp_path / "run", model="deeplabv3plus", backbone="resnet18")
    assert own.result()["interventions"] is None
    assert not (own.path / "interventions.json").exists()
    with pytest.raises(ConfigError, match="deeplabv3plus has no skip connections left"):
        evaluate(own.path, DEMO, interventions=True)


def test_they_can_be_left_out(tmp_path):
    own = run(tmp_path / "run", interventions=False)
    assert own.result()["interventions"] is None


# -- the command line
def test_the_command_line_judges_a_segmenter(trained: RunFolder, capsys, tmp_path):
    data = str(find("demo/landcover"))
    assert command_line(["evaluate", str(trained.path), data, "--part", "test", "--interventions", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["mean_iou"] == trained.result()["mean_iou"]
    assert set(row["interventions"]["skips"]) == {"1", "2", "3", "4"}
    assert command_line(["evaluate", str(trained.path), data, "--part", "test", "--interventions"]) == 0
    text = capsys.readouterr().out
    assert "Boundary" in text
    assert "shuffle" in text
    assert command_line(["evaluate", str(trained.path), str(tmp_path)]) == 2
    assert "no images with masks" in capsys.readouterr().err
