"""Small pictures made on the spot, and a cache of their own for each test session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Before numba or torch is imported: one thread for each of pytest-xdist's processes, two where there is one process.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")


@pytest.fixture(autouse=True)
def own_homes(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep caches and data away from the user's own, and hubs out of reach."""
    base = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("SIGHTLINE_CACHE", str(base / "cache"))
    monkeypatch.setenv("SIGHTLINE_DATA", str(base / "data"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("SIGHTLINE_SET", raising=False)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium, for the tests of pages."""
    from playwright.sync_api import sync_playwright
    from web_browser import CHROMIUM

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


def picture(label: int, index: int, size: int = 24) -> np.ndarray:
    """Return a striped picture, uint8 (size, size, 3): the label sets the stripes' direction, the index the rest."""
    rng = np.random.default_rng([label, index])
    y, x = np.mgrid[:size, :size]
    wave = np.sin((x * np.cos(label) + y * np.sin(label)) * 0.9 + rng.uniform(0, 6))
    color = rng.uniform(60, 200, 3)
    noise = rng.normal(0, 12, (size, size, 3))
    return np.clip(color + 50 * wave[..., None] + noise, 0, 255).astype(np.uint8)


def save(path: Path, index: int = 0, size: int = 24) -> Path:
    """Write the index-th striped picture under any name whose suffix Pillow knows, its folders too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(index % 7, index, size)).save(path)
    return path


def write_classes(folder: Path, classes: int = 3, each: int = 20, size: int = 24) -> Path:
    """Write class folders of striped pictures."""
    for label in range(classes):
        for index in range(each):
            path = folder / f"class{label}" / f"{index:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(label, index, size)).save(path)
    return folder


def write_tiles(folder: Path, tiles: int = 12, side: int = 32) -> Path:
    """Write striped tiles with masks in DeepGlobe's names and colors, half as many for validation as for training."""
    rng = np.random.default_rng(0)
    colors = np.array([(0, 255, 255), (0, 255, 0), (0, 0, 255)], np.uint8)
    for part, count in (("train", tiles), ("validation", tiles // 2)):
        (folder / part).mkdir(parents=True)
        for number in range(count):
            mask = colors[np.sort(rng.integers(0, 3, (side, 1)), axis=0).repeat(side, axis=1)]
            pixels = mask // 2 + rng.integers(0, 40, mask.shape)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / part / f"{number:04d}_sat.jpg")
            Image.fromarray(mask).save(folder / part / f"{number:04d}_mask.png")
    return folder


@pytest.fixture(scope="session")
def class_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of twenty pictures."""
    return write_classes(tmp_path_factory.mktemp("pictures"))
