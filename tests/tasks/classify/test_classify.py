"""Classification in its settings: what is frozen stays, what is cached is the same, the test part is used once."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from sightline.config import ClassifyConfig, DataConfig, resolve
from sightline.engine import NoProgress
from sightline.errors import ConfigError, DataError, RunError, WeightsError
from sightline.models import build_backbone
from sightline.runs import RunFolder
from sightline.runs.results import ClassifyResult
from sightline.tasks.classify import classify, evaluate, labelled_part, predict
from sightline.tasks.classify.linear import PENALTIES

SMALL = {
    "backbone": "timm/test_resnet",
    "input_size": 24,
    "epochs": 3,
    "batch_size": 8,
    "precision": "32-true",
    "workers": 0,
}


def config(folder, **keys):
    return resolve(ClassifyConfig, file={"data": {"source": str(folder)}} | SMALL, flags=keys)


def train(folder, out, **keys):
    return classify(config(folder, **keys), out, progress=NoProgress())


@pytest.fixture(scope="module")
def trained(class_folder, tmp_path_factory):
    return train(class_folder, tmp_path_factory.mktemp("runs") / "a", epochs=20, optim={"lr": 3e-3})


def test_it_learns_what_it_is_shown(trained):
    losses = [line["loss"] for line in trained.metrics() if "loss" in line]
    assert losses[-1] < 0.5 * losses[0]
    assert trained.result()["val_accuracy"] > 0.5  # a third by chance


def test_result_and_predictions_agree(trained):
    result, table = trained.result(), trained.predictions()
    correct = table["correct"].to_numpy(zero_copy_only=False)
    assert result["accuracy"]["n"] == len(table)
    assert result["accuracy"]["value"] == pytest.approx(correct.mean())
    assert result["accuracy"]["low"] < result["accuracy"]["value"] <= result["accuracy"]["high"]
    assert sum(entry["n"] for entry in result["per_class"].values()) == len(table)
    scores = trained.result_as(ClassifyResult).scores
    probabilities = np.stack(table["probabilities"].to_numpy())
    assert probabilities.shape == (len(table), len(scores.classes))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-4)
    assert [scores.classes[i] for i in probabilities.argmax(axis=1)] == table["predicted"].to_pylist()
    assert np.trace(scores.confusion) == correct.sum()
    assert np.sum(scores.confusion) == sum(of.n for of in scores.calibration.bins) == len(table)
    assert len(scores.mistakes) == (~correct).sum()


def test_parts_do_not_overlap(trained):
    import json

    parts = json.loads((trained.path / "split.json").read_text())
    ids = [identity for part in parts.values() for identity in part]
    assert len(ids) == len(set(ids)) == 60


@pytest.mark.parametrize("cache", [True, False])
def test_a_frozen_backbone_stands_still_batch_norm_too(class_folder, tmp_path, cache):
    before = build_backbone("timm/test_resnet", seed=0).state_dict()
    run = train(class_folder, tmp_path / "run", train="head", feature_cache=cache)
    after = load_file(run.weights)
    for name, value in before.items():
        assert torch.equal(after[f"backbone.{name}"], value), name


def test_an_unfrozen_backbone_moves(trained):
    before = build_backbone("timm/test_resnet", seed=0).state_dict()
    after = load_file(trained.weights)
    assert any(not torch.equal(after[f"backbone.{name}"], value) for name, value in before.items())


def test_cached_features_give_the_slow_way_s_result_without_augmentation(class_folder, tmp_path):
    keys = {"train": "head", "augment": "none", "optim": {"lr": 1e-2}}
    fast = train(class_folder, tmp_path / "fast", feature_cache=True, **keys)
    slow = train(class_folder, tmp_path / "slow", feature_cache=False, **keys)
    losses = [[line["loss"] for line in run.metrics() if "loss" in line] for run in (fast, slow)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)
    assert fast.predictions()["predicted"].to_pylist() == slow.predictions()["predicted"].to_pylist()


def test_cached_features_are_within_noise_of_the_slow_way_with_augmentation(class_folder, tmp_path):
    keys = {"train": "head", "augment": "crop", "optim": {"lr": 1e-2}, "epochs": 12}
    scores = {
        cache: [
            train(class_folder, tmp_path / f"{cache}-{seed}", feature_cache=cache, seed=seed, **keys).result()[
                "val_accuracy"
            ]
            for seed in range(3)
        ]
        for cache in (True, False)
    }
    # Nine validation images a run: one image is a ninth. The means may differ by little more.
    assert abs(np.mean(scores[True]) - np.mean(scores[False])) < 0.2


def test_the_last_stage_alone_moves_and_the_rest_keeps_its_statistics(class_folder, tmp_path):
    before = build_backbone("timm/test_resnet", seed=0).state_dict()
    after = load_file(train(class_folder, tmp_path / "run", train="last-stage", optim={"lr": 1e-2}).weights)
    moved = {name for name, value in before.items() if not torch.equal(after[f"backbone.{name}"], value)}
    assert {name.split(".")[1] for name in moved} == {"layer4"}
    assert any("running_mean" in name for name in moved), "the stage that is trained learns its statistics too"


def test_fewer_labels_are_nested_and_stratified():
    labels = np.repeat([0, 1, 2], 40)
    train_part = np.arange(120)
    few, more = (labelled_part(train_part, labels, share, seed=1) for share in (0.1, 0.5))
    assert set(few) <= set(more)
    assert [int((labels[few] == label).sum()) for label in range(3)] == [4, 4, 4]
    other = labelled_part(train_part, labels, 0.1, seed=1, draw=1)
    assert set(other) != set(few)
    assert [int((labels[other] == label).sum()) for label in range(3)] == [4, 4, 4]


def test_starting_from_a_run_takes_its_weights(trained, class_folder, tmp_path):
    run = train(class_folder, tmp_path / "again", init=str(trained.path), train="head")
    first, second = load_file(trained.weights), load_file(run.weights)
    assert all(torch.equal(first[name], second[name]) for name in first if name.startswith("backbone."))


def test_a_missing_start_is_named(class_folder, tmp_path):
    with pytest.raises(WeightsError, match="no such run folder or file"):
        train(class_folder, tmp_path / "run", init=str(tmp_path / "nowhere"))


def test_images_without_labels_are_refused(class_folder, tmp_path):
    with pytest.raises(DataError, match="carry no labels"):
        classify(
            resolve(ClassifyConfig, file={"data": {"source": str(class_folder / "class0")}} | SMALL),
            tmp_path / "run",
            progress=NoProgress(),
        )


def test_another_configuration_does_not_overwrite_a_run(trained, class_folder):
    before = trained.result()
    with pytest.raises(RunError, match="add --resume"):
        classify(config(class_folder, epochs=20, optim={"lr": 3e-3}), trained.path, progress=NoProgress())
    with pytest.raises(RunError, match=r"epochs: 20 there, 9 now"):
        classify(config(class_folder, epochs=9, optim={"lr": 3e-3}), trained.path, resume=True, progress=NoProgress())
    assert trained.result() == before


def test_tuning_chooses_on_validation_and_never_judges_trials(class_folder, tmp_path):
    run = train(class_folder, tmp_path / "run", tune=[1e-5, 3e-3])
    trials = [RunFolder.open(path) for path in sorted((run.path / "tuning").iterdir())]
    best = max(trials, key=lambda trial: trial.result()["val_accuracy"])
    assert [path.name for path in tmp_path.iterdir()] == ["run"], "nothing is written beside the run's own folder"
    assert len(trials) == 2
    assert run.result()["lr"] == best.config()["optim"]["lr"]
    assert run.config()["tune"] == [1e-5, 3e-3]
    assert all("accuracy" not in trial.result() for trial in trials)
    assert not any((trial.path / "predictions.parquet").exists() for trial in trials)


def test_predict_writes_the_csv_that_graders_read(trained, class_folder, tmp_path):
    asked = tmp_path / "asked.csv"
    asked.write_text("id,filename\n7,class1/003.png\n9,class2/001.png\n")
    answers = predict(trained.path, asked, tmp_path / "out.csv", root=class_folder)
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "id,filename,label"
    assert lines[1:] == [f"7,class1/003.png,{answers.labels[0]}", f"9,class2/001.png,{answers.labels[1]}"]


def test_predict_agrees_with_the_run_s_own_predictions(trained, class_folder, tmp_path):
    table = {row["id"]: row for row in trained.predictions().to_pylist()}
    answers = predict(trained.path, class_folder, tmp_path / "out.csv")
    ours = {i: label for i, label in zip(answers.ids, answers.labels, strict=True) if i in table}
    assert ours == {i: row["predicted"] for i, row in table.items()}


def test_predict_takes_one_image_and_never_replaces_what_it_reads(trained, class_folder, tmp_path):
    image = class_folder / "class1" / "003.png"
    assert predict(trained.path, image).ids == ("003.png",)
    asked = tmp_path / "asked.csv"
    asked.write_text("id,filename,notes\n7,class1/003.png,an hour of work\n")
    before = asked.read_text(), image.read_bytes()
    for out in (asked, image):
        with pytest.raises(DataError, match="which is an input; nothing was written"):
            predict(trained.path, asked, out, root=class_folder)
    assert (asked.read_text(), image.read_bytes()) == before
    asked.write_text("id,filename\n")
    with pytest.raises(DataError, match="has a header and no rows"):
        predict(trained.path, asked)


def test_an_unreadable_image_writes_nothing(trained, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "broken.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"broken\.png"):
        predict(trained.path, tmp_path / "images", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_evaluate_knows_images_of_training_by_their_pixels_and_judges_without_them(trained, class_folder, tmp_path):
    import json
    import shutil

    from sightline.files.atomic import json_text

    parts = json.loads((trained.path / "split.json").read_text())
    everything = evaluate(trained.path, DataConfig(source=str(class_folder)))
    assert everything.seen == len(parts["train"]) + len(parts["val"])
    assert everything.unseen is not None
    assert everything.unseen.to_dict() == trained.result()["accuracy"]
    assert everything.judged == everything.unseen
    assert np.sum(everything.scores.confusion) == everything.accuracy.n == 60
    # What it confuses among them is what the run itself said of its test part.
    assert everything.unseen_scores is not None
    assert json.loads(json_text(everything.unseen_scores.to_dict())) == trained.result()["scores"]
    balanced = [row["balanced"] for row in everything.tables()[0][1]]
    assert balanced == [everything.scores.balanced_accuracy, everything.unseen_scores.balanced_accuracy]
    assert "trained or chosen on" in everything.warning()
    assert [row["n"] for row in everything.tables()[0][1]] == [60, len(parts["test"])]
    assert all(title.endswith(", images not trained on") for title, _ in everything.tables()[1:])
    # Other names in another folder.
    for number, name in enumerate((parts["train"][0], parts["test"][0], parts["test"][-1])):
        path = tmp_path / "new" / name.split("/")[0] / f"other-{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(class_folder / name, path)
    elsewhere = evaluate(trained.path, DataConfig(source=str(tmp_path / "new")))
    assert (elsewhere.seen, elsewhere.accuracy.n) == (1, 3)
    assert elsewhere.unseen is not None
    assert elsewhere.unseen.n == 2
    (trained.path / "trained_on.npz").rename(trained.path / "kept")
    old = evaluate(trained.path, DataConfig(source=str(tmp_path / "new")))
    assert (old.seen, old.unseen, old.unseen_scores, old.warning()) == (None, None, None, "")
    assert old.judged == old.accuracy
    (trained.path / "kept").rename(trained.path / "trained_on.npz")


def test_evaluate_refuses_other_classes(trained, tmp_path):
    from conftest import write_classes

    other = write_classes(tmp_path / "other", classes=4, each=2)
    with pytest.raises(DataError, match="class3"):
        evaluate(trained.path, DataConfig(source=str(other)))


def test_a_head_at_its_optimum_is_at_least_as_good_on_validation_and_goes_on(class_folder, tmp_path, trained):
    keys = {"init": str(trained.path), "train": "head", "augment": "none"}
    by_epochs = train(class_folder, tmp_path / "epochs", **keys, optim={"lr": 1e-2}).result()
    run = train(class_folder, tmp_path / "fitted", **keys, head_solver="lbfgs")
    result = run.result_as(ClassifyResult)
    assert result.val_accuracy >= by_epochs["val_accuracy"]
    assert (result.best_epoch, result.lr) == (None, None)
    assert result.penalty in PENALTIES
    before = {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()}
    again = classify(config(class_folder, **keys, head_solver="lbfgs"), run.path, resume=True, progress=NoProgress())
    assert {path.name: path.read_bytes() for path in again.path.iterdir() if path.is_file()} == before
    # What was saved names the test images as predictions.parquet says.
    table = run.predictions().to_pydict()
    named = predict(run.path, class_folder)
    predicted = dict(zip(named.ids, named.labels, strict=True))
    assert [predicted[name] for name in table["id"]] == table["predicted"]


def test_heads_on_one_backbone_share_its_features(class_folder, tmp_path, trained, monkeypatch):
    keys = {"init": str(trained.path), "train": "head", "head_solver": "lbfgs"}
    shared = keys | {"shared_features": str(tmp_path / "features")}
    alone = train(class_folder, tmp_path / "alone", **keys, label_fraction=0.5).result()
    train(class_folder, tmp_path / "whole", **shared)
    assert len(list((tmp_path / "features").iterdir())) == 1
    # With the features there, nothing runs the backbone.
    monkeypatch.setattr(sys.modules[classify.__module__], "extract_features", None)
    assert train(class_folder, tmp_path / "half", **shared, label_fraction=0.5).result() == alone


def test_a_head_at_its_optimum_may_see_augmented_views(class_folder, tmp_path, trained, monkeypatch):
    seen, module = list[tuple[int, int]](), sys.modules[classify.__module__]
    fit = module.fit_linear

    def watched(features, labels, *rest):
        seen.append((len(features), len(np.unique(features, axis=0))))
        assert len(labels) == len(features)
        return fit(features, labels, *rest)

    monkeypatch.setattr(module, "fit_linear", watched)
    keys = {"init": str(trained.path), "train": "head", "head_solver": "lbfgs", "head_views": 2}
    trained_on = train(class_folder, tmp_path / "views", **keys).result()["trained_on"]
    train(class_folder, tmp_path / "none", **keys, augment="none")
    assert seen[0] == (3 * trained_on, 3 * trained_on), "each view is another one"
    assert seen[1][0] == trained_on
    with pytest.raises(ConfigError, match="head_views"):
        resolve(ClassifyConfig, flags={"data": {"source": str(class_folder)}, "head_views": 2})


def test_the_solver_of_a_head_is_for_heads(class_folder, tmp_path):
    with pytest.raises(ConfigError, match="head_solver"):
        resolve(ClassifyConfig, flags={"data": {"source": str(class_folder)}, "head_solver": "lbfgs"})
