"""The plan of a study: several pretrainings, learning rates that a first seed chooses, epochs for measured seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sightline.config import ClassifyConfig, StudyConfig
from sightline.errors import ConfigError, RunError
from sightline.files.atomic import write_json
from sightline.runs import RunFolder, StudyFolder
from sightline.study.arms import arms_of, pairs_of, parse_arm, questions_of
from sightline.study.node import MOST_TIMES, Node
from sightline.study.plan import expand

PICTURES = {"data": {"source": "pictures"}}


def study(**changes: Any) -> StudyConfig:
    content = {"name": "s", "arms": ["A", "C", "E"], "pretrain": PICTURES, "classify": PICTURES} | changes
    return StudyConfig.build(content)


def nodes_of(config: StudyConfig, folder: Path) -> dict[str, Node]:
    return {node.name: node for node in expand(config, folder)}


def finish(folder: StudyFolder, node: Node, seconds: float, **result: Any) -> None:
    """Write a finished run of a node; of its result what a plan reads."""
    run = RunFolder.create(folder.run_path(node.name), node.config, kind=node.kind, fingerprint="")
    write_json(run.path / "result.json", result)
    run._update(status="done", timings={"fit_seconds": seconds})


# -- pretraining
def test_each_training_seed_takes_another_pretraining_and_then_the_first_again(tmp_path: Path):
    nodes = nodes_of(study(pretrain={**PICTURES, "seeds": 2, "set": {"seed": 7}}), tmp_path)
    assert [nodes[f"pretrain-{i}"].config.seed for i in range(2)] == [7, 8]
    for arm in "CE":
        for seed, number in ((0, 0), (1, 1), (2, 0)):
            node = nodes[f"{arm}-{seed}"]
            assert f"pretrain-{number}" in node.needs
            assert node.config.to_dict()["init"] == str(tmp_path / "runs" / f"pretrain-{number}")
    # More pretrainings than seeds: those that nobody begins with are not run.
    many = nodes_of(study(seeds=[0], pretrain={**PICTURES, "seeds": 3}), tmp_path)
    assert [name for name in many if name.startswith("pretrain")] == ["pretrain-0"]


def test_one_pretraining_keeps_its_name(tmp_path: Path):
    nodes = nodes_of(study(), tmp_path)
    assert [name for name in nodes if "pretrain" in name] == ["pretrain"]
    assert all("pretrain" in nodes[f"C-{seed}"].needs for seed in range(3))


# -- learning rates
def test_the_first_seed_chooses_a_learning_rate_and_the_others_keep_it(tmp_path: Path):
    folder, nodes = StudyFolder(tmp_path), nodes_of(study(), tmp_path)
    first, second, head = nodes["A-0"].config, nodes["A-1"], nodes["E-0"].config
    assert isinstance(first, ClassifyConfig)
    assert isinstance(head, ClassifyConfig)
    assert first.tune == (3.33e-5, 1e-4, 3e-4)
    assert head.tune == (), "a head at its optimum has no learning rate"
    assert nodes["E-1"].rules == ()
    assert "A-0" in second.needs
    with pytest.raises(RunError, match="A-0"):
        second.settled(folder)
    assert not second.can_settle(folder)
    finish(folder, nodes["A-0"], 1.0, lr=3e-4)
    settled = second.settled(folder).config
    assert isinstance(settled, ClassifyConfig)
    assert (settled.optim.lr, settled.tune, settled.seed) == (3e-4, (), 1)


def test_one_factor_tries_nothing_and_a_grid_of_the_block_stays(tmp_path: Path):
    def config(name: str, **block: Any) -> ClassifyConfig:
        node = nodes_of(study(classify={**PICTURES, **block}), tmp_path)[name]
        assert isinstance(node.config, ClassifyConfig)
        assert not node.rules
        return node.config

    assert config("A-1", lr_factors=[1]).optim.lr == 1e-4
    assert config("A-1", lr_factors=[3]).optim.lr == 3e-4
    assert config("A-1", set={"tune": [1e-5, 1e-3]}).tune == (1e-5, 1e-3)


def test_networks_that_draw_masks_choose_too(tmp_path: Path):
    nodes = nodes_of(study(arms=["unet", "unet-drop-1"], segment=PICTURES), tmp_path)
    assert nodes["unet-0"].config.to_dict()["tune"] == [3.33e-4, 1e-3, 3e-3]
    assert nodes["unet-drop-1-2"].needs == ("unet-drop-1-0",)


# -- time
def test_the_twin_has_the_epochs_that_fit_into_the_time_of_the_other(tmp_path: Path):
    config = study(budget="equal-time", classify={**PICTURES, "set": {"epochs": 20}})
    folder, nodes = StudyFolder(tmp_path), nodes_of(config, tmp_path)
    twin = nodes["A-long-1"]
    assert set(twin.needs) == {"A-0", "A-1", "pretrain", "C-1"}
    finish(folder, nodes["A-0"], 11.0, lr=1e-3)
    finish(folder, nodes["A-1"], 10.0, lr=1e-3)  # half a second an epoch
    finish(folder, nodes["pretrain"], 100.0)
    finish(folder, nodes["C-1"], 12.5)
    settled = twin.settled(folder).config
    assert isinstance(settled, ClassifyConfig)
    assert (settled.epochs, settled.optim.lr, settled.init, settled.seed) == (225, 1e-3, "none", 1)
    RunFolder(folder.run_path("pretrain"))._update(timings={"fit_seconds": 1e6})
    assert twin.settled(folder).config.to_dict()["epochs"] == MOST_TIMES * 20
    RunFolder(folder.run_path("pretrain"))._update(timings={"fit_seconds": 0.0})
    RunFolder(folder.run_path("C-1"))._update(timings={"fit_seconds": 1.0})
    assert twin.settled(folder).config.to_dict()["epochs"] == 20, "never fewer than its base"


def test_the_twin_answers_a_question_of_its_own():
    arms = [parse_arm(name) for name in ("A", "C", "A-long")]
    assert pairs_of(arms) == [("C", "A"), ("C", "A-long")]
    assert "Does it pay at equal compute?" in [question.heading for question in questions_of(arms)]
    assert [arm.name for arm in arms_of(study(budget="equal-time"))] == ["A", "C", "E", "A-long"]
    assert [arm.name for arm in arms_of(study(budget="equal-time", arms=["A", "E"]))] == ["A", "E"]
    with pytest.raises(ConfigError, match=r"arm A-long: is A trained for as long as pretraining and C took, .* no C"):
        arms_of(study(arms=["A", "A-long"]))


def test_networks_that_draw_masks_have_twins_of_equal_time_too(tmp_path: Path):
    arms = ["unet", "unet-own", "unet-drop-1", "deeplabv3plus", "unet-reference"]
    config = study(budget="equal-time", arms=arms, segment=PICTURES)
    made = {arm.name: arm for arm in arms_of(config)}
    assert "unet-long" in made
    assert not {"unet-drop-1-long", "deeplabv3plus-long", "unet-reference-long"} & made.keys()
    node = nodes_of(config, tmp_path)["unet-long-1"]
    assert set(node.needs) == {"unet-0", "unet-1", "pretrain", "unet-own-1"}
    assert (node.config.to_dict()["init"], node.config.to_dict()["tune"]) == ("none", [])
    asked = {question.heading: question for question in questions_of(list(made.values()))}
    assert asked["Does it pay at equal compute?"].pairs == (("unet-own", "unet-long"),)
    assert "unet-long" not in asked["Which segmentation model?"].arms
    with pytest.raises(ConfigError, match=r"arm unet-long: is unet trained for as long as pretraining and unet-own"):
        arms_of(study(arms=["unet", "unet-long"], segment=PICTURES))
    for name in ("unet-own-long", "unet-drop-1-long"):
        with pytest.raises(ConfigError, match=name):
            parse_arm(name)


def test_a_head_by_epochs_has_one_at_its_optimum_beside_it(tmp_path: Path):
    config = study(arms=["A", "C", "E"], classify={**PICTURES, "head_solver": "gradient"})
    arms = arms_of(config)
    assert [arm.name for arm in arms] == ["A", "C", "E", "E-lbfgs"]
    nodes = nodes_of(config, tmp_path)
    by_epochs, fitted = (nodes[name].config.to_dict() for name in ("E-1", "E-lbfgs-1"))
    assert (by_epochs["head_solver"], fitted["head_solver"]) == ("gradient", "lbfgs")
    assert {key for key in fitted if fitted[key] != by_epochs[key]} == {"head_solver"}
    assert {("C", "E"), ("C", "E-lbfgs"), ("E-lbfgs", "E")} <= set(pairs_of(arms))
    asked = {question.heading: question.pairs for question in questions_of(arms)}
    assert asked["Freeze the backbone, or fine-tune it?"] == (("C", "E-lbfgs"),)
    assert asked["Is a frozen backbone’s head at its optimum?"] == (("E-lbfgs", "E"),)
    with pytest.raises(
        ConfigError, match=r"arm E-lbfgs: is E with a head fitted by lbfgs, as every .*head_solver: gradient"
    ):
        arms_of(study(arms=["C", "E", "E-lbfgs"]))


def test_augmented_views_are_for_heads_at_their_optimum_alone(tmp_path: Path):
    nodes = nodes_of(study(classify={**PICTURES, "head_views": 3}), tmp_path)
    assert [nodes[f"{arm}-0"].config.to_dict()["head_views"] for arm in "ACE"] == [0, 0, 3]


# -- labels
def test_each_fraction_of_the_labels_is_a_run_of_its_own(tmp_path: Path):
    labels = {"fractions": [0.1, 0.25, 1], "arms": ["A", "E"], "draws": 2}
    nodes = nodes_of(study(labels=labels, classify={**PICTURES, "set": {"epochs": 10}}), tmp_path)
    named = [name for name in nodes if "labels" in name]
    assert named == [f"{arm}-{seed}-labels-{f}" for seed in (0, 1) for arm in "AE" for f in ("0.25", "0.1")]
    tenth, head = nodes["A-1-labels-0.1"].config, nodes["E-1-labels-0.1"].config
    assert isinstance(tenth, ClassifyConfig)
    assert isinstance(head, ClassifyConfig)
    assert (tenth.label_fraction, tenth.label_draw, tenth.epochs, tenth.seed) == (0.1, 1, 32, 1)
    assert (head.label_fraction, head.epochs) == (0.1, 10)
    assert nodes["A-0-labels-0.1"].config.to_dict()["tune"] == []
    assert nodes["A-0-labels-0.1"].needs == nodes["A-1-labels-0.1"].needs == ("A-0",)
    shared = {nodes[name].config.to_dict()["shared_features"] for name in ("E-0", "E-0-labels-0.1", "E-1-labels-0.25")}
    assert shared == {str(tmp_path / "features")}
    assert nodes["E-2"].config.to_dict()["shared_features"] == ""
    assert study(labels=[0.5, 1]).labels.fractions == (0.5, 1.0)  # pyright: ignore[reportOptionalMemberAccess]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": {"arms": ["B"]}}, "labels.arms B: no arm of classification of this study .* it has A, C, E"),
        ({"labels": {"draws": 4}}, "labels.draws = 4: each draw has a seed of its own, and the study has 3"),
        (
            {"labels": [0.1], "classify": {**PICTURES, "set": {"label_fraction": 0.5}}},
            "labels and classify.set.label_fraction: one takes the other's place",
        ),
        ({"labels": [0]}, "labels.fractions.0 = 0"),
    ],
)
def test_mistakes_in_the_block_are_named(tmp_path: Path, changes: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        expand(study(**changes), tmp_path)
