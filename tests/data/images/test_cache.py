from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.config import DataConfig
from sightline.data import decode, list_images, load_image_set, load_images, shrink
from sightline.errors import DataError
from sightline.files.staging import MARK


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for i, (height, width) in enumerate([(40, 60), (16, 16), (90, 30), (33, 47)]):
        Image.fromarray(rng.integers(0, 255, (height, width, 3), np.uint8)).save(tmp_path / f"photos/{i}.png")
    return tmp_path / "photos"


def listing(folder: Path):
    return list_images(DataConfig(source=str(folder)))


def test_images_are_as_decoded_and_shrunk(folder: Path, tmp_path: Path) -> None:
    images = load_image_set(listing(folder), 20, tmp_path / "cache")
    assert [image.shape for image in images.gather(range(4))] == [(20, 30, 3), (16, 16, 3), (60, 20, 3), (20, 28, 3)]
    for sample, image in zip(images.listing.samples, images.gather(range(4)), strict=True):
        np.testing.assert_array_equal(image, shrink(decode(sample.path), 20))
    assert not images[0].flags.writeable
    assert isinstance(images[0].base, np.ndarray)


def test_the_cache_is_used_until_a_file_changes(folder: Path, tmp_path: Path) -> None:
    cache, said = tmp_path / "cache", []
    load_image_set(listing(folder), 20, cache, progress=said.append)
    load_image_set(listing(folder), 20, cache, progress=said.append)
    assert len(said) == 1
    Image.new("RGB", (30, 30), "red").save(folder / "1.png")
    assert load_image_set(listing(folder), 20, cache, progress=said.append)[1].tolist() == [[[255, 0, 0]] * 20] * 20
    load_image_set(listing(folder), 24, cache, progress=said.append)
    assert len(said) == 3


def test_bad_images_are_counted_named_and_left_out(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "0.png").read_bytes()
    (folder / "2.png").write_bytes(whole[:200])
    with pytest.raises(DataError, match=r"1 of 4 images cannot be read, over the 1\.0% allowed: .*2\.png: damaged"):
        load_image_set(listing(folder), 20, tmp_path / "cache")
    said: list[str] = []
    images = load_image_set(listing(folder), 20, tmp_path / "cache", max_bad_fraction=0.25, progress=said.append)
    assert images.listing.ids == ["0.png", "1.png", "3.png"]
    assert [bad.id for bad in images.listing.bad] == ["2.png"]
    assert len(images) == 3
    np.testing.assert_array_equal(images[2], shrink(decode(folder / "3.png"), 20))
    assert "1 unreadable images left out" in said[-1]


def test_all_bad_is_an_empty_set_where_that_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"no")
    assert len(load_image_set(listing(tmp_path / "photos"), 20, tmp_path / "cache", max_bad_fraction=1.0)) == 0


def test_more_images_than_are_decoded_ahead_stay_in_order(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for i in range(150):
        Image.new("L", (9, 9), i).save(tmp_path / f"photos/{i:03d}.png")
    images = load_image_set(listing(tmp_path / "photos"), 8, tmp_path / "cache")
    assert [int(image[0, 0, 0]) for image in images.gather(range(150))] == list(range(150))


def test_a_file_that_went_away_is_named(folder: Path, tmp_path: Path) -> None:
    listed = listing(folder)
    (folder / "3.png").unlink()
    with pytest.raises(DataError, match=r"3\.png was listed and is gone"):
        load_image_set(listed, 20, tmp_path / "cache")


def test_a_failed_build_leaves_nothing_and_what_dead_processes_left_is_swept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setattr("sightline.data.images.cache.decoded", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        load_image_set(listing(folder), 20, cache)
    assert list((cache / "pixels").iterdir()) == []
    monkeypatch.undo()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = socket.gethostname().replace("-", "_")
    for pid in (dead.pid, os.getpid()):
        (cache / "pixels" / f"{MARK}{host}-{pid}-ab").mkdir()
    load_image_set(listing(folder), 20, cache)
    left = [path.name for path in (cache / "pixels").iterdir() if path.name.startswith(MARK)]
    assert left == [f"{MARK}{host}-{os.getpid()}-ab"]


@pytest.mark.parametrize("trouble", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ENOENT])
def test_a_passing_trouble_is_no_damage_and_is_not_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: int
) -> None:
    cache, image_open = tmp_path / "cache", Image.open

    def troubled(path, **options):
        if Path(path).name == "2.png":
            if trouble == errno.ENOENT:
                (folder / "2.png").rename(tmp_path / "away.png")
            raise OSError(trouble, os.strerror(trouble), str(path))
        return image_open(path, **options)

    listed = listing(folder)
    monkeypatch.setattr(Image, "open", troubled)
    with pytest.raises(DataError, match=r"2\.png: (cannot be read now|was listed and is gone)"):
        load_image_set(listed, 20, cache, max_bad_fraction=1.0)
    assert list((cache / "pixels").iterdir()) == []
    monkeypatch.undo()
    if trouble == errno.ENOENT:
        (tmp_path / "away.png").rename(folder / "2.png")
    assert load_image_set(listed, 20, cache).listing.bad == ()


BUILD = """
import sys
from pathlib import Path
from sightline.config import DataConfig
from sightline.data import list_images, load_image_set
images = load_image_set(list_images(DataConfig(source=sys.argv[1])), 20, Path(sys.argv[2]))
print(len(images), sum(int(image.sum()) for image in images.gather(range(len(images)))))
"""


def test_processes_that_build_at_once_all_get_the_whole_cache(class_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", BUILD, str(class_folder), str(tmp_path / "cache")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(answers) == 1
    assert answers.pop().startswith("60 ")
    assert len(list((tmp_path / "cache" / "pixels").iterdir())) == 1


def test_open_source_takes_all_from_the_config(folder: Path) -> None:
    images = load_images(DataConfig(source=str(folder), image_size=12))
    assert min(images[0].shape[:2]) == 12
