from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from sightline.config import DataConfig
from sightline.data import ImageSet, check, list_images
from sightline.errors import DataError


def put(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(root / name)
    return root


def opened(path: Path, **options) -> ImageSet:
    return list_images(DataConfig(source=str(path), **options))


def test_a_folder_is_searched_through_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "b.png", "deep/er/a.JPG", "deep/._a.jpg.png", ".thumbs/c.png")
    (tmp_path / "notes.txt").write_text("no image")
    found = opened(tmp_path)
    assert found.ids == ["b.png", "deep/er/a.JPG"]
    assert found.classes == ()
    assert found.labels.tolist() == [-1, -1]


def test_class_folders(tmp_path: Path) -> None:
    found = opened(put(tmp_path, "dog/1.png", "cat/1.png", "cat/2.png"))
    assert found.classes == ("cat", "dog")
    assert list(zip(found.ids, found.labels.tolist(), strict=True)) == [
        ("cat/1.png", 0),
        ("cat/2.png", 0),
        ("dog/1.png", 1),
    ]


def test_style_folders_with_all_or_one(tmp_path: Path) -> None:
    put(tmp_path, *(f"{style}/{kind}/1.png" for style in ("art", "photo") for kind in ("cat", "dog")))
    found = opened(tmp_path)
    assert [sample.style for sample in found.samples] == ["art", "art", "photo", "photo"]
    assert found.classes == ("cat", "dog")
    assert opened(tmp_path, style="photo").ids == ["photo/cat/1.png", "photo/dog/1.png"]
    with pytest.raises(DataError, match="Did you mean 'photo'"):
        opened(tmp_path, style="foto")


def test_what_is_neither_classes_nor_styles_is_a_folder(tmp_path: Path) -> None:
    put(tmp_path, "cat/1.png", "dog/1.png", "loose.png", "looser.png")
    listing = opened(tmp_path)
    assert listing.classes == ()
    assert listing.unclear.startswith("2 images beside the folders and 2 in them. beside the folders: 2 images; cat: 1")
    assert opened(tmp_path, layout="classes").classes == ("cat", "dog")


def test_a_few_images_beside_the_class_folders_are_passed_over_and_said(tmp_path: Path) -> None:
    listing = opened(put(tmp_path, "cat/1.png", "dog/1.png", "montage.png"))
    assert listing.classes == ("cat", "dog")
    assert listing.said() == [f"{tmp_path}: passed over 1 image beside the class folders (montage.png)"]
    every = list_images(DataConfig(source=str(tmp_path)), labels=False)
    assert (every.ids, every.classes) == (["cat/1.png", "dog/1.png", "montage.png"], ())


def test_a_list_file(tmp_path: Path) -> None:
    put(tmp_path, "in/a.png", "b.png")
    listed = tmp_path / "list.txt"
    listed.write_text(f"# comment\nin/a.png\n\n{tmp_path / 'b.png'}\n", encoding="utf-8")
    assert {sample.path for sample in opened(listed).samples} == {tmp_path / "in/a.png", tmp_path / "b.png"}
    listed.write_text("in/a.png\nin/a.png\n")
    with pytest.raises(DataError, match=r"path given more than once: in/a\.png"):
        opened(listed)
    listed.write_text("gone.png\n")
    with pytest.raises(DataError, match=r"1 files that are not there: .*gone\.png"):
        opened(listed)


def table(root: Path, text: str) -> Path:
    path = root / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_csv_beside_its_images_or_their_folder(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "images/b.png")
    found = opened(table(tmp_path, "\ufeffid,filename,label\n7,a.png,dog\n3,b.png,cat\n"))
    assert found.ids == ["3", "7"]
    assert found.classes == ("cat", "dog")
    assert [sample.path for sample in found.samples] == [tmp_path / "images/b.png", tmp_path / "a.png"]
    assert opened(table(tmp_path, "id,filename,label\n7,a.png,\n")).classes == ()
    assert opened(table(tmp_path, "id,filename\n7,a.png\n")).labels.tolist() == [-1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("number,photo,label\n1,a.png,x\n", "no column filename; found number, photo, label"),
        ("", "is empty; need a first line such as id,filename,label"),
        ("id,filename,label\n1,a.png,x\n1,b.png,y\n", "id given more than once: 1"),
        ("id,filename,label\n1,gone.png,x\n", r"1 files that are not there: .*gone\.png"),
        ("id,filename,label\n1,a.png,x\n2,b.png,\n", "1 rows have an empty label"),
        ("id,filename,label\n1\n", "line 2: has 1 cells, fewer than the 3 columns"),
        ("id,filename,label\n", "no images found"),
    ],
)
def test_a_csv_that_does_not_hold_is_refused(tmp_path: Path, text: str, message: str) -> None:
    put(tmp_path, "a.png", "b.png")
    with pytest.raises(DataError, match=message):
        opened(table(tmp_path, text))


def test_wrong_sources_are_refused_with_a_way_out(tmp_path: Path) -> None:
    put(tmp_path, "a.png")
    (tmp_path / "latin.csv").write_bytes(b"id,filename\n1,\xe9.png\n")
    (tmp_path / "empty").mkdir()
    for path, options, message in (
        (tmp_path / "empty", {}, "no images found"),
        (tmp_path / "gone", {}, "no such folder or file"),
        (tmp_path / "a.png", {}, "is one image; give the folder"),
        (tmp_path / "latin.csv", {}, "files that are not there: .*é.png.* read as Windows-1252"),
        (tmp_path, {"layout": "csv"}, "needs a file"),
        (tmp_path / "latin.csv", {"layout": "classes"}, "needs a folder"),
        (tmp_path, {"style": "photo"}, "leave style out"),
    ):
        with pytest.raises(DataError, match=message):
            opened(path, **options)
    with pytest.raises(DataError, match="source is empty"):
        list_images(DataConfig(source=" "))
    with pytest.raises(DataError, match="Did you mean 'eurosat'"):
        list_images(DataConfig(source="eurosatt"))


def test_the_fingerprint_sees_files_and_labels(tmp_path: Path) -> None:
    first = opened(put(tmp_path / "a", "cat/1.png", "dog/1.png"))
    assert opened(put(tmp_path / "b", "dog/1.png", "cat/1.png")).fingerprint == first.fingerprint
    assert opened(put(tmp_path / "c", "cat/1.png", "dog/2.png")).fingerprint != first.fingerprint
    assert replace(first, samples=first.samples[1:]).fingerprint != first.fingerprint


def test_data_check_shows_what_was_passed_over_and_the_parts(tmp_path: Path) -> None:
    put(tmp_path, *(f"{part}/{kind}/1.png" for part in ("train", "test") for kind in ("cat", "dog")), "montage.png")
    (tmp_path / ".DS_Store").touch()
    (tmp_path / "train" / "bird").mkdir()
    rows = [(row["what"], row["value"]) for row in check(DataConfig(source=str(tmp_path)))]
    assert ("images of uint8 values, of 4 looked at", 4) in rows
    of_pixels = ("images of ", "warning: ", "few levels")  # tests/corpus/rasters.py looks after these
    assert [row for row in rows if not row[0].startswith(of_pixels)] == [
        ("images", 4),
        ("unreadable", 0),
        ("class cat", 2),
        ("class dog", 2),
        ("mode RGB", 4),
        ("size of all", "4 × 4"),
        ("part train", 2),
        ("part test", 2),
        ("pairs of identical", 3),
        *(("identical", f"test/cat/1.png = {other}/1.png") for other in ("test/dog", "train/cat", "train/dog")),
        ("pairs of near copies", 0),
        ("test images with a copy in train", 2),
        ("pairs of copies with different labels", 2),
        *(("different labels", f"test/cat/1.png (cat) = {part}/dog/1.png (dog)") for part in ("test", "train")),
        ("passed over", "1 image beside the parts (montage.png)"),
        ("passed over", "1 folder without images (train/bird)"),
        ("passed over", "1 hidden (.DS_Store)"),
    ]
