"""How commands end: the answer with its meaning, where it is, what comes next; nothing cut at any width."""

from __future__ import annotations

import pytest

from sightline.cli.ending import classify_answer, command, embed_answer, end, pretrain_answer, say, segment_answer
from sightline.cli.main import run
from sightline.runs.outputs import EmbeddingQuality
from sightline.runs.results import (
    ClassAccuracy,
    ClassifyResult,
    ClassIou,
    Init,
    Interval,
    MethodReport,
    PretrainResult,
    SegmentResult,
)

START = Init(source="none", matched="")
COMMON = {"images_seen": 9, "bad_images": 0, "split": {"test": 10}, "trained_on": 9, "init": START}
LONG = "runs/" + "a-long-name/" * 9 + "run 1"


def classified(few: int, many: int) -> ClassifyResult:
    per_class = {"cat": ClassAccuracy(accuracy=0.9, n=many), "dog": ClassAccuracy(accuracy=0.5, n=few)}
    accuracy = Interval(value=0.8, low=0.55, high=0.93, n=few + many)
    return ClassifyResult(val_accuracy=0.7, accuracy=accuracy, per_class=per_class, **COMMON)


def test_an_accuracy_is_told_with_its_interval_chance_and_how_few_images_there_are():
    text = " ".join(classify_answer(classified(6, 18)))
    assert "Test accuracy 80.0 % (95 % interval 55.0 to 93.0 %), 24 images of 2 classes." in text
    assert "most frequent class every time is right in 75.0 %" in text
    assert "Lowest: dog 50.0 %, cat 90.0 %." in text
    assert "6 test images a class are few: one more or less right changes that class by 16.7 %." in text
    assert "few" not in " ".join(classify_answer(classified(60, 60)))


def test_a_pretraining_is_told_by_its_last_warning_and_every_number_in_words():
    health = {"health/rankme": 52.5, "knn/accuracy": 0.25}
    plateau = "plateau: raise optim.lr"
    method = MethodReport(name="toy", title="Toy")
    for warnings, told in (
        ((), "No warning was given."),
        ((f"epoch 1: {plateau}",), f"epoch 1: {plateau}"),
        ((f"epoch 1: {plateau}", f"epoch 2: {plateau}"), f"2 warnings, the last of epoch 2: {plateau}."),
    ):
        result = PretrainResult(
            epochs=2, steps=2, images=9, images_seen=18, bad_images=0, health=health, warnings=warnings, method=method
        )
        assert pretrain_answer(result) == [
            "Toy: 9 images, 18 seen in 2 epochs.",
            told,
            "  RankMe: 52.5 (effective rank of the features)",
            "  k-NN accuracy: 25.0 % (labels used for looking only)",
        ]


def test_masks_are_told_with_their_interval():
    scores = {"boundary_iou": 0.3, "absent": ("snow",), "pixel_accuracy": 0.8, "confusion": ((1,),)}
    network = {"classes": ("a",), "val_mean_iou": 0.5, "best_epoch": 1, "parameters": 1}
    extra = {"interventions": None, "progress": (), "per_class": {"a": ClassIou(iou=0.5, dice=0.6, share=1)}}
    score = Interval(value=0.5, low=0.4, high=0.6, n=12, scenes=3)
    text = " ".join(segment_answer(SegmentResult(mean_iou=score, **COMMON, **scores, **network, **extra)))
    assert "Test mean IoU 0.500 (95 % interval 0.400 to 0.600), 12 tiles of 3 scenes" in text
    assert "not counted: snow" in text
    assert "12 test tiles are few" in text


def test_features_are_told_as_far_as_there_is_something_to_tell():
    assert embed_answer(EmbeddingQuality(n=1200)) == ["Features of 1 200 images."]
    assert "k-NN accuracy 50.0 %" in embed_answer(EmbeddingQuality(n=4, knn=0.5, silhouette=0.1))[1]


@pytest.mark.parametrize("width", [40, 80])
def test_text_fits_the_terminal_and_paths_are_whole(capsys, monkeypatch, width: int):
    monkeypatch.setenv("COLUMNS", str(width))
    say("word " * 40)
    assert all(len(line) <= width for line in capsys.readouterr().out.splitlines())
    end({"run": LONG}, ("report", LONG), ("classify", "LABELLED", "--init", LONG))
    lines = capsys.readouterr().out.splitlines()
    assert LONG in lines, "alone on its line"
    assert any(line.endswith(f"sightline report '{LONG}'") for line in lines)


def test_a_command_is_one_that_a_shell_understands():
    assert command("report", "my run") == "sightline report 'my run'"


def test_other_processes_of_a_run_say_nothing(capsys, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    say("a")
    end({"run": "x"})
    assert not capsys.readouterr().out


def test_a_check_ends_with_what_comes_next(class_folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["data", "check", str(class_folder)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"next: sightline classify {class_folder} --out OUT"
