"""The command line: help without torch, exit codes, errors that help."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from sightline.cli.main import VERBS, make_app, run


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_comes_up_without_torch(verb):
    code = (
        "import sys; from sightline.cli.main import run\n"
        f"code = run([{verb!r}, '--help'] if {verb!r} else ['--help'])\n"
        "heavy = [m for m in ('torch', 'torchvision', 'timm', 'matplotlib', 'sklearn') if m in sys.modules]\n"
        "assert code == 0 and not heavy, (code, heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not verb or "Example: sightline " in done.stdout


def test_the_list_of_verbs_says_what_each_does(capsys):
    assert run(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for verb in VERBS:
        assert run([verb, "--help"]) == 0
        sentence = " ".join(capsys.readouterr().out.split("\n\n")[1].split())
        assert f"{verb} {sentence}" in text


def refused(*argv: str) -> str:
    """Return what a command says that is refused before what reads images is imported.

    Under half a second: NumPy, Arrow and Pillow alone would take as long.
    """
    code = (
        "import sys; from sightline.cli.main import run\n"
        f"code = run({list(argv)!r})\n"
        "heavy = [m for m in ('torch', 'numpy', 'pyarrow', 'PIL') if m in sys.modules]\n"
        "assert code == 2 and not heavy, (code, heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_a_mistyped_flag_is_told_before_what_reads_images_is_there(verb):
    refused(verb, "--no-such-flag")


@pytest.mark.parametrize("verb", ["pretrain", "classify", "segment", "embed"])
def test_a_mistyped_key_is_told_before_what_reads_images_is_there(verb, tmp_path):
    refused(verb, str(tmp_path), "--out", str(tmp_path / "run"), "--set", "epochz=3")


def test_a_mistyped_key_of_a_study_is_told_before_what_reads_images_is_there(tmp_path):
    (tmp_path / "study.yaml").write_text("name: x\nseeds: [0]\narmz: [A]\n")
    assert "Did you mean 'arms'" in refused("study", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "run"))


def test_importing_sightline_loads_no_torch():
    code = "import sys, sightline; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_shells_complete_paths_where_a_path_may_stand(tmp_path):
    (tmp_path / "labelled").mkdir()
    (tmp_path / "script").write_text(make_app().generate_completion(shell="bash"))
    lines = ["classify lab", "classify x --init lab", "data check lab", "serve lab", "study lab", "embed x lab"]
    loop = "while read -ra COMP_WORDS; do COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _sightline; echo ${COMPREPLY[@]}; done"
    typed = "".join(f"sightline {line}\n" for line in lines)
    completed = subprocess.run(
        ["bash", "-c", f"source ./script; {loop}"],
        input=typed,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert completed.stdout.split() == ["labelled"] * len(lines), completed.stderr


def test_an_unknown_verb_and_an_unknown_flag_exit_2_with_the_nearest(capsys):
    assert run(["pretrian", "x"]) == 2
    assert "pretrain" in capsys.readouterr().err
    assert run(["pretrain", "x", "--out", "y", "--epoch", "3"]) == 2
    assert "--epochs" in capsys.readouterr().err


def test_a_mistyped_key_exits_2_and_writes_nothing(tmp_path, capsys, class_folder):
    assert run(["pretrain", str(class_folder), "--out", str(tmp_path / "run"), "--set", "optim.lrr=1"]) == 2
    assert "Did you mean 'lr'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_missing_data_exits_2_and_names_the_known(tmp_path, capsys):
    assert run(["pretrain", str(tmp_path / "nowhere"), "--out", str(tmp_path / "run")]) == 2
    errors = capsys.readouterr().err
    assert "nowhere" in errors
    assert "demo" in errors
    assert "Traceback" not in errors


def test_an_occupied_folder_is_left_alone(tmp_path, capsys, class_folder):
    (tmp_path / "thesis.txt").write_text("mine")
    assert run(["classify", str(class_folder), "--out", str(tmp_path), "--backbone", "timm/test_resnet"]) == 2
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_debug_gives_the_traceback(tmp_path):
    from sightline.errors import DataError

    with pytest.raises(DataError):
        run(["pretrain", str(tmp_path / "nowhere"), "--out", str(tmp_path / "run"), "--debug"])


def test_data_check_as_json(class_folder, capsys):
    assert run(["data", "check", str(class_folder), "--json"]) == 0
    rows = {row["what"]: row["value"] for row in json.loads(capsys.readouterr().out)}
    assert rows["images"] == 60
    assert rows["class class1"] == 20


def test_reference_weights_without_a_network_are_not_available(class_folder, tmp_path, capsys):
    code = run(["classify", str(class_folder), "--out", str(tmp_path / "run"), "--init", "reference"])
    assert code == 1
    assert "could not be fetched" in capsys.readouterr().err
