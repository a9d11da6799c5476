"""The generated data set: object pictures with and without labels in four styles, and land-cover scenes with masks.

Every picture is a function of (seed, part, index). Classes are patterns, which most crops of a picture show; place,
size, turn, bend, colors, ground, clutter and noise vary, so that neighbors in pixel space say little and a small
network has something to learn.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from sightline.errors import DataError
from sightline.files.staging import staged
from sightline.randomness import generator

VERSION = 3  # of the pictures: another one is another folder
SIDE = 64  # pixels of an object picture
DRAWN = 2 * SIDE  # drawn at twice the size and averaged down, for smooth edges
UNLABELLED = 2400  # a minute of DINO on two cores sees each about fifty times
PER_CLASS_AND_STYLE = 30
SCENE = 256  # pixels of a land-cover scene
SCENES = {"train": 24, "validation": 8}
THREADS = 4

PALETTE = {
    "urban": (0, 255, 255),
    "agriculture": (255, 255, 0),
    "rangeland": (255, 0, 255),
    "forest": (0, 255, 0),
    "water": (0, 0, 255),
    "barren": (255, 255, 255),
    "unknown": (0, 0, 0),
}
GROUND = ((150, 140, 140), (170, 165, 80), (140, 160, 90), (40, 90, 45), (40, 70, 130), (185, 170, 150), (20, 20, 20))


# -- patterns: where one is drawn, bool, of positions (u, v) in cells, float32 of any shape
def _round(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the distance from the middle of the cell."""
    return np.hypot(u % 1 - 0.5, v % 1 - 0.5)


def _bricks(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    shifted = u + 0.5 * (np.floor(2 * v) % 2)
    return (shifted % 1 < 0.15) | (2 * v % 1 < 0.25)


def _crosses(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    across, along = np.abs(u % 1 - 0.5), np.abs(v % 1 - 0.5)
    return ((across < 0.11) & (along < 0.36)) | ((along < 0.11) & (across < 0.36))


PATTERNS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "bricks": _bricks,
    "checks": lambda u, v: (np.floor(u) + np.floor(v)) % 2 < 1,
    "crosses": _crosses,
    "dots": lambda u, v: _round(u, v) < 0.32,
    "grid": lambda u, v: (u % 1 < 0.22) | (v % 1 < 0.22),
    "rings": lambda u, v: np.abs(_round(u, v) - 0.33) < 0.1,
    "stripes": lambda u, v: u % 1 < 0.5,
    "waves": lambda u, v: (u + 0.28 * np.sin(np.pi * v)) % 1 < 0.5,
}
CLASSES = tuple(PATTERNS)


def write_demo(folder: Path, seed: int = 0) -> Path:
    """Write the demo set into `folder`, new or empty, in a few seconds; the same bytes for the same seed.

    Writes unlabelled/NNNNN.png; pool.csv, the labels of these same pictures; objects/STYLE/CLASS/NNN.png, other
    pictures of the same classes; landcover/{train,validation}/NNNN_sat.jpg with NNNN_mask.png.

    Raises:
        DataError: there is something in the folder already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: is there already and not empty; name a new folder, or remove it first")
    with staged(folder) as private:
        _write_all(private, seed)
    return folder


def _write_all(root: Path, seed: int) -> None:
    styles = list(STYLES)
    jobs: list[tuple[Path, Callable[[], np.ndarray]]] = []
    rows = []
    for index in range(UNLABELLED):
        rng = generator(seed, "demo/kind", sample=index)
        pattern, style = CLASSES[rng.integers(len(CLASSES))], styles[rng.integers(len(styles))]
        path = root / "unlabelled" / f"{index:05d}.png"
        rows.append((path.stem, f"unlabelled/{path.name}", pattern))
        jobs.append(
            (path, lambda p=pattern, t=style, i=index: draw_object(p, t, generator(seed, "demo/pool", sample=i)))
        )
    for number, style in enumerate(styles):
        for label, pattern in enumerate(CLASSES):
            for index in range(PER_CLASS_AND_STYLE):
                path = root / "objects" / style / pattern / f"{index:03d}.png"
                key = (number * len(CLASSES) + label) * PER_CLASS_AND_STYLE + index
                jobs.append(
                    (
                        path,
                        lambda p=pattern, t=style, k=key: draw_object(p, t, generator(seed, "demo/objects", sample=k)),
                    )
                )
    for path in {path.parent for path, _ in jobs}:
        path.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda job: _save(job[0], job[1]()), jobs))
        scenes = [(part, index) for part, count in SCENES.items() for index in range(count)]
        list(pool.map(lambda scene: _write_scene(root, scene[0], scene[1], seed), scenes))
    with (root / "pool.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "filename", "label"), *rows])


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    if path.suffix == ".jpg":
        Image.fromarray(pixels).save(buffer, "JPEG", quality=92)
    else:
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    path.write_bytes(buffer.getvalue())


# -- objects
def draw_object(pattern: str, style: str, rng: np.random.Generator) -> np.ndarray:
    """Return one picture of a pattern, uint8 (64, 64, 3)."""
    mask = _pattern_mask(pattern, rng)
    drawn = STYLES[style](mask, rng)
    pixels = cv2.resize(np.clip(drawn, 0, 255).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    noise = rng.normal(0, 6, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def _pattern_mask(pattern: str, rng: np.random.Generator) -> np.ndarray:
    """Return where a pattern is drawn, uint8 0 or 1 (DRAWN, DRAWN), sized, turned, moved and bent at random."""
    cell, turn, phase = DRAWN / rng.uniform(2.2, 4.0), rng.uniform(0, 2 * np.pi), rng.uniform(0, 1, 2)
    y, x = np.mgrid[:DRAWN, :DRAWN].astype(np.float32) / cell
    x, y = x + _bend(rng), y + _bend(rng)
    u = x * np.cos(turn) + y * np.sin(turn) + phase[0]
    v = y * np.cos(turn) - x * np.sin(turn) + phase[1]
    return PATTERNS[pattern](u, v).astype(np.uint8)


def _bend(rng: np.random.Generator) -> np.ndarray:
    """Return a smooth displacement in cells, float32 (DRAWN, DRAWN)."""
    corners = rng.normal(0, 0.06, (3, 3)).astype(np.float32)
    return cv2.resize(corners, (DRAWN, DRAWN), interpolation=cv2.INTER_CUBIC)


def _texture(rng: np.random.Generator, color: np.ndarray, strength: float, cells: int) -> np.ndarray:
    """Return a smooth coloured field, float32 (DRAWN, DRAWN, 3)."""
    grid = rng.normal(0, strength, (cells, cells, 3)).astype(np.float32) + color.astype(np.float32)
    return cv2.resize(grid, (DRAWN, DRAWN), interpolation=cv2.INTER_CUBIC)


def _two_colors(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return two colors, one of them brighter by enough to see it on the other."""
    first, second = rng.uniform(20, 235, (2, 3))
    while abs(first.mean() - second.mean()) < 60:
        first, second = rng.uniform(20, 235, (2, 3))
    return first, second


def _clutter(image: np.ndarray, rng: np.random.Generator) -> None:
    for _ in range(rng.integers(1, 4)):
        start, end = (tuple(int(v) for v in rng.integers(0, DRAWN, 2)) for _ in range(2))
        cv2.line(image, start, end, tuple(float(v) for v in rng.uniform(0, 255, 3)), int(rng.integers(1, 4)))


def _photo(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    ground, figure = _two_colors(rng)
    image = _texture(rng, ground, 35, int(rng.integers(3, 9)))
    _clutter(image, rng)
    light = np.linspace(0.7, 1.3, DRAWN, dtype=np.float32)
    shaded = _texture(rng, figure, 15, 6) * (light[:, None, None] if rng.random() < 0.5 else light[None, :, None])
    return np.where(mask[..., None] > 0, shaded, image)


def _poster(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    ground, figure = _two_colors(rng)
    image = np.empty((DRAWN, DRAWN, 3), np.float32)
    image[:] = ground
    period = int(rng.integers(8, 24))
    stripes = (np.arange(DRAWN) // period) % 2
    image += (stripes[:, None] if rng.random() < 0.5 else stripes[None, :])[..., None] * rng.uniform(-50, 50, 3)
    return np.where(mask[..., None] > 0, figure.astype(np.float32), image)


def _drawing(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    paper = np.full((DRAWN, DRAWN, 3), rng.uniform(205, 250), np.float32)
    for _ in range(rng.integers(1, 4)):
        ends = [tuple(int(v) for v in rng.integers(0, DRAWN, 2)) for _ in range(2)]
        cv2.line(paper, ends[0], ends[1], (float(rng.uniform(120, 200)),) * 3, 1)
    ink = rng.uniform(10, 110, 3).astype(np.float32)
    hatched = np.add.outer(np.arange(DRAWN), np.arange(DRAWN)) % 8 < 5
    return np.where(((mask > 0) & hatched)[..., None], ink, paper)


def _night(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    image = _texture(rng, rng.uniform(10, 50, 3), 10, 5)
    glow = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), float(rng.uniform(1, 2.5)))
    for _ in range(rng.integers(3, 8)):
        center = tuple(int(v) for v in rng.integers(0, DRAWN, 2))
        cv2.circle(image, center, int(rng.integers(1, 3)), (180.0, 180.0, 160.0), -1)
    return image + glow[..., None] * rng.uniform(90, 200, 3).astype(np.float32)


STYLES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "drawing": _drawing,
    "night": _night,
    "photo": _photo,
    "poster": _poster,
}


# -- land cover
def _write_scene(root: Path, part: str, index: int, seed: int) -> None:
    image, classes = draw_scene(generator(seed, f"demo/landcover/{part}", sample=index))
    colors = np.array(list(PALETTE.values()), np.uint8)
    _save(root / "landcover" / part / f"{index:04d}_sat.jpg", image)
    _save(root / "landcover" / part / f"{index:04d}_mask.png", colors[classes])


def draw_scene(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a scene, uint8 (256, 256, 3), and its class indices in PALETTE's order, uint8 (256, 256)."""
    fields = np.stack([_smooth(rng, 5) for _ in range(4)])
    # Of four grounds a scene holds three at most; water and towns lie upon them.
    grounds = rng.choice([1, 2, 3, 5], size=4, replace=False)
    classes = grounds[fields.argmax(axis=0)].astype(np.uint8)
    classes[np.abs(_smooth(rng, 4)) < 0.12] = 4
    classes[(_smooth(rng, 6) > 1.3) & (classes != 4)] = 0
    if rng.random() < 0.2:
        classes[: int(rng.integers(10, 50)), : int(rng.integers(10, 50))] = 6
    image = np.array(GROUND, np.float32)[classes] + rng.normal(0, 8, 3)
    image += _grain(classes, rng)[..., None]
    return np.clip(image, 0, 255).astype(np.uint8), classes


def _smooth(rng: np.random.Generator, cells: int) -> np.ndarray:
    grid = rng.normal(size=(cells, cells)).astype(np.float32)
    return cv2.resize(grid, (SCENE, SCENE), interpolation=cv2.INTER_CUBIC)


def _grain(classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the texture of each class of land: blocks in towns, rows in fields, clumps in forests."""
    y, x = np.mgrid[:SCENE, :SCENE].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    noise = rng.normal(0, 1, (SCENE, SCENE)).astype(np.float32)
    grain = noise * 5
    rows = 14 * np.sin((x * np.cos(angle) + y * np.sin(angle)) * 0.9)
    blocks = rng.normal(0, 28, (SCENE // 8, SCENE // 8)).repeat(8, axis=0).repeat(8, axis=1)
    clumps = 30 * cv2.GaussianBlur(noise, (0, 0), 2.0) * 3
    for class_index, extra in ((1, rows), (0, blocks), (3, clumps), (4, -grain * 0.7)):
        grain = np.where(classes == class_index, grain + extra, grain)
    return grain
