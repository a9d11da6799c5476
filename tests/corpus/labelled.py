"""Labelled images: layouts of folders and tables."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from conftest import save
from corpus.case import Case
from sightline.config import DataConfig
from sightline.data import list_images


def counts(folder: Path) -> dict[str, int]:
    """Return how many images each class has; the images of no class under ""."""
    listing = list_images(DataConfig(source=str(folder / "data")))
    return dict(Counter(listing.classes[sample.label] if sample.label >= 0 else "" for sample in listing.samples))


def files(*names: str) -> Any:
    """Return what writes a small picture under each name of data/."""
    return lambda folder: [save(folder / "data" / name, i) for i, name in enumerate(names)]


CASES = [
    Case("class folders", files("cat/1.png", "cat/2.png", "dog/1.png"), counts, {"cat": 2, "dog": 1}),
    Case("no folders", files("1.png", "2.png"), counts, {"": 2}),
]
