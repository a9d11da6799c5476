"""Tables and split files of any content: read, or refused by one of Sightline's own errors, and nothing else."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from many_inputs import SEEDS, forms, many_inputs

from conftest import save
from sightline.config import DataConfig, SplitConfig
from sightline.data import ImageSet, Sample, list_images, split
from sightline.errors import SightlineError
from sightline.tasks.prompt.requests import read_prompts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]

# What tables are made of, so that inputs come past the first check.
WORDS = [
    "id",
    "filename",
    "label",
    "split",
    "image",
    "x",
    "y",
    "im0.jpg",
    "im1",
    "im1.png",
    "a",
    "b",
    "train",
    "val",
    "test",
    "1e9",
    "é",
]
SIGNS = [",", ";", "\t", "|", "\n", "\r\n", "\r", '"', '""', " ", "\\", "/", "..", "sep=;", "#", "\ufeff", "\0"]
PIECES = st.sampled_from([*WORDS, *SIGNS])
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"])
BYTES = [piece.encode() for piece in (*WORDS, *SIGNS)]
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=40).map("".join)
TABLES = st.builds(
    lambda head, text, encoding: (head + text).encode(encoding, errors="replace"),
    st.sampled_from(["", "id,filename,label\n", "filename;split\n", "image,x,y\n", "id\tfilename\n0\tim0.jpg\n"]),
    TEXTS,
    ENCODINGS,
)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["a/0.png", "b/1.png"])
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["train", "x"]), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["train", "val", "valid", "test", "scenes", "Train"]) | st.text(max_size=4)
SPLITS = st.dictionaries(KEYS, JSON_VALUES, max_size=4).map(lambda value: json.dumps(value).encode()) | JSON_VALUES.map(
    lambda value: json.dumps(value).encode()
)
LISTING = ImageSet(
    "set", tuple(Sample(f"{c}/{i}.png", Path("x"), label) for label, c in enumerate("ab") for i in range(3)), ("a", "b")
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i, name in enumerate(("im0.jpg", "im1.png", "im1.jpg", "images/im2.jpg")):
        save(tmp_path / name, i, size=4)
    return tmp_path


def attempt(path: Path, content: bytes, seed: int, read: Callable[[], object]) -> None:
    """Read the content in each form: any error but Sightline's own is a failure."""
    for each in forms(content, seed, BYTES):
        path.write_bytes(each)
        with contextlib.suppress(SightlineError):
            read()


@many_inputs
@given(content=TABLES | st.binary(max_size=200), seed=SEEDS)
def test_a_table_of_images_is_read_or_refused(folder: Path, content: bytes, seed: int):
    path = folder / "t.csv"

    def read() -> None:
        listing = list_images(DataConfig(source=str(path)))
        json.dumps([*listing.ids, *listing.classes], ensure_ascii=False).encode()
        assert len(set(listing.ids)) == len(listing) > 0
        assert all(sample.path.is_file() for sample in listing.samples)

    attempt(path, content, seed, read)


@many_inputs
@given(content=TABLES | st.binary(max_size=200), seed=SEEDS)
def test_a_list_of_images_is_read_or_refused(folder: Path, content: bytes, seed: int):
    path = folder / "t.txt"
    attempt(path, content, seed, lambda: list_images(DataConfig(source=str(path))).fingerprint)


@many_inputs
@given(content=TABLES | st.binary(max_size=200), seed=SEEDS)
def test_a_table_of_prompts_is_read_or_refused(folder: Path, content: bytes, seed: int):
    path = folder / "p.csv"
    attempt(path, content, seed, lambda: read_prompts(path))


@many_inputs
@given(content=SPLITS | st.binary(max_size=200) | TEXTS.map(str.encode), seed=SEEDS)
def test_a_split_file_is_read_or_refused(tmp_path: Path, content: bytes, seed: int):
    path = tmp_path / "s.json"

    def read() -> None:
        assert all(split(LISTING, SplitConfig(val=0.3, test=0.3), str(path)).to_dict().values())

    attempt(path, content, seed, read)
