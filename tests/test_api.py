"""The public Python surface: what there is, what each call gives back, and what it refuses."""

from __future__ import annotations

import csv
import subprocess
import sys
from inspect import getdoc
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import sightline as sl
from sightline.cli.main import run as command_line
from sightline.files.atomic import write_json
from sightline.runs import RunFolder
from sightline.runs.info import RunInfo

CALLS = [
    "check", "classify", "embed", "evaluate", "export", "load", "predict", "pretrain", "prompt", "report", "segment",
    "serve", "study",
]  # fmt: skip
ERRORS = [
    "ConfigError", "DataError", "NonFinite", "NotAvailable", "RunError", "SightlineError", "TrainingFailed",
    "UserError", "WeightsError",
]  # fmt: skip
QUICK = {"epochs": 1, "batch_size": 8, "precision": "32-true", "threads": 1, "workers": 0, "device": "cpu"}


@pytest.fixture(scope="module", autouse=True)
def homes(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        base = tmp_path_factory.mktemp("homes")
        patch.setenv("SIGHTLINE_CACHE", str(base / "cache"))
        patch.setenv("SIGHTLINE_DATA", str(base / "data"))
        yield


@pytest.fixture(scope="module")
def classifier(class_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "c"
    return sl.classify(class_folder, out, backbone="timm/test_resnet", input_size=24, **QUICK)


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory):
    data = {"source": "demo/landcover", "image_size": 64}
    out = tmp_path_factory.mktemp("runs") / "a"
    return sl.segment(data, out, backbone="timm/resnet10t", crop=64, interventions=False, **QUICK)


# -- what there is
def test_the_names_are_pinned_sorted_and_all_that_dir_shows():
    assert sl.__all__ == sorted([*CALLS, *ERRORS, "__version__", "views"])
    assert dir(sl) == sl.__all__
    assert all(hasattr(sl, name) for name in sl.__all__)
    with pytest.raises(AttributeError, match="no attribute 'predcit'; it has"):
        _ = sl.predcit  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("name", CALLS)
def test_each_call_says_what_it_takes_returns_and_raises(name: str):
    text = getdoc(getattr(sl, name)) or ""
    assert [section for section in ("Args:", "Returns:", "Raises:") if section in text] == [
        "Args:", "Returns:", "Raises:",
    ]  # fmt: skip


def test_packages_of_the_same_name_do_not_hide_a_call():
    code = (
        "import sightline as sl, sightline.study, sightline.report\n"
        "from sightline.study import read_study\n"
        "assert callable(sl.study) and callable(sl.report), (sl.study, sl.report)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_each_error_is_a_sightline_error():
    assert all(issubclass(getattr(sl, name), sl.SightlineError) for name in ERRORS)


# -- a finished run
def test_a_run_tells_its_score_and_only_that(classifier, segmenter):
    again = sl.load(classifier.path)
    assert again == classifier
    assert (again.kind, again.metric) == ("classify", "accuracy")
    interval = again.interval
    assert interval.low <= again.value == again.accuracy == interval.value <= interval.high
    assert interval.n == again.folder.result()["split"]["test"]
    assert repr(again) == f"Run({str(again.path)!r}, kind='classify', accuracy={again.value:.4g}, n={interval.n})"
    assert (segmenter.kind, segmenter.metric) == ("segment", "mean_iou")
    assert segmenter.value == segmenter.mean_iou == segmenter.result.mean_iou.value
    assert not hasattr(segmenter, "accuracy")
    assert not hasattr(classifier, "mean_iou")
    with pytest.raises(AttributeError, match="a segment run has no accuracy, it is judged by mean_iou"):
        _ = segmenter.accuracy


def test_no_run_and_an_unfinished_one_are_refused(tmp_path):
    with pytest.raises(sl.RunError, match="holds no run"):
        sl.load(tmp_path)
    (tmp_path / "study.yaml").touch()
    with pytest.raises(sl.RunError, match="holds a study and is no run"):
        sl.load(tmp_path)
    unfinished(tmp_path, "classify")
    with pytest.raises(sl.RunError, match="has not finished, its status is running"):
        sl.load(tmp_path)


def unfinished(path: Path, kind: str) -> RunFolder:
    info = RunInfo(
        kind=kind, status="running", reason="", fingerprint="", seed=0, timings={}, started="2026-01-01", finished=""
    )
    path.mkdir(exist_ok=True)
    write_json(path / "run.json", info.to_dict())
    return RunFolder.open(path)


# -- what can be done with it
def test_predict_names_classes_and_writes_what_the_command_line_writes(classifier, class_folder, tmp_path, capsys):
    found = sl.predict(classifier, class_folder / "class1")
    assert isinstance(found.labels, tuple)
    assert found.path is None
    assert len(found) == len(found.ids) == len(found.labels) == 20
    assert found.probabilities.shape == (20, 3)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-4)
    assert found.labels == tuple(found.classes[i] for i in found.probabilities.argmax(axis=1))
    written = sl.predict(classifier, class_folder / "class1", tmp_path / "python.csv")
    assert written.path == tmp_path / "python.csv"
    arguments = [str(classifier.path), str(class_folder / "class1"), "--out", str(tmp_path / "shell.csv")]
    assert command_line(["predict", *arguments]) == 0
    assert "20 images" in capsys.readouterr().out
    assert (tmp_path / "python.csv").read_bytes() == (tmp_path / "shell.csv").read_bytes()
    with (tmp_path / "python.csv").open(newline="", encoding="utf-8") as file:
        assert [row["label"] for row in csv.DictReader(file)] == list(found.labels)


def test_probabilities_and_ranked_labels_come_behind_the_columns_that_graders_read(classifier, class_folder, tmp_path):
    images, out = class_folder / "class1", tmp_path / "more.csv"
    arguments = [str(classifier.path), str(images), "--out", str(out), "--probabilities", "--top-k", "2"]
    assert command_line(["predict", *arguments]) == 0
    found = sl.predict(classifier, images)
    with out.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header[:7] == ["id", "filename", "label", "top1", "top1_probability", "top2", "top2_probability"]
    assert header[7:] == [f"probability:{name}" for name in found.classes]
    np.testing.assert_allclose(np.array([row[7:] for row in rows], np.float64), found.probabilities, rtol=1e-5)
    assert [row[3] for row in rows] == [row[2] for row in rows] == list(found.labels)
    assert [(row[5], float(row[6])) for row in rows] == [
        (top[1][0], pytest.approx(top[1][1], rel=1e-5)) for top in found.top(2)
    ]
    with pytest.raises(sl.ConfigError, match="top_k = 4: the run knows 3 classes; give 1 to 3"):
        sl.predict(classifier, images, tmp_path / "x.csv", top_k=4)
    with pytest.raises(sl.ConfigError, match="top_k: adds columns to the CSV, and none is written"):
        sl.predict(classifier, images, top_k=2)
    assert not (tmp_path / "x.csv").exists()


def test_predict_draws_masks(segmenter, tmp_path):
    image = tmp_path / "field.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(image)
    found = sl.predict(segmenter.path, image, tmp_path / "masks")
    assert [path.is_file() for path in found.paths] == [True]
    assert found.classes == segmenter.result.classes
    with pytest.raises(sl.ConfigError, match="masks are written as files; give a folder"):
        sl.predict(segmenter, image)


def test_options_of_the_other_kind_are_refused_and_not_ignored(classifier, segmenter, class_folder, tmp_path):
    with pytest.raises(sl.ConfigError, match=r"tta: is for segment runs, and .* holds a classify run"):
        sl.predict(classifier, class_folder, tta=True)
    with pytest.raises(sl.ConfigError, match="root: is for classify runs"):
        sl.predict(segmenter, class_folder, tmp_path / "out", root=class_folder)
    with pytest.raises(sl.ConfigError, match="part: is for segment runs"):
        sl.evaluate(classifier, class_folder, part="test")


def test_evaluate_gives_the_typed_score(classifier, segmenter, class_folder):
    score = sl.evaluate(classifier, class_folder)
    assert (score.metric, score.interval.n) == ("accuracy", 60)
    assert score.interval.low <= score.value <= score.interval.high
    data = {"source": "demo/landcover", "image_size": 64}
    masks = sl.evaluate(segmenter, data, part="test")
    assert masks.metric == "mean_iou"
    assert masks.interval == segmenter.interval
    assert masks.per_class == segmenter.result.per_class
    assert masks.interventions is None


def test_embed_gives_its_quality_and_refuses_a_segmenter_in_plain_words(
    classifier, segmenter, class_folder, tmp_path, capsys
):
    quality = sl.embed(classifier, class_folder, tmp_path / "e")
    assert quality.n == 60
    assert 0 <= (quality.knn or 0) <= 1
    assert quality.trustworthiness is None
    pixels = [np.full((30, 40, 3), 90, np.uint8), Image.new("RGB", (24, 24)), next(class_folder.rglob("*.png"))]
    assert sl.embed(classifier, pixels, tmp_path / "memory").n == 3
    with pytest.raises(sl.DataError, match="the list is empty"):
        sl.embed(classifier, [], tmp_path / "none")
    with pytest.raises(sl.ConfigError, match="data: a list is neither a path"):
        sl.evaluate(classifier, pixels)  # pyright: ignore[reportArgumentType]
    table = pq.read_table(tmp_path / "memory" / "embedding.parquet")
    assert [name[:6] for name in table["id"].to_pylist()] == ["000000", "000001", "000002"]
    message = "holds a segment run, and embed needs a pretrain or classify run"
    with pytest.raises(sl.RunError, match=message):
        sl.embed(segmenter, class_folder, tmp_path / "no")
    assert command_line(["embed", str(segmenter.path), str(class_folder), "--out", str(tmp_path / "no")]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("verb", "kind", "able"),
    [
        ("predict", "pretrain", "classify or segment"),
        ("evaluate", "prompt", "classify or segment"),
        ("export", "prompt", "pretrain, classify or segment"),
    ],
)
def test_a_kind_that_cannot_says_which_can(verb, kind, able, tmp_path, capsys):
    unfinished(tmp_path, kind)
    rest = {"predict": ["x", "--out", "y"], "evaluate": ["x"], "export": ["--format", "onnx"]}[verb]
    assert command_line([verb, str(tmp_path), *rest]) == 2
    text = " ".join(capsys.readouterr().err.split())
    assert f"holds a {kind} run, and {verb} needs a {able} run" in text


def test_export_and_report_give_paths(classifier, tmp_path):
    written = sl.export(classifier, format="timm")
    assert written.path == classifier.path / "export" / "timm"
    assert (written.path / "model.safetensors").is_file()
    with pytest.raises(sl.ConfigError, match=r"format smp: .* is exported as onnx, timm, hf"):
        sl.export(classifier, format="smp")
    page, *others = sl.report(classifier, tmp_path / "page")
    assert page == tmp_path / "page" / "report.html"
    assert all(path.is_file() for path in (page, *others))


# -- one rule for paths
def test_relative_and_absolute_paths_mean_the_same_run(classifier, class_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").symlink_to(class_folder)
    (tmp_path / "init").symlink_to(classifier.path)
    flags = ["--backbone", "timm/test_resnet", "--epochs", "1"]
    for key in ("input_size=24", "batch_size=8", "precision=32-true", "threads=1", "workers=0", "device=cpu"):
        flags += ["--set", key]
    assert command_line(["classify", "pictures/", "--out", "runs/c", "--init", "init", *flags]) == 0
    keys = {"backbone": "timm/test_resnet", "input_size": 24, "resume": True, **QUICK}
    for data, init in (("pictures/", "init"), (tmp_path / "pictures", tmp_path / "init"), (class_folder, classifier)):
        assert sl.classify(data, "runs/c", init=init, **keys) == sl.load("runs/c")
    with pytest.raises(sl.RunError, match=r"init: .* there, 'none' now"):
        sl.classify("pictures", "runs/c", **keys)
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(sl.UserError, match="other"):
        sl.classify(other, "runs/c", init="init", **keys)
