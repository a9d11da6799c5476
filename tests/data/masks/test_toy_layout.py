"""A toy layout of images with masks, added by one line: what docs/extending/format.md shows."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.config import SegmentDataConfig
from sightline.data import list_pairs
from sightline.data.masks.layouts import MASK_LAYOUTS
from sightline.data.masks.layouts.base import Files, Found, by_category, in_order, pair_of


# -- a layout: each image has a text beside it, a digit a pixel
def digits(source: str, root: Path, files: Files) -> Found | None:
    """Find images with NAME.digits beside them; None where there are none, so that another layout is tried."""
    texts = {image: image.with_suffix(".digits") for image in files}
    pairs = [
        pair_of(root, image, text, draw=partial(read_digits, text)) for image, text in texts.items() if text.is_file()
    ]
    return Found(in_order(pairs), by_category(source, ["roof"]), "texts of digits") if pairs else None


def read_digits(text: Path) -> np.ndarray:
    """Return class indices uint8 (H, W)."""
    return np.array([list(map(int, line)) for line in text.read_text(encoding="utf-8").split()], np.uint8)


def test_a_layout_is_one_function_and_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(MASK_LAYOUTS, "digits", digits)
    folder = tmp_path / "tiles" / "train"
    folder.mkdir(parents=True)
    for name, rows in (("a", "0011\n0001"), ("b", "1000\n0000")):
        Image.new("RGB", (4, 2), "gray").save(folder / f"{name}.png")
        (folder / f"{name}.digits").write_text(rows, encoding="utf-8")
    found = list_pairs(SegmentDataConfig(source=str(tmp_path / "tiles")), tmp_path / "cache")
    assert [(pair.id, pair.part) for pair in found.pairs] == [("train/a.png", "train"), ("train/b.png", "train")]
    assert found.palette.classes == ("background", "roof")
    draw = found.pairs[0].draw
    assert draw is not None
    assert draw().tolist() == [[0, 0, 1, 1], [0, 0, 0, 1]]
