"""Relative paths of a study file: beside the file first, then from here, and names stay names."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.data import find
from sightline.errors import ConfigError, DataError
from sightline.study import read_study, with_split

STUDY = """
name: x
pretrain: {data: {source: pictures}, set: {init: weights.pt}}
reference: {weights: resnet18.a1_in1k}
classify: {data: {source: demo/objects, split_file: split.json}, set: {init: none}}
segment: {data: {source: tiles, split_file: only-here.json}}
"""


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.fixture
def study_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here = tmp_path / "here"
    touch(tmp_path / "studies", "pictures/1.png", "weights.pt", "split.json", "tiles/1.png")
    touch(here, "tiles/2.png", "only-here.json")
    monkeypatch.chdir(here)
    (tmp_path / "studies" / "x.yaml").write_text(STUDY)
    return Path("..") / "studies" / "x.yaml"


def test_paths_of_a_study_file_are_relative_to_it(study_file: Path, capsys: pytest.CaptureFixture[str]):
    study = read_study(str(study_file))
    assert study.pretrain is not None
    assert study.classify is not None
    assert study.segment is not None
    assert study.pretrain.data.source == "../studies/pictures"
    assert study.pretrain.set == {"init": "../studies/weights.pt"}
    assert study.reference.weights == "resnet18.a1_in1k"
    assert study.classify.data.source == "demo/objects"
    assert study.classify.data.split_file == "../studies/split.json"
    assert study.classify.set == {"init": "none"}
    assert study.segment.data.source == "../studies/tiles"
    assert study.segment.data.split_file == "only-here.json"
    assert capsys.readouterr().err == (
        "study: segment.data.split_file = only-here.json is not beside the study file; taken from here\n"
    )


def test_a_study_file_of_the_working_directory_keeps_its_words(study_file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(study_file.parent)
    study = read_study("x.yaml")
    assert study.pretrain is not None
    assert (study.pretrain.data.source, study.pretrain.set) == ("pictures", {"init": "weights.pt"})


def test_a_home_of_nobody_is_a_path_like_any_other(tmp_path: Path):
    path = tmp_path / "x.yaml"
    path.write_text(STUDY.replace("source: tiles", "source: ~no-such-user/tiles"))
    study = read_study(str(path))
    assert study.segment is not None
    assert study.segment.data.source == "~no-such-user/tiles"
    with pytest.raises(DataError, match="~no-such-user/tiles"):
        find(study.segment.data.source)


def test_a_split_file_of_a_flag_is_for_the_images_that_are_trained_on(tmp_path: Path):
    path = tmp_path / "one.yaml"
    path.write_text("{name: x, arms: [A], pretrain: {data: {source: a}}, classify: {data: {source: b}}}")
    study = with_split(read_study(str(path)), "mine.json")
    assert study.pretrain is not None
    assert study.classify is not None
    assert (study.classify.data.split_file, study.pretrain.data.split_file) == ("mine.json", None)


def test_a_split_file_of_a_flag_is_refused_where_it_may_be_for_two(study_file: Path):
    with pytest.raises(ConfigError, match=r"--split mine.json: .*blocks classify and segment.*data.split_file"):
        with_split(read_study(str(study_file)), "mine.json")
