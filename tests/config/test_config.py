"""Configurations: strict, frozen, and clear about mistakes."""

import pytest

from sightline import recipes
from sightline.config import DataConfig, DinoConfig, PretrainConfig, from_assignments, merge, resolve
from sightline.errors import ConfigError

DATA = {"data": {"source": "photos"}}


def pretrain_config(recipe: str) -> PretrainConfig:
    return resolve(PretrainConfig, recipe=recipes.layer(recipe), file=DATA)


def test_an_unknown_key_is_refused_with_its_nearest_match():
    with pytest.raises(ConfigError, match=r"views\.globl_size.*Did you mean 'global_size'"):
        PretrainConfig.build(DATA, {"views": {"globl_size": 3}})


def test_a_wrong_value_is_named_with_its_rule():
    with pytest.raises(ConfigError, match=r"epochs = 0.*greater than or equal to 1"):
        PretrainConfig.build(DATA, {"epochs": 0})


def test_a_string_is_no_number():
    with pytest.raises(ConfigError, match=r"epochs = 'ten'"):
        PretrainConfig.build(DATA, {"epochs": "ten"})


def test_a_missing_key_is_named():
    with pytest.raises(ConfigError, match=r"data: required"):
        PretrainConfig.build({})


def test_a_split_must_leave_something_to_train_on():
    with pytest.raises(ConfigError, match=r"leaves nothing to train on"):
        DataConfig.build({"source": "x", "split": {"val": 0.6, "test": 0.4}})


def test_configurations_are_frozen():
    config = PretrainConfig.build(DATA)
    with pytest.raises(Exception, match="frozen"):
        config.epochs = 3  # pyright: ignore[reportAttributeAccessIssue]


def test_what_is_written_can_be_read_again():
    config = PretrainConfig.build(DATA, {"views": {"local_size": 20}})
    assert PretrainConfig.build(config.to_dict()) == config


def test_merge_goes_into_mappings_and_replaces_the_rest():
    assert merge({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 3}, "d": [2, 3]}) == {
        "a": {"b": 3, "c": 2},
        "d": [2, 3],
    }


def test_assignments_read_yaml_and_scientific_notation():
    assert from_assignments(("optim.lr=1e-3", "views.ratio=[0.5, 2]")) == {
        "optim": {"lr": 1e-3},
        "views": {"ratio": [0.5, 2]},
    }


def test_an_assignment_without_equals_is_refused():
    with pytest.raises(ConfigError, match="expected key=value"):
        from_assignments(("optim.lr",))


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_is_valid_and_says_its_command(name):
    from importlib.resources import files

    assert pretrain_config(name).recipe == name
    text = (files("sightline.recipes") / f"{name}.yaml").read_text(encoding="utf-8")
    assert text.startswith("# sightline pretrain ")


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(ConfigError, match=r"Did you mean 'dino-small'"):
        pretrain_config("dino-smal")


def test_the_published_recipe_holds_the_published_values():
    config = pretrain_config("dino-resnet50-miniimagenet")
    assert (config.backbone, config.epochs, config.batch_size) == ("resnet50", 500, 128)
    assert (config.views.global_size, config.views.local_size, config.views.local_crops) == (224, 96, 6)
    assert (config.views.global_scale, config.views.local_scale) == ((0.14, 1.0), (0.05, 0.14))
    assert (config.optim.name, config.optim.lr, config.optim.weight_decay, config.optim.warmup_epochs) == (
        "sgd",
        0.03,
        1e-4,
        10,
    )
    method = config.method
    assert isinstance(method, DinoConfig)
    assert (method.prototypes, method.momentum, method.momentum_end) == (65536, 0.996, 1.0)
    assert (method.teacher_temperature, config.optim.clip, method.freeze_last_layer_epochs) == (0.04, 3.0, 1)
