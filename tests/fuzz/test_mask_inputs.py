"""Palettes, masks and annotations of any content: what comes out is classes, or one of Sightline's own errors."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from many_inputs import SEEDS, forms, many_inputs, randoms, value_forms
from PIL import Image

from sightline.config import IGNORE_INDEX, SegmentDataConfig
from sightline.config.palettes import palette_entries
from sightline.data.masks.census import count_plane
from sightline.data.masks.layouts.coco import coco
from sightline.data.masks.layouts.labelme import labelme
from sightline.data.masks.layouts.yolo import yolo
from sightline.data.masks.meaning import settle
from sightline.data.masks.palette_files import read_palette
from sightline.data.masks.planes import Plane, read_plane
from sightline.errors import SightlineError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]
SIDE = 8
WORDS_OF_NAMES = ["road", "ignore", "void", "name", "value", "r", "g", "b", "names", "0", "#ff0000", "", "é", "a: b"]
SIGNS = [word.encode() for word in (*WORDS_OF_NAMES, ",", ";", "\t", "\n", ": ", "[", "]", "{", "}", "- ", "255", "\0")]
WORDS = st.sampled_from(WORDS_OF_NAMES)
SCALARS = st.none() | st.booleans() | st.integers(-10, 300) | st.integers() | st.floats() | WORDS | st.text(max_size=6)
CODES = st.integers(0, 255) | st.lists(st.integers(0, 255), min_size=3, max_size=3) | st.just("#00ff00")
VALUES = st.recursive(
    SCALARS | CODES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=8
)


def says(error: Exception) -> None:
    """Fail where an error says nothing."""
    assert str(error)


def survives(function: Any, *arguments: Any) -> Any:
    """Return what a function gives; None where it refuses in one of Sightline's own errors that says something."""
    try:
        return function(*arguments)
    except SightlineError as error:
        return says(error)


@many_inputs
@given(drawn=st.dictionaries(WORDS | SCALARS, VALUES, max_size=4), seed=SEEDS)
def test_palettes_of_a_configuration(drawn: dict[Any, Any], seed: int) -> None:
    for palette in value_forms(drawn, seed):
        if not isinstance(palette, dict):
            continue
        try:
            entries = palette_entries(palette)
        except ValueError as error:
            says(error)
            continue
        assert all(entries.values())
        SegmentDataConfig.build({"source": "x", "palette": palette})


LINES = st.lists(st.lists(WORDS | CODES.map(str) | st.text(max_size=5), max_size=5).map(" ".join), max_size=5).map(
    "\n".join
)
TEXTS = (
    LINES
    | st.text(max_size=60)
    | VALUES.map(lambda value: yaml.safe_dump(value))
    | st.builds(
        lambda delimiter, rows: "\n".join(delimiter.join(map(str, row)) for row in rows),
        st.sampled_from(",;\t"),
        st.lists(st.lists(SCALARS, max_size=5), max_size=5),
    )
)


@many_inputs
@given(
    content=TEXTS.map(lambda text: text.encode(errors="replace")) | st.binary(max_size=60),
    suffix=st.sampled_from([".json", ".yaml", ".yml", ".txt", ".csv", ".tsv"]),
    seed=SEEDS,
)
def test_palette_files(tmp_path: Path, content: bytes, suffix: str, seed: int):
    path = tmp_path / f"p{suffix}"
    for form in forms(content, seed, SIGNS):
        path.write_bytes(form)
        survives(read_palette, path)


def one_plane(rng: random.Random) -> Plane:
    """Return a mask of any kind of plane, of few values or many."""
    pixels_of = np.random.default_rng(rng.getrandbits(32))
    levels = [rng.choice((rng.randint(0, 255), 0, 1, 255)) for _ in range(rng.randint(1, 6))]
    at = pixels_of.integers(0, len(levels), (SIDE, SIDE)).repeat(2, 0).repeat(2, 1)
    values = np.array(levels, np.uint8)[at]
    table, lossy, nodata = None, rng.random() < 0.5, rng.choice((None, 0, 255, -9999))
    kind = rng.choice(("bits", "values", "wide", "indices", "colors", "noise"))
    if kind == "bits":
        pixels = at > 0
    elif kind == "values":
        pixels = values
    elif kind == "wide":
        pixels = values.astype(np.int64) * rng.randint(-300, 70000)
    elif kind == "indices":
        pixels, table = values, pixels_of.integers(0, 256, (256, 3)).astype(np.uint8)
    elif kind == "colors":
        pixels = pixels_of.integers(0, 256, (len(levels), 3)).astype(np.uint8)[at]
    else:
        pixels = pixels_of.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    return Plane(pixels, table, lossy, nodata)


ASKED = ("auto", "auto", "auto", "deepglobe", "voc", {"a": 0, "b": 255}, {"a": [0, 0, 0], "b": "#f00"})


@many_inputs
@given(seed=SEEDS)
def test_masks_of_any_kind(seed: int):
    for rng in randoms(seed):
        several = [one_plane(rng) for _ in range(rng.randint(1, 3))]
        check_meaning(several, rng.choice(ASKED), names=rng.random() < 0.5)


def check_meaning(several: list[Plane], asked: Any, names: bool) -> None:
    """Fail where the meaning found of masks does not explain them."""
    census = [count_plane(plane) for plane in several]
    meaning = survives(lambda: settle(census, asked, deepglobe_names=names))
    if meaning is None:
        return
    palette = meaning.palette
    assert type(palette).from_dict(json.loads(json.dumps(palette.to_dict()))) == palette
    for plane in several:
        indices, off = palette.encode(plane.pixels, plane.table)
        assert indices.shape == plane.pixels.shape[:2]
        assert ((indices < len(palette.classes)) | (indices == IGNORE_INDEX)).all()
        assert 0 <= off <= (indices == IGNORE_INDEX).sum()
        # What was found out explains every pixel.
        assert asked != "auto" or not off or palette.thresholded or not (palette.lossy or palette.indexed)


MODES = ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "I;16", "F", "PA"]


@many_inputs
@given(
    mode=st.sampled_from(MODES),
    seed=SEEDS,
    levels=st.integers(1, 4),
    suffix=st.sampled_from([".png", ".tif", ".jpg", ".gif", ".bmp", ".webp"]),
)
def test_mask_files(tmp_path: Path, mode: str, seed: int, levels: int, suffix: str):
    rng = np.random.default_rng(seed)
    path = tmp_path / f"m{suffix}"
    picture = Image.fromarray(rng.choice(rng.integers(0, 256, levels, dtype=np.uint8), (SIDE, SIDE)))
    try:
        (Image.merge("RGBA", [picture] * 4) if mode in ("RGBA", "PA") else picture).convert(mode).save(path)
    except (OSError, ValueError, KeyError):
        assume(False)
    for form in forms(path.read_bytes(), seed, [b"\0", b"\xff", b"\xff\xff\xff\xff", b"\0\0\0\0"]):
        path.write_bytes(form)
        plane = survives(read_plane, path)
        if plane is not None:
            survives(lambda plane=plane: settle([count_plane(plane)]))


POINTS = st.lists(st.lists(st.floats() | st.integers(-5, 30), min_size=1, max_size=3), max_size=5)
SHAPES = st.fixed_dictionaries(
    {
        "label": SCALARS,
        "points": POINTS | VALUES,
        "shape_type": st.sampled_from(["polygon", "rectangle", "circle", "mask", "line"]) | SCALARS,
    },
    optional={"mask": SCALARS, "flags": SCALARS},
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "id": SCALARS,
        "name": SCALARS,
        "file_name": st.just("a.png") | SCALARS,
        "width": st.just(SIDE) | SCALARS,
        "height": st.just(SIDE) | SCALARS,
    },
)
RUNS = st.fixed_dictionaries(
    {
        "size": st.just([SIDE, SIDE]) | VALUES,
        "counts": st.text(max_size=8) | st.lists(st.integers(-3, 70), max_size=6) | VALUES,
    }
)
ANNOTATIONS = st.fixed_dictionaries(
    {"image_id": st.just(1) | SCALARS, "category_id": st.just(1) | SCALARS},
    optional={
        "id": SCALARS,
        "segmentation": RUNS | VALUES | st.lists(st.lists(st.floats(-5, 20), max_size=9), max_size=3),
    },
)
IMAGE = {"id": 1, "file_name": "a.png", "width": SIDE, "height": SIDE}


def drawn(layout: Any, folder: Path) -> None:
    files = [folder / "images" / "a.png"] if (folder / "images").is_dir() else [folder / "a.png"]
    found = layout("fuzz", folder, files)
    for pair in found.pairs if found else ():
        indices = pair.draw()
        assert indices.dtype == np.uint8
        owners = pair.owners()
        assert owners.shape == indices.shape
        assert (owners[(indices > 0) & (indices != IGNORE_INDEX)] >= 0).all(), "what has a class is somebody's"


def picture(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        Image.new("RGB", (SIDE, SIDE)).save(path)


@many_inputs
@given(
    drawn_content=st.fixed_dictionaries(
        {
            "images": st.just([IMAGE]) | st.lists(st.just(IMAGE) | ENTRIES, max_size=2) | SCALARS,
            "categories": st.just([{"id": 1, "name": "car"}]) | st.lists(ENTRIES, max_size=2),
            "annotations": st.lists(ANNOTATIONS, max_size=3) | VALUES,
        }
    ),
    seed=SEEDS,
)
def test_coco_files(tmp_path: Path, drawn_content: dict[str, Any], seed: int):
    picture(tmp_path / "a.png")
    for content in value_forms(drawn_content, seed):
        (tmp_path / "c.json").write_text(json.dumps(content))
        survives(drawn, coco, tmp_path)


NUMBERS = ["0", "1", "0.5", "nan", "1e400", "-1", "9", "x"]


@many_inputs
@given(
    lines=st.lists(st.lists(st.sampled_from(NUMBERS) | st.floats().map(str), max_size=9).map(" ".join), max_size=3)
    | st.lists(st.text(max_size=20), max_size=3),
    names=TEXTS | st.just("names: [a, b]"),
    seed=SEEDS,
)
def test_yolo_files(tmp_path: Path, lines: list[str], names: str, seed: int):
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "labels").mkdir(exist_ok=True)
    label_forms = forms("\n".join(lines), seed, [*NUMBERS, " ", "\n", " 0.5 0.5"])
    # The names are changed in every other form, so that the labels are read with good ones too.
    name_forms = (form if number % 2 else names for number, form in enumerate(forms(names, seed, WORDS_OF_NAMES)))
    for label_form, name_form in zip(label_forms, name_forms, strict=True):
        (tmp_path / "labels" / "a.txt").write_text(label_form, encoding="utf-8", errors="replace")
        (tmp_path / "data.yaml").write_text(name_form, encoding="utf-8", errors="replace")
        survives(drawn, yolo, tmp_path)


@many_inputs
@given(drawn_shapes=st.lists(SHAPES | VALUES, max_size=3) | VALUES, seed=SEEDS)
def test_labelme_files(tmp_path: Path, drawn_shapes: Any, seed: int):
    picture(tmp_path / "a.png")
    for shapes in value_forms(drawn_shapes, seed):
        (tmp_path / "a.json").write_text(json.dumps({"imagePath": "a.png", "shapes": shapes}))
        survives(drawn, labelme, tmp_path)
