from __future__ import annotations

import os
from pathlib import Path

import pytest

from sightline.data import images_below, images_in, tell
from sightline.errors import DataError


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_images_are_found_below_and_what_is_none_is_passed_over(tmp_path: Path) -> None:
    images = [touch(tmp_path / name) for name in ("a.jpg", "b/c.PNG", "b/d/e.tif")]
    for name in ("._a.jpg", ".hidden/f.png", "b/notes.txt", "b/.g.png"):
        touch(tmp_path / name)
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")  # whoever opened it would wait for ever
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    assert images_below(tmp_path) == images
    assert images_in(tmp_path) == images
    assert images_in(images[1]) == [images[1]]


def test_nothing_to_find_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no images in this folder; known are .*\.jpg"):
        images_in(tmp_path)
    with pytest.raises(DataError, match="no such file or folder; give an image or a folder of images"):
        images_in(tmp_path / "missing")


@pytest.mark.parametrize("name", ["RANK", "SLURM_PROCID", "LOCAL_RANK"])
def test_of_several_processes_the_first_tells(capsys, monkeypatch, name: str):
    for number in ("0", "1"):
        monkeypatch.setenv(name, number)
        tell(f"process {number}")
    assert capsys.readouterr().err == "process 0\n"
