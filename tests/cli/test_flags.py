"""Flags that are made from a configuration: every default and description comes from one place."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sightline import recipes
from sightline.cli.flags import FLAGS, config_flags
from sightline.cli.main import VERBS, run
from sightline.config import ClassifyConfig, EmbedConfig, PretrainConfig, SegmentConfig
from sightline.files.atomic import write_json
from sightline.runs.info import RunInfo


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


MISTYPED_STUDIES = {
    "armss: [A]": "Did you mean 'arms'",
    "arms: [AA]\nclassify: {data: {source: x}}": "Did you mean 'A'",
    "arms: [A]\nclassify: {data: {source: x}, set: {epochss: 3}}": "Did you mean 'epochs'",
    "arms: [unet]\nsegment: {data: {source: x, layuot: pairs}}": "Did you mean 'layout'",
    "arms: [C]\npretrain: {recipe: dino-smal, data: {source: x}}\nclassify: {data: {source: x}}": "dino-small",
}


def mistakes(tmp_path) -> list[tuple[list[str], str]]:
    """Return command lines with one mistake each, and what is said of it."""
    lines: list[tuple[list[str], str]] = []
    for verb in ("pretrain", "classify", "segment"):
        begin = [verb, "x", "--out", str(tmp_path / "run")]
        lines += [([*begin, "--set", "optim.lrr=1"], "Did you mean 'lr'"), ([*begin, "--epochs", "0"], "greater than")]
        lines += [([*begin, "--epoch", "3"], "Did you mean --epochs"), ([*begin, "--set", "device=gpu"], "'cuda'")]
        lines += [(begin, "no such folder or file"), ([*begin, "--backbone", "rsnet18"], "Did you mean 'resnet18'")]
    for number, (text, words) in enumerate(MISTYPED_STUDIES.items()):
        (tmp_path / f"{number}.yaml").write_text(f"name: x\nseeds: [0]\n{text}\n")
        lines.append((["study", str(tmp_path / f"{number}.yaml"), "--out", str(tmp_path / "run")], words))
    lines += [(["study", "demo", "--only", "Q", "--out", str(tmp_path / "run")], "no such arm")]
    lines += [(["study", "demo", "--dry"], "--dry-run")]
    prompt = ["prompt", "x.jpg", "--out", str(tmp_path / "run")]
    lines += [([*prompt, "--point", "1,x,+"], "120,80,+"), ([*prompt, "--point", "1,2", "--engine", "sam22"], "'sam2'")]
    lines += [([*prompt, "--point", "1,2", "--format", "oco"], "Did you mean 'coco'")]
    lines += [([*prompt, "--point", "1,2"], "no such file or folder")]
    for verb in (["predict", "x", "y", "--out", "z"], ["evaluate", "x", "y"], ["export", "x", "--format", "onnx"]):
        lines += [(verb, "holds no run"), ([*verb, "--devise", "cpu"], "Unknown option")]
    lines += [
        (["embed", "x", "y", "--out", "z"], "holds no run"),
        (["embed", "x", "y", "--out", "z", "--tsn"], "--tsne"),
    ]
    info = RunInfo(
        kind="classify", status="done", reason="", fingerprint="", seed=0, timings={}, started="2026-01-01", finished=""
    )
    (tmp_path / "c").mkdir()
    write_json(tmp_path / "c" / "run.json", info.to_dict())
    lines += [(["predict", str(tmp_path / "c"), "y", "--out", "z", "--tta"], "tta: is for segment runs")]
    lines += [(["evaluate", str(tmp_path / "c"), str(tmp_path), "--part", "test"], "part: is for segment runs")]
    lines += [(["report", "x"], "holds neither"), (["report", "x", "--ou", "y"], "--out")]
    lines += [(["serve", "demo", "--port", "99999"], "1 to 65535"), (["serve", "demo", "--engine", "samm"], "'sam'")]
    lines += [(["data", "check", "x", "--layout", "clases"], '"classes"'), (["data", "chek", "x"], "check")]
    lines += [(["data", "check", "x", "--sed", "1"], "--seed"), (["data", "fetch", "cifar-11"], "'cifar-10'")]
    lines += [(["bench", "step", "--precision", "bf17"], "bf16-mixed"), (["bench", "step", "--device", "gpu"], "cuda")]
    lines += [(["init", "--uot", "x"], "--out"), (["init", str(tmp_path / "x")], "no such folder")]
    lines += [(["runs", "--wach"], "--watch"), (["runs", str(tmp_path / "x")], "no such folder")]
    return [*lines, (["doctor", "--jsn"], "--json")]


def test_a_mistake_is_told_without_torch_by_every_verb(tmp_path):
    lines = mistakes(tmp_path)
    assert {line[0] for line, _ in lines} == set(VERBS)
    code = (
        "import contextlib, io, json, sys; from sightline.cli.main import run\n"
        "for line, words in json.load(sys.stdin):\n"
        "    text = io.StringIO()\n"
        "    with contextlib.redirect_stderr(text), contextlib.redirect_stdout(text): code = run(line)\n"
        "    said = ' '.join(text.getvalue().replace('│', ' ').split())\n"
        "    assert code == 2 and words in said and 'torch' not in sys.modules, (line, words, code, said)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(lines), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "run").exists()


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
