"""Whatever is in a file of prompts: requests, or one of Sightline's own errors."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from many_inputs import SEEDS, forms, many_inputs, value_forms

from sightline.errors import SightlineError
from sightline.tasks.prompt import Request, parse_box, parse_point, read_prompts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]

NUMBERS = st.integers() | st.floats()
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)
POINTS = st.lists(st.lists(NUMBERS, min_size=2, max_size=4), max_size=3)
KEYS = st.sampled_from(["points", "box", "text", "everything", "pionts"])
ENTRIES = st.dictionaries(KEYS, VALUES | POINTS, max_size=3)
WORDS = [
    "image",
    "x",
    "y",
    "label",
    "x0",
    "y0",
    "x1",
    "y1",
    "text",
    "everything",
    "a.png",
    "1",
    "-2.5",
    "nan",
    "inf",
    "1e400",
    "yes",
    "no",
    "+",
    "-",
    "",
    " ",
    '"',
    "'",
    ";",
    "\0",
    "9" * 400,
]
CELLS = st.sampled_from(WORDS)
SIGNS = [word.encode() for word in (*WORDS, ",", "\n", "\t", "{", "}", "[", "]", ":", '"points"')]
ROWS = st.lists(st.lists(CELLS | st.text(max_size=5), max_size=6).map(",".join), max_size=5).map("\n".join)


def read(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with contextlib.suppress(SightlineError):
        assert all(isinstance(request, Request) for request in read_prompts(path).values())


@many_inputs
@given(st.dictionaries(st.text(max_size=5), ENTRIES | VALUES, max_size=3) | VALUES, SEEDS)
def test_any_json(tmp_path: Path, content: object, seed: int):
    for value in value_forms(content, seed):
        read(tmp_path / "p.json", json.dumps(value).encode())


@many_inputs
@given(st.binary(max_size=100) | st.text(alphabet='{}[]:,"\\ae019.-Inf', max_size=60).map(str.encode), SEEDS)
def test_any_bytes_as_json(tmp_path: Path, content: bytes, seed: int):
    for form in forms(content, seed, SIGNS):
        read(tmp_path / "p.json", form)


@many_inputs
@given(
    ROWS,
    st.sampled_from(["image,x,y\n", "image,x,y,label\n", "image,x0,y0,x1,y1\n", "image,text,everything\n", ""]),
    SEEDS,
)
def test_any_csv(tmp_path: Path, rows: str, header: str, seed: int):
    for form in forms((header + rows).encode("utf-8", "surrogatepass"), seed, SIGNS):
        read(tmp_path / "p.csv", form)


@many_inputs
@given(st.binary(max_size=120), SEEDS)
def test_any_bytes_as_csv(tmp_path: Path, content: bytes, seed: int):
    for form in forms(b"image,x,y\n" + content, seed, SIGNS):
        read(tmp_path / "p.csv", form)


@many_inputs
@given(st.text(alphabet="0123456789.,+-eEinfa_ \0é", max_size=20), SEEDS)
def test_any_text_as_a_point_and_a_box(text: str, seed: int):
    for form in forms(text, seed, WORDS):
        for parse in (parse_point, parse_box):
            with contextlib.suppress(SightlineError):
                parse(form)
