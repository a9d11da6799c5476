"""Split files: which images are in which part, of classification and of segmentation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corpus.case import Case, Refused
from sightline.config import SplitConfig
from sightline.data import ImageSet, Sample, split
from sightline.data.split_file import part_of, read_split

LISTING = ImageSet(
    "set",
    tuple(Sample(f"{name}/{i}.png", Path("x"), label) for label, name in enumerate("ab") for i in range(4)),
    ("a", "b"),
)


def write(content: Any) -> Callable[[Path], object]:
    """Return what writes a split file, of text or of what becomes JSON."""
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    return lambda folder: (folder / "s.json").write_bytes(text if isinstance(text, bytes) else text.encode())


def read(folder: Path) -> dict[str, tuple[str, ...]]:
    return dict(read_split(str(folder / "s.json")).parts)


def scenes(folder: Path) -> Any:
    return read_split(str(folder / "s.json")).scenes


def divided(folder: Path) -> dict[str, list[str]]:
    """Return the parts of eight images, as classification uses them."""
    return split(LISTING, SplitConfig(val=0.5, test=0.25), str(folder / "s.json")).to_dict()


def sizes(folder: Path) -> dict[str, int]:
    return {name: len(members) for name, members in divided(folder).items()}


A, B = ([f"{name}/{i}.png" for i in range(4)] for name in "ab")
PARTS = {"train": A[:2] + B[:2], "val": [A[2], B[2]], "test": [A[3], B[3]]}

CASES = [
    Case("three parts", write({"train": ["a"], "val": ["b"], "test": ["c"]}), read,
         {"train": ("a",), "val": ("b",), "test": ("c",)}, "Split files"),
    Case("other words for the parts", write({"Training": ["a"], "valid": ["b"], "TEST": ["c"]}), read,
         {"train": ("a",), "val": ("b",), "test": ("c",)}),
    Case("scenes", write({"train": ["a"], "scenes": {"x": ["a", "b"]}}), scenes, {"x": ("a", "b")}, "Split files"),
    Case("no scenes", write({"train": ["a"]}), scenes, None),
    Case("with a mark at the start", write(b"\xef\xbb\xbf" + b'{"train": ["a"]}'), read, {"train": ("a",)}),
    Case("in UTF-16", write('{"train": ["a"]}'.encode("utf-16")), read, {"train": ("a",)}),
    Case("scenes as a list", write({"train": ["a"], "scenes": ["a"]}), read, Refused("scenes: must be an object")),
    Case("scenes as null", write({"train": ["a"], "scenes": None}), read, Refused("scenes: must be", "null")),
    Case("a scene as a text", write({"train": ["a"], "scenes": {"x": "a"}}), read, Refused("scenes.x: must be a list")),
    Case("a scene of numbers", write({"train": ["a"], "scenes": {"x": [1]}}), read, Refused("scenes.x: entry 1")),
    Case("a tile in two scenes", write({"train": ["a"], "scenes": {"x": ["a"], "y": ["a"]}}), read,
         Refused("a stands in two scenes")),
    Case("a number for a part", write({"train": 3}), read, Refused("train: must be a list of ids, and is a number")),
    Case("null for a part", write({"train": None}), read, Refused("train: must be a list of ids, and is null")),
    Case("a text for a part", write({"train": "a"}), read, Refused("train: must be a list of ids, and is a text")),
    Case("true for a part", write({"train": True}), read, Refused("and is true or false")),
    Case("an object for a part", write({"train": {"a": 1}}), read, Refused("and is an object")),
    Case("numbers for ids", write({"train": ["a", 7]}), read, Refused("train: entry 2 must be an id", "a number"),
         "Split files"),
    Case("null for an id", write({"train": [None]}), read, Refused("entry 1", "null")),
    Case("lists in lists", write({"train": [["a"]]}), read, Refused("entry 1", "a list")),
    Case("a list of lists", write([["a"], ["b"]]), read, Refused("must be an object of part → ids, and is a list")),
    Case("a text alone", write('"train"'), read, Refused("and is a text")),
    Case("a number alone", write("3"), read, Refused("and is a number")),
    Case("nothing", write(""), read, Refused("is no JSON")),
    Case("half of it", write('{"train": ["a"'), read, Refused("is no JSON")),
    Case("NaN", write('{"train": [NaN]}'), read, Refused("entry 1", "a number")),
    Case("a number of 5000 digits", write(f'{{"train": [{"9" * 5000}]}}'), read, Refused("is no JSON")),
    Case("nested 100,000 deep", write("[" * 100_000), read, Refused("nested too deeply")),
    Case("an unknown part", write({"trian": ["a"]}), read, Refused("'trian' is none of", "Did you mean 'train'?")),
    Case("a part by two names", write({"val": ["a"], "valid": ["b"]}), read, Refused("is the val part, which")),
    Case("an id in two parts", write({"train": ["a"], "test": ["a"]}), read, Refused("names a in two parts")),
    Case("an id twice in a part", write({"train": ["a", "a"]}), read, Refused("names a in two parts, or twice")),
    Case("no member", write({"train": [], "val": []}), read, Refused("names no member")),
    Case("an empty object", write({}), read, Refused("names no member")),
    Case("no file", lambda _: None, read, Refused("cannot be read (No such file")),
    Case("a folder", lambda folder: (folder / "s.json").mkdir(), read, Refused("cannot be read (Is a directory)")),
    Case("a picture", write(b"\x89PNG\r\n\x1a\n\x00\x00"), read, Refused("zero byte")),
    Case("classification by a file", write(PARTS), divided, PARTS, "Split files"),
    Case("train and test: val is drawn", write({"train": A[:2] + B[:2], "test": A[2:] + B[2:]}), sizes,
         {"train": 2, "val": 2, "test": 4}, "Split files"),
    Case("train and val: val is the test part", write({"train": A[:2] + B[:2], "val": A[2:] + B[2:]}), sizes,
         {"train": 2, "val": 2, "test": 4}, "Split files"),
    Case("train alone: both are drawn", write({"train": A + B}), sizes, {"train": 2, "val": 4, "test": 2}),
    Case("what it does not name is in no part", write({"train": [A[0], B[0]], "val": [A[1], B[1]], "test": [A[2],
         B[2]]}),
         sizes, {"train": 2, "val": 2, "test": 2}),
    Case("no train", write({"test": A}), divided, Refused("names no member of train")),
    Case("an id that is not there", write({"train": [*A, *B, "a/9.png"]}), divided,
         Refused("names a/9.png, not in the data", "Did you mean 'a/")),
    Case("a class missing in the test part", write({"train": A[:2] + B, "test": A[2:]}), divided,
         Refused("the test part has no sample of b", "divide them in another way")),
    *[Case(f"{name!r} is a part", lambda _: None, lambda _, name=name: part_of(name), part) for name, part in (
        ("Train", "train"), (" VAL ", "val"), ("valid", "val"), ("Validation", "val"), ("dev", "val"),
        ("testing", "test"), ("trains", ""), ("", ""))],
]  # fmt: skip
