"""Layers of settings: which one wins, what is refused, and what the environment is allowed to do."""

from typing import Literal

import pytest
import yaml

from sightline import recipes
from sightline.config import (
    METHODS,
    ClassifyConfig,
    DinoConfig,
    EmbedConfig,
    Method,
    MethodConfig,
    PretrainConfig,
    PromptConfig,
    SegmentConfig,
    StudyConfig,
    from_environment,
    from_keywords,
    resolve,
)
from sightline.errors import ConfigError
from sightline.study import expand, read_study

DATA = {"data": {"source": "photos"}}
RECIPE = recipes.layer("dino-small")
LAYERS = ("default", "recipe", "file", "environment", "--set", "flag")


@pytest.mark.parametrize("strongest", range(len(LAYERS)))
def test_a_flag_beats_set_beats_the_environment_beats_the_file_beats_the_recipe(monkeypatch, strongest):
    """Each layer in turn is the strongest that names the key, and every weaker one names it too."""
    monkeypatch.setenv("SIGHTLINE_SET", "batch_size=1003")
    default = PretrainConfig.model_fields["batch_size"].default
    config = resolve(
        PretrainConfig,
        recipe={"batch_size": 1001} if strongest >= 1 else {},
        file=DATA | ({"batch_size": 1002} if strongest >= 2 else {}),
        environment=from_environment() if strongest >= 3 else {},
        assignments=("batch_size=1004",) if strongest >= 4 else (),
        flags={"batch_size": 1005} if strongest >= 5 else {},
    )
    assert config.batch_size == (default if strongest == 0 else 1000 + strongest)


def test_what_the_environment_changed_is_said_and_written(capsys):
    environ = from_environment({"SIGHTLINE_SET": "epochs=7 batch_size=32 seed=0 method.koleo=0.25"})
    assert environ == {"epochs": 7, "batch_size": 32, "seed": 0, "method": {"koleo": 0.25}}
    config = resolve(PretrainConfig, recipe=RECIPE, file=DATA, environment=environ, flags={"epochs": 10})
    assert (config.epochs, config.batch_size) == (10, 32)
    # Not epochs, which the flag beats, nor seed, which is what it would have been.
    assert config.environment == ("batch_size=32", "method.koleo=0.25")
    assert "SIGHTLINE_SET sets batch_size=32, method.koleo=0.25" in capsys.readouterr().err
    assert resolve(PretrainConfig, recipe=RECIPE, file=DATA).environment == ()
    assert not capsys.readouterr().err


def test_a_mistake_in_the_environment_is_called_one():
    with pytest.raises(ConfigError, match=r"SIGHTLINE_SET=epoch=7.*epoch: no such key.*'epochs'"):
        resolve(ClassifyConfig, file=DATA, environment={"epoch": 7})


@pytest.mark.parametrize(
    ("cls", "flags", "key"),
    [
        (ClassifyConfig, DATA, "epochs"),
        (SegmentConfig, DATA, "epochs"),
        (PromptConfig, DATA, "clicks"),
        (EmbedConfig, {**DATA, "run": "runs/a"}, "batch_size"),
        (StudyConfig, {"name": "s"}, "embed_samples"),
    ],
)
def test_every_kind_resolves_the_same_way(cls, flags, key):
    config = resolve(cls, environment={key: 7}, flags=flags)
    assert (getattr(config, key), config.environment) == (7, (f"{key}=7",))
    assert getattr(resolve(cls, environment={key: 7}, flags={**flags, key: 9}), key) == 9


def test_the_environment_reaches_no_arm_of_a_study(monkeypatch, tmp_path):
    monkeypatch.setenv("SIGHTLINE_SET", "embed_samples=9 seeds=[4]")
    study = read_study("demo", from_environment())
    assert (study.seeds, study.embed_samples) == ((4,), 9)
    assert study.environment == ("embed_samples=9", "seeds=[4]")
    monkeypatch.setenv("SIGHTLINE_SET", "epochs=1")
    assert all(getattr(node.config, "epochs", 0) != 1 for node in expand(study, tmp_path))
    with pytest.raises(ConfigError, match=r"epochs: no such key"):
        read_study("demo", from_environment())


@pytest.mark.parametrize(
    ("cls", "others"), [(PretrainConfig, "sgd"), (ClassifyConfig, "adam"), (SegmentConfig, "adamw")]
)
def test_the_advice_to_lower_the_learning_rate_works_for_every_kind_and_keeps_its_other_defaults(cls, others):
    config = resolve(cls, file=DATA, assignments=("optim.lr=0.0125",))
    assert config.optim == resolve(cls, file=DATA).optim.model_copy(update={"lr": 0.0125})
    assert config.optim.name == others


# -- keys that take each other's place
def test_a_momentum_given_by_hand_takes_the_place_of_the_recipe_s_half_life():
    config = resolve(PretrainConfig, recipe=RECIPE, file=DATA, assignments=("method.momentum=0.9",))
    assert isinstance(config.method, DinoConfig)
    assert (config.method.momentum, config.method.momentum_half_life) == (0.9, None)
    back = resolve(PretrainConfig, recipe=RECIPE, file=DATA, assignments=("method.momentum_half_life=2",))
    assert isinstance(back.method, DinoConfig)
    assert (back.method.momentum, back.method.momentum_half_life) == (0.996, 2)


def test_a_python_keyword_reaches_a_key_of_a_block():
    keywords = {"epochs": 3, "drop_skip": 4, "skips": {"mode": "structural"}}
    layer = from_keywords(SegmentConfig, keywords)
    assert layer == {"epochs": 3, "skips": {"mode": "structural", "drop": 4}}
    assert resolve(SegmentConfig, flags={**DATA, **layer}).skips.drop == 4
    assert from_keywords(ClassifyConfig, {"epochs": 3}) == {"epochs": 3}
    with pytest.raises(ConfigError, match=r"drop_skip and skips\.drop: are the same setting"):
        from_keywords(SegmentConfig, {"drop_skip": 4, "skips": {"drop": 3}})


def test_two_keys_of_one_layer_that_take_each_other_s_place_are_refused():
    with pytest.raises(ConfigError, match=r"--set: method\.momentum = 0\.9 and method\.momentum_half_life = 2"):
        resolve(
            PretrainConfig,
            recipe=RECIPE,
            file=DATA,
            assignments=("method.momentum=0.9", "method.momentum_half_life=2"),
        )


def test_a_written_configuration_is_a_recipe_for_the_same_run(tmp_path):
    config = resolve(PretrainConfig, recipe=RECIPE, file=DATA, environment={"epochs": 3})
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config.to_dict()), encoding="utf-8")
    again = resolve(PretrainConfig, recipe=recipes.load(str(path)))
    assert again == config


@pytest.mark.parametrize(
    ("cls", "assignment", "message"),
    [
        (PretrainConfig, "optim.betas=[0.9, 0.95]", r"optim\.betas.*no effect with optim\.name = sgd.*adam or adamw"),
        (PretrainConfig, "method.center_momentum=0.9", r"method\.center_momentum.*method\.centering = sinkhorn"),
        (ClassifyConfig, "optim.momentum=0.5", r"optim\.momentum.*no effect with optim\.name = adam;.*sgd or lars"),
        (SegmentConfig, "optim.poly_power=1", r"optim\.poly_power.*no effect with optim\.schedule = cosine"),
    ],
)
def test_a_key_without_effect_is_refused(cls, assignment, message):
    recipe = RECIPE | {"optim": {"name": "sgd"}} if cls is PretrainConfig else {}
    with pytest.raises(ConfigError, match=message):
        resolve(cls, recipe=recipe, file=DATA, assignments=(assignment,))


@pytest.mark.parametrize("cls", [PretrainConfig, SegmentConfig])
def test_plateau_is_refused_where_no_validation_loss_is_watched(cls):
    with pytest.raises(ConfigError, match=r"optim\.schedule = 'plateau' watches a validation loss"):
        resolve(cls, file=DATA, assignments=("optim.schedule=plateau",))


# -- methods
class ToyConfig(MethodConfig):
    name: Literal["toy"] = "toy"
    temperature: float = 0.5


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setitem(METHODS, "toy", Method(ToyConfig, "nowhere:Toy"))


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("assignment", ["method=toy", "method.name=toy"])
def test_another_method_sets_aside_the_recipe_s_keys_of_the_first(assignment):
    config = resolve(PretrainConfig, recipe=RECIPE, file=DATA, assignments=(assignment,))
    assert config.method == ToyConfig()
    assert PretrainConfig.build(config.to_dict()) == config
    flags = {"method": {"temperature": 0.25}}
    assert resolve(PretrainConfig, recipe=RECIPE, file=DATA, assignments=(assignment,), flags=flags).method == (
        ToyConfig(temperature=0.25)
    )


def test_the_same_method_keeps_the_recipe_s_keys():
    config = resolve(PretrainConfig, recipe=RECIPE, file=DATA, flags={"method": "dino"})
    assert config == resolve(PretrainConfig, recipe=RECIPE, file=DATA)


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("dyno", rf"no such method\. Did you mean 'dino'\? Known: {', '.join(sorted([*METHODS, 'toy']))}"),
        ({"name": "toy", "prototypes": 3}, r"method\.prototypes: no such key.*Known: name, temperature"),
        ({"prototipes": 3}, r"method\.prototipes: no such key\. Did you mean 'prototypes'"),
        ({"prototypes": "many"}, r"method\.prototypes = 'many'"),
    ],
)
def test_a_mistake_in_a_method_is_named_with_its_own_keys(method, message):
    with pytest.raises(ConfigError, match=message):
        resolve(PretrainConfig, file=DATA, flags={"method": method})
