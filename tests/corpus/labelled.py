"""Labelled images: layouts of folders, what stands in the way of classes, and parts."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

from conftest import save
from corpus.case import Case, Refused
from sightline.config import DataConfig, SplitConfig
from sightline.data import list_images, split


def listed(folder: Path, **options: Any) -> Any:
    return list_images(DataConfig(source=str(folder / "data"), **options))


def counts(folder: Path) -> dict[str, int]:
    """Return how many images each class has; the images of no class under ""."""
    listing = listed(folder)
    return dict(Counter(listing.classes[sample.label] if sample.label >= 0 else "" for sample in listing.samples))


def styles(folder: Path) -> dict[str, int]:
    """Return how many images each STYLE/CLASS has."""
    listing = listed(folder)
    return dict(Counter(f"{sample.style}/{listing.classes[sample.label]}" for sample in listing.samples))


def parts(folder: Path) -> dict[str, int]:
    """Return how many images each PART/CLASS of the split has, as training uses it."""
    listing = listed(folder)
    divided = split(listing, SplitConfig(val=0.5, test=0.25))
    names = {i: name for name in ("train", "val", "test") for i in getattr(divided, name).tolist()}
    return dict(Counter(f"{names[i]}/{listing.classes[s.label]}" for i, s in enumerate(listing.samples) if i in names))


def passed(folder: Path) -> list[str]:
    """Return what is said of what was passed over."""
    return [str(entry) for entry in listed(folder).passed if not entry.usual]


def unclear(folder: Path) -> str:
    """Return why there are no labels."""
    return listed(folder).unclear


def every(folder: Path) -> int:
    """Return how many images pretraining takes."""
    return len(list_images(DataConfig(source=str(folder / "data")), labels=False))


def classes_asked(folder: Path) -> list[str]:
    """Return the classes where the layout is given."""
    return list(listed(folder, layout="classes").classes)


def styles_asked(folder: Path) -> list[str]:
    return list(listed(folder, layout="styles").classes)


def one_style(folder: Path) -> list[str]:
    return listed(folder, style="photo").ids


def files(*names: str, folders: tuple[str, ...] = (), texts: tuple[str, ...] = ()) -> Any:
    """Return what writes a small picture under each name of data/, empty folders, and files that are no pictures."""

    def make(folder: Path) -> None:
        for i, name in enumerate(names):
            save(folder / "data" / name, i, size=4)
        for name in folders:
            (folder / "data" / name).mkdir(parents=True)
        for name in texts:
            (folder / "data" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "data" / name).write_text("x")

    return make


def each(*folders: str, count: int = 1) -> tuple[str, ...]:
    """Return names of `count` pictures in each folder."""
    return tuple(f"{folder}/{i}.png" for folder in folders for i in range(count))


AB = each("a", "b", count=4)
AB_COUNTS = {"a": 4, "b": 4}
CAT_DOG = tuple(f"{part}/{kind}" for part in ("train", "val", "test") for kind in ("cat", "dog"))
NFC, NFD = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))

CASES = [
    Case("class folders", files("cat/1.png", "cat/2.png", "dog/1.png"), counts, {"cat": 2, "dog": 1}, "Labels"),
    Case("no folders", files("1.png", "2.png"), counts, {"": 2}, "Labels", "two images without labels"),
    Case("a stray image is passed over", files(*AB, "montage.png"), counts, AB_COUNTS, "Labels"),
    Case("and said", files(*AB, "montage.png"), passed, ["1 image beside the class folders (montage.png)"]),
    Case("an empty class folder", files(*AB, folders=("c",)), counts, AB_COUNTS, "Labels"),
    Case("is said", files(*AB, folders=("c",)), passed, ["1 folder without images (c)"]),
    Case("both are said", files(*AB, "m.png", folders=("c",)), passed,
         ["1 image beside the class folders (m.png)", "1 folder without images (c)"]),
    Case("__MACOSX beside the classes", files(*AB, texts=("__MACOSX/a/._0.jpg",)), counts, AB_COUNTS, "Labels"),
    Case("docs/ beside the classes", files(*AB, folders=("docs",)), counts, AB_COUNTS, "Labels"),
    Case("docs/ with a text", files(*AB, texts=("docs/readme.txt",)), counts, AB_COUNTS),
    Case("a text beside the classes", files(*AB, texts=("readme.txt",)), counts, AB_COUNTS),
    Case("a nested class folder", files(*AB, "c/sub/0.png"), counts, {**AB_COUNTS, "c": 1}, "Labels"),
    Case("images and folders in a class", files(*AB, "a/more/0.png"), counts, {"a": 5, "b": 4}),
    Case("an archive in an archive", files(*each("zip/a", "zip/b", count=4)), counts, AB_COUNTS, "Labels"),
    Case("wrapped twice", files(*each("x/y/a", "x/y/b", count=4)), counts, AB_COUNTS),
    Case("wrapped, with a stray above", files(*each("zip/a", "zip/b", count=4), "cover.png"), counts, AB_COUNTS),
    Case("wrapped, with a stray within", files(*each("zip/a", "zip/b", count=4), "zip/m.png"), counts, AB_COUNTS),
    Case("wrapped, with its own hidden files", files(*each("zip/a", "zip/b"), texts=("zip/.DS_Store",)), counts,
         {"a": 1, "b": 1}),
    Case("ids stay whole in a wrap", files(*each("zip/a", "zip/b")), lambda f: listed(f).ids,
         ["zip/a/0.png", "zip/b/0.png"]),
    Case("CLASS/images", files(*each("a/images", "b/images", count=2)), counts, {"a": 2, "b": 2}, "Labels"),
    Case("hidden folders in classes", files(*AB, "a/.thumbs/0.png"), counts, AB_COUNTS),
    Case("notebook checkpoints in classes", files(*AB, "a/.ipynb_checkpoints/0-checkpoint.png"), counts, AB_COUNTS),
    Case("a notebook's checkpoints beside classes", files(*AB, ".ipynb_checkpoints/0.png"), counts, AB_COUNTS),
    Case("a run folder beside the classes", files(*AB, "run/figures/1.png", texts=("run/run.json", "run/config.yaml")),
         counts, AB_COUNTS, "Labels"),
    Case("a study folder beside the classes", files(*AB, "s/figures/1.png", "s/runs/x.png", texts=("s/study.yaml",)),
         counts, AB_COUNTS),
    Case("two files of one stem", files("a/0.png", "a/0.jpg", "b/0.png"), counts, {"a": 2, "b": 1}, "Labels",
         "three samples, whose ids hold the suffix"),
    Case("a class of one image", files("a/0.png", "b/0.png"), counts, {"a": 1, "b": 1}),
    Case("one class folder only", files(*each("a", count=3)), unclear,
         "one folder with images only, a; classes need two. a: 3 images"),
    Case("one class, asked for", files(*each("a", count=3)), classes_asked, ["a"]),
    Case("as many images beside as in folders", files("a/0.png", "b/0.png", "1.png", "2.png"), unclear,
         "2 images beside the folders and 2 in them. beside the folders: 2 images; a: 1 images; b: 1 images"),
    Case("the same, asked for", files("a/0.png", "b/0.png", "1.png", "2.png"), classes_asked, ["a", "b"]),
    Case("images by day", files(*each("2019/01/02", "2019/02/03", "2020/01/05", "2020/03/01")), counts, {"": 4}),
    Case("images by day, said", files(*each("2019/01/02", "2019/02/03", "2020/01/05", "2020/03/01")), unclear,
         "most images lie three folders deep or deeper. 2019: 2 images in its folders; 2020: 2 images in its folders"),
    Case("no images", files(folders=("a", "b")), counts, Refused("no images found", ".jpg")),
    Case("only texts", files(texts=("a/1.txt", "b/2.txt")), counts, Refused("no images found", "2 file of no image")),
    Case("accents decomposed in one part", files(f"train/{NFC}/0.png", "train/b/0.png", f"test/{NFD}/0.png",
         "test/b/0.png"), lambda f: list(listed(f).classes), ["b", NFC]),
    Case("spaces in class names", files("big cat/0.png", "small dog/0.png"), counts, {"big cat": 1, "small dog": 1}),
    Case("classes that are numbers", files(*each("0", "1", "10")), counts, {"0": 1, "1": 1, "10": 1}),
    Case("style and class", files(*each("art/cat", "art/dog", "photo/cat", "photo/dog")), styles,
         {"art/cat": 1, "art/dog": 1, "photo/cat": 1, "photo/dog": 1}, "Labels"),
    Case("a style that lacks a class", files(*each("art/cat", "photo/cat", "photo/dog")), styles,
         {"art/cat": 1, "photo/cat": 1, "photo/dog": 1}),
    Case("one style", files(*each("art/cat", "art/dog", "photo/cat", "photo/dog")), one_style,
         ["photo/cat/0.png", "photo/dog/0.png"]),
    Case("a style that is not there", files(*each("art/cat", "art/dog", "b/cat", "b/dog")), one_style,
         Refused("no such style", "art, b")),
    Case("styles asked of classes", files(*AB), styles_asked, Refused("no images found as layout 'styles'")),
    Case("an image in a style", files(*each("art/cat", "art/dog", "photo/cat", "photo/dog"), "art/m.png"), passed,
         ["1 image beside the class folders of a style (art/m.png)"]),
    Case("styles in a wrap", files(*each("z/art/cat", "z/art/dog", "z/photo/cat", "z/photo/dog")), styles,
         {"art/cat": 1, "art/dog": 1, "photo/cat": 1, "photo/dog": 1}),
    Case("train, val and test", files(*each(*CAT_DOG, count=2)), parts, dict.fromkeys(CAT_DOG, 2), "Labels"),
    Case("in any case", files(*each("Train/a", "Train/b", "VALID/a", "VALID/b", "Test/a", "Test/b")), parts,
         dict.fromkeys(("train/a", "train/b", "val/a", "val/b", "test/a", "test/b"), 1)),
    Case("validation", files(*each("training/a", "training/b", "validation/a", "validation/b", "testing/a",
         "testing/b")), parts, dict.fromkeys(("train/a", "train/b", "val/a", "val/b", "test/a", "test/b"), 1)),
    Case("train and val: val is the test", files(*each("train/a", "train/b", "val/a", "val/b", count=4)), parts,
         {"train/a": 2, "train/b": 2, "val/a": 2, "val/b": 2, "test/a": 4, "test/b": 4}, "Labels",
         "the val folder is the test part, and validation is drawn from training"),
    Case("train and test", files(*each("train/a", "train/b", "test/a", "test/b", count=4)), parts,
         {"train/a": 2, "train/b": 2, "val/a": 2, "val/b": 2, "test/a": 4, "test/b": 4}, "Labels"),
    Case("parts in a wrap", files(*each(*(f"set/{place}" for place in CAT_DOG))), parts, dict.fromkeys(CAT_DOG, 1)),
    Case("a wrap in the parts", files(*each("train/images/a", "train/images/b", "test/images/a", "test/images/b",
         count=2)), lambda f: counts(f), {"a": 4, "b": 4}),
    Case("CLASS/PART", files(*each("cat/train", "cat/test", "dog/train", "dog/test", count=2)), parts,
         {"train/cat": 1, "val/cat": 1, "test/cat": 2, "train/dog": 1, "val/dog": 1, "test/dog": 2}, "Labels"),
    Case("train and test without classes", files(*each("train", "test", count=2)), counts, {"": 4}, "Labels"),
    Case("and why", files(*each("train", "test", count=2)), unclear,
         "test and train hold images and no class folders. test: 2 images; train: 2 images"),
    Case("a test part to be predicted", files(*each("train/a", "train/b", "test", count=2)), counts,
         {"a": 2, "b": 2}, "Labels", "the test part without class folders is passed over, and said"),
    Case("is said so", files(*each("train/a", "train/b", "test")), passed,
         ["1 image of the test part without class folder (test/0.png)"]),
    Case("train and unlabelled", files(*each("train/a", "train/b", "unlabelled", count=2)), counts, {"a": 2, "b": 2}),
    Case("trains are a class", files(*each("car", "train", "ship")), counts, {"car": 1, "train": 1, "ship": 1}),
    Case("parts without train", files(*each("val/a", "val/b", "test/a", "test/b")), parts, Refused("none of them is")),
    Case("a class missing in the test part", files(*each("train/a", "train/b", "test/a", count=4)), parts,
         Refused("the test part has no sample of b", "divide them in another way")),
    Case("pretraining takes all", files(*AB, "montage.png", "c/sub/0.png"), every, 10, "Labels",
         "pretraining takes every image below the folder"),
    Case("pretraining takes all parts", files(*each(*CAT_DOG)), every, 6),
]  # fmt: skip
