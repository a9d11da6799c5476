"""`sightline init`: what is in one's folders becomes a study file that the study reads as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from conftest import save, write_classes
from sightline.cli.main import run
from sightline.study import expand, read_study


def tiles(folder: Path) -> None:
    for index in range(3):
        save(folder / f"{index}_sat.jpg", index, 40)
        mask = np.zeros((40, 40, 3), np.uint8)
        mask[:, 20:] = (0, 255, 0)
        Image.fromarray(mask).save(folder / f"{index}_mask.png")


def test_folders_of_each_kind_become_a_study(tmp_path: Path, capsys):
    write_classes(tmp_path / "labelled", classes=2, each=2)
    tiles(tmp_path / "my tiles")
    for index in range(3):
        save(tmp_path / "photos" / f"{index}.png", index)
    save(tmp_path / "more" / "a.png")
    assert run(["init", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "another one is larger" in out
    assert f"sightline study '{tmp_path}'" in out or f"sightline study {tmp_path}" in out
    path = tmp_path / "study.yaml"
    values = yaml.safe_load(path.read_text())
    assert values["arms"] == ["A", "B", "C", "D", "E", "unet", "unet-own", "deeplabv3plus", "sam"]
    assert values["pretrain"]["data"]["source"] == "photos"
    assert values["segment"]["data"]["source"] == "my tiles"
    assert values["segment"]["set"]["crop"] == 32
    assert path.read_text().count("#") > 8
    nodes = expand(read_study(str(path)), tmp_path / "out")
    assert {node.kind for node in nodes} == {"pretrain", "classify", "segment", "prompt"}
    assert run(["init", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err


def test_class_folders_alone_are_one_labelled_source(tmp_path: Path):
    write_classes(tmp_path, classes=2, each=2)
    assert run(["init", str(tmp_path), "--out", str(tmp_path / "s.yaml")]) == 0
    values = yaml.safe_load((tmp_path / "s.yaml").read_text())
    assert values["arms"] == ["A", "B", "D"]
    assert values["classify"]["data"]["source"] == "."


@pytest.mark.parametrize("pictures", [0, 2])
def test_nothing_to_compare_by_says_what_to_do(tmp_path: Path, capsys, pictures: int):
    for index in range(pictures):
        save(tmp_path / f"{index}.png", index)
    assert run(["init", str(tmp_path)]) == 2
    text = capsys.readouterr().err
    assert ("sightline pretrain" if pictures else "holds no images") in text
    assert not (tmp_path / "study.yaml").exists()


def test_a_contact_sheet_shows_each_class(tmp_path: Path, capsys):
    source = write_classes(tmp_path / "labelled", classes=2, each=3)
    assert run(["data", "sheet", str(source), "--out", str(tmp_path / "sheet.png")]) == 0
    assert "6 images" in capsys.readouterr().out
    with Image.open(tmp_path / "sheet.png") as image:
        pixels = np.asarray(image)
    assert pixels.shape[0] > 2 * 112
    assert (pixels != 255).mean() > 0.2
    (tmp_path / "labelled" / "class0" / "000.png").write_bytes(b"broken")
    assert run(["data", "sheet", str(source), "--out", str(tmp_path / "sheet.png")]) == 0
    assert "5 images" in capsys.readouterr().out


def test_shells_complete_verbs_and_flags():
    from sightline.cli.main import make_app

    script = make_app().generate_completion(shell="bash")
    assert all(word in script for word in ("pretrain", "--epochs", "install-completion"))
