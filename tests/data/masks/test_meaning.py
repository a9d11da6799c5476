"""Masks are read back as they were written, a census is kept and rebuilt, and `data check` shows what masks mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from conftest import save
from sightline.cli.main import run as command_line
from sightline.config import IGNORE_INDEX, SegmentDataConfig
from sightline.config.types import MaskForm
from sightline.data import DEEPGLOBE, decode, load_masks
from sightline.data.images.geotiff import write_raster
from sightline.data.images.quiet import quiet
from sightline.data.masks import census
from sightline.data.masks.census import take_census
from sightline.data.masks.forms import Form
from sightline.data.masks.meaning import settle
from sightline.data.masks.palette import VOC, Palette
from sightline.data.masks.planes import read_plane

INDICES = np.array([[0, 1, 2, 0], [0, 1, 2, IGNORE_INDEX]], np.uint8)
PALETTES = {
    "DeepGlobe": DEEPGLOBE,
    "VOC": VOC,
    "0 and 255": Palette(("a", "b", "c"), ((0, 0, 0), (255, 255, 255), (9, 9, 9)), indexed=True, values=(0, 255, 3)),
    "values": Palette(("a", "b", "c"), ((0, 0, 0), (1, 2, 3), (255, 0, 0)), indexed=True, values=(10, 20, 30)),
    "wide values": Palette(("a", "b", "c"), ((0, 0, 0), (1, 2, 3), (4, 5, 6)), indexed=True, values=(0, 1000, 70)),
    "no free gray": Palette(("a", "b", "c"), ((0, 0, 0), (255, 0, 0), (0, 9, 0)), ((224, 224, 192),)),
    "black and white": Palette(("a", "b", "c"), ((0, 0, 0), (255, 255, 255), (128, 128, 128))),
}


def test_masks_are_written_in_the_form_of_those_that_were_learned_from():
    assert Form.of(PALETTES["values"], None).name == "index"
    assert all(Form.of(palette, None).name == ("index" if palette.indexed else "rgb") for palette in PALETTES.values())
    assert {palette.indexed for palette in PALETTES.values()} == {True, False}


@pytest.mark.parametrize("form", get_args(MaskForm))
@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_written_masks_are_read_back_as_the_same_classes(tmp_path: Path, palette: Palette, form: MaskForm, suffix: str):
    path, written = tmp_path / f"a{suffix}", Form.of(palette, form)
    if suffix == ".tif":
        rasterio = pytest.importorskip("rasterio")
        masked = written.nodata is None
        with write_raster(path, *INDICES.shape, {}, **written.raster(), nodata=written.nodata, masked=masked) as writer:
            writer.append(written.pixels(INDICES), INDICES != IGNORE_INDEX)
        with quiet(), rasterio.open(path) as file:
            assert ((file.dataset_mask() > 0) == (INDICES != IGNORE_INDEX)).all()
    else:
        written.save(path, INDICES)
    meaning = settle(take_census([path]))
    plane = read_plane(path)
    indices, off = meaning.palette.encode(plane.pixels, plane.table)
    assert meaning.palette.classes == palette.classes
    assert indices.tolist() == INDICES.tolist()
    assert off == 0


def test_an_index_mask_holds_the_values_of_the_data(tmp_path: Path):
    Form.of(PALETTES["values"], "index").save(tmp_path / "a.png", INDICES)
    assert np.asarray(Image.open(tmp_path / "a.png")).tolist() == [[10, 20, 30, 10], [10, 20, 30, 255]]


def test_a_run_s_palette_is_taken_where_it_explains_the_masks(tmp_path: Path):
    """Four tiles hold two of DeepGlobe's colors; the run that is judged on them knows more."""
    for i in range(4):
        save(tmp_path / "images" / f"{i}.png", i, 12)
        (tmp_path / "masks").mkdir(exist_ok=True)
        colors = np.array([(0, 255, 0), (0, 0, 255)], np.uint8)[np.eye(12, dtype=int)]
        Image.fromarray(colors).save(tmp_path / "masks" / f"{i}.png")
    config = SegmentDataConfig(source=str(tmp_path))
    assert load_masks(config, known=DEEPGLOBE, split=False).palette == DEEPGLOBE
    assert load_masks(config, split=False).palette.classes == ("#0000ff", "#00ff00")


def test_a_run_s_palette_is_not_taken_for_indices(tmp_path: Path):
    """Thresholded, indices are all black, which DeepGlobe ignores."""
    Image.fromarray(INDICES).save(tmp_path / "a.png")
    assert settle(take_census([tmp_path / "a.png"]), known=DEEPGLOBE).palette.classes == (
        "class 0",
        "class 1",
        "class 2",
    )


def test_a_census_is_counted_once_and_anew_where_its_file_is_damaged(tmp_path: Path, monkeypatch):
    Image.fromarray(INDICES).save(tmp_path / "a.png")
    counted: list[Path] = []
    original = census.count_mask
    monkeypatch.setattr(census, "count_mask", lambda path: (counted.append(path), original(path))[1])
    first = take_census([tmp_path / "a.png"], tmp_path / "cache")
    again = take_census([tmp_path / "a.png"], tmp_path / "cache")
    assert len(counted) == 1
    assert again[0].keys.tolist() == first[0].keys.tolist() == [0, 1, 2, 255]
    kept = next((tmp_path / "cache").glob("census-*/census.npz"))
    for damaged in (b"", b"PK\3\4", bytes(kept.stat().st_size), kept.read_bytes()[:-40]):
        kept.write_bytes(damaged)
        assert take_census([tmp_path / "a.png"], tmp_path / "cache")[0].keys.tolist() == [0, 1, 2, 255]
    assert len(counted) == 5


def test_data_check_shows_classes_and_writes_a_sheet(tmp_path: Path, capsys):
    for i in range(6):
        save(tmp_path / "d" / "images" / f"{i}.png", i, 12)
        (tmp_path / "d" / "masks").mkdir(exist_ok=True)
        mask = np.zeros((12, 12), np.uint8)
        mask[2:6, 2:6] = 255
        Image.fromarray(mask).save(tmp_path / "d" / "masks" / f"{i}.png")
    sheet = tmp_path / "sheet.png"
    assert command_line(["data", "check", str(tmp_path / "d"), "--json", "--sheet", str(sheet)]) == 0
    rows = {row["what"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["class background"] == {"what": "class background", "value": "0", "share": 128 / 144, "masks": 6}
    assert rows["class object"] == {"what": "class object", "value": "255", "share": 16 / 144, "masks": 6}
    assert decode(sheet).shape[1] > 300
    assert command_line(["data", "check", str(tmp_path / "d"), "--sheet", str(tmp_path / "d/images/0.png")]) == 2
