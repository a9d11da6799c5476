"""Answers beside a user's own files: theirs are neither replaced nor removed, ours are no images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import DataError
from sightline.files.outputs import RECORD
from sightline.prompts import Prompts
from sightline.tasks.prompt import Request, prompt_files

CLICK = Request(Prompts(points=((20, 15, 1),)))


def picture(path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != RECORD}


@pytest.mark.parametrize("name", ["a.json", "a_mask_000.png", "a_palette.png", "a_overlay.png", "a_coco.json"])
def test_a_file_that_sightline_did_not_write_is_never_replaced(tmp_path: Path, name: str):
    source = picture(tmp_path / "a.png")
    (tmp_path / name).write_bytes(b'{"shapes": "an hour of polygons"}')
    before = contents(tmp_path)
    with pytest.raises(DataError, match=f"{name}: is there already, and Sightline did not write it; nothing"):
        list(prompt_files([source], CLICK, out=tmp_path))
    assert contents(tmp_path) == before


def test_an_earlier_answer_makes_room_and_another_s_masks_stay(tmp_path: Path):
    source = picture(tmp_path / "a.png")
    picture(tmp_path / "a_mask_2023.png")
    (first,) = prompt_files([source], CLICK, out=tmp_path)
    assert len([path for path in first.files if "_mask_" in path.name]) > 1
    (second,) = prompt_files([source], CLICK, out=tmp_path, multimask=False)
    assert sorted(path.name for path in tmp_path.glob("a_mask_*")) == ["a_mask_000.png", "a_mask_2023.png"]
    assert {path.name for path in second.files} < set(contents(tmp_path))
    assert not list(tmp_path.glob(".a*"))


def test_an_answer_that_was_cut_short_is_one_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = picture(tmp_path / "a.png")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("sightline.tasks.prompt.prompt.mask_files.write_overlay", crash)
        with pytest.raises(KeyboardInterrupt):
            list(prompt_files([source], CLICK, out=tmp_path))
    assert (tmp_path / "a_mask_000.png").is_file()
    assert not (tmp_path / "a.json").is_file()
    (answer,) = prompt_files([source], CLICK, out=tmp_path)
    assert set(contents(tmp_path)) == {"a.png", *(path.name for path in answer.files)}


def test_a_folder_into_itself_twice_is_the_same(tmp_path: Path):
    picture(tmp_path / "x.png")
    list(prompt_files([tmp_path], CLICK, out=tmp_path))
    names = set(contents(tmp_path))
    list(prompt_files([tmp_path], CLICK, out=tmp_path))
    assert set(contents(tmp_path)) == names
