"""Flags that are made from a configuration: every default and description comes from one place."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sightline import recipes
from sightline.cli.flags import FLAGS, config_flags
from sightline.cli.main import run
from sightline.config import ClassifyConfig, EmbedConfig, PretrainConfig, SegmentConfig


def shown(capsys, verb: str) -> str:
    assert run([verb, "--help"]) == 0
    return " ".join(capsys.readouterr().out.replace("│", " ").split())


@pytest.mark.parametrize(
    ("verb", "cls", "keys"),
    [
        ("classify", ClassifyConfig, ("epochs", "label_fraction", "init", "backbone")),
        ("segment", SegmentConfig, ("epochs", "loss", "crop", "skips.mode")),
        ("embed", EmbedConfig, ("split", "seed", "device")),
    ],
)
def test_help_shows_each_field_s_description_and_default(capsys, verb, cls, keys):
    text = shown(capsys, verb)
    for key in keys:
        *path, name = key.split(".")
        field = (cls.block(path[0], {}) if path else cls).model_fields[name]
        assert " ".join(str(field.description).split()) in text, key
        default = f"{field.default:g}" if isinstance(field.default, float) else field.default
        assert f"default: {default}" in text, key


def test_help_shows_what_the_recipe_sets(capsys):
    text = shown(capsys, "pretrain")
    assert f"default: {recipes.load('dino-small')['epochs']} in dino-small" in text
    assert all(name in text for name in recipes.names())


def test_a_command_gets_what_was_given_and_nothing_else():
    received = []

    @config_flags(SegmentConfig, "epochs", "optim.lr", "log_images", "interventions", "skips.drop")
    def command(data: str, /, *, flags: dict, word: str = "x") -> None:
        received.append((data, flags, word))

    import cyclopts

    app = cyclopts.App()
    app.default(command)
    for line in (
        ["d"],
        ["d", "--lr", "0.5", "--log-images", "a, b", "--no-interventions", "--drop-skip", "4", "--word", "y"],
    ):
        app(line, result_action="return_value")
    assert received == [
        ("d", {}, "x"),
        ("d", {"optim": {"lr": 0.5}, "log_images": ["a", "b"], "interventions": False, "skips": {"drop": "4"}}, "y"),
    ]
    assert FLAGS == "flags"


@pytest.mark.parametrize("verb", ["pretrain", "classify", "segment"])
@pytest.mark.parametrize("mistake", [("--set", "optim.lrr=1"), ("--epochs", "0"), ("--epoch", "3")])
def test_a_mistake_is_told_without_torch(tmp_path, verb, mistake):
    code = (
        "import sys; from sightline.cli.main import run\n"
        f"code = run([{verb!r}, 'x', '--out', {str(tmp_path / 'run')!r}, *{mistake!r}])\n"
        "assert code == 2 and 'torch' not in sys.modules, code"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert any(word in done.stderr for word in ("Did you mean", "greater than"))


@pytest.mark.parametrize("verb", ["pretrain", "classify", "segment"])
def test_a_named_flag_beats_set_and_the_environment(monkeypatch, tmp_path, capsys, verb):
    """What the environment sets is named where the command fails for want of data."""
    monkeypatch.setenv("SIGHTLINE_SET", "epochs=0 seed=7")
    out = str(tmp_path / "run")
    assert run([verb, str(tmp_path / "nowhere"), "--out", out, "--set", "epochs=-1", "--epochs", "10"]) == 2
    told = capsys.readouterr().err
    assert f"{verb}: SIGHTLINE_SET sets seed=7" in told
    assert "nowhere" in told


def test_the_configuration_class_of_each_verb_has_its_flags():
    for cls in (ClassifyConfig, PretrainConfig, SegmentConfig):
        assert all(field.description or name in ("kind",) for name, field in cls.model_fields.items()), cls
