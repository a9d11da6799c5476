"""The generated data set: object pictures with and without labels in four styles, and land-cover scenes with masks.

Every picture is a function of (seed, part, index). Classes are shapes, several of one in a picture; position, size,
turn, colours, background, clutter and noise vary, so that neighbours in pixel space say little and a small network has
something to learn.
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

VERSION = 2  # of the pictures: another one is another folder
SIDE = 64  # pixels of an object picture
DRAWN = 2 * SIDE  # drawn at twice the size and averaged down, for smooth edges
UNLABELLED = 2400  # two minutes of DINO on two cores see each about ten times
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


def polygon(radii: list[float], turn: float = 0.0) -> np.ndarray:
    """Return a closed polygon, float64 (N, 2), from radii at even angles."""
    angles = np.arange(len(radii)) * 2 * np.pi / len(radii) + turn
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.array(radii)[:, None]


ARROW = np.array([[1, 0], [0.1, 0.8], [0.1, 0.3], [-1, 0.3], [-1, -0.3], [0.1, -0.3], [0.1, -0.8]], float)
CROSS = np.array(
    [[0.3, 1], [0.3, 0.3], [1, 0.3], [1, -0.3], [0.3, -0.3], [0.3, -1], [-0.3, -1], [-0.3, -0.3], [-1, -0.3],
     [-1, 0.3], [-0.3, 0.3], [-0.3, 1]]
)  # fmt: skip
CIRCLE = polygon([1.0] * 48)
# Filled outlines, and outlines cut out of them.
SHAPES: dict[str, tuple[np.ndarray, np.ndarray | None]] = {
    "arrow": (ARROW, None),
    "cross": (CROSS, None),
    "crescent": (CIRCLE, CIRCLE * 0.85 + [0.45, 0]),
    "disc": (CIRCLE, None),
    "ring": (CIRCLE, CIRCLE * 0.55),
    "square": (polygon([1.0] * 4), None),
    "star": (polygon([1.0, 0.42] * 5), None),
    "triangle": (polygon([1.0] * 3), None),
}
CLASSES = tuple(SHAPES)


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
        shape, style = CLASSES[rng.integers(len(CLASSES))], styles[rng.integers(len(styles))]
        path = root / "unlabelled" / f"{index:05d}.png"
        rows.append((path.stem, f"unlabelled/{path.name}", shape))
        jobs.append((path, lambda s=shape, t=style, i=index: draw_object(s, t, generator(seed, "demo/pool", sample=i))))
    for number, style in enumerate(styles):
        for label, shape in enumerate(CLASSES):
            for index in range(PER_CLASS_AND_STYLE):
                path = root / "objects" / style / shape / f"{index:03d}.png"
                key = (number * len(CLASSES) + label) * PER_CLASS_AND_STYLE + index
                jobs.append(
                    (path, lambda s=shape, t=style, k=key: draw_object(s, t, generator(seed, "demo/objects", sample=k)))
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
def draw_object(shape: str, style: str, rng: np.random.Generator) -> np.ndarray:
    """Return one picture of a shape, uint8 (64, 64, 3)."""
    mask = _shape_mask(shape, rng)
    drawn = STYLES[style](mask, rng)
    pixels = cv2.resize(np.clip(drawn, 0, 255).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    noise = rng.normal(0, 6, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def _shape_mask(shape: str, rng: np.random.Generator) -> np.ndarray:
    """Return the mask of several copies of a shape on a turned grid, uint8 0 or 1, sized and turned at random.

    Several, so that most crops of a picture show the shape: what two views share is then what tells the classes apart.
    """
    outline, hole = SHAPES[shape]
    cell = DRAWN / rng.uniform(1.8, 2.8)
    radius, angle, phase = cell * rng.uniform(0.38, 0.48), rng.uniform(0, 2 * np.pi), rng.uniform(-0.5, 0.5, 2)
    grid = _turn(rng.uniform(0, 2 * np.pi)) * cell
    mask = np.zeros((DRAWN, DRAWN), np.uint8)
    for row, column in np.ndindex(7, 7):  # from the middle further than the corners, whatever the turn
        center = DRAWN / 2 + (np.array([row, column]) - 3 + phase + rng.uniform(-0.08, 0.08, 2)) @ grid
        turn = _turn(angle + rng.uniform(-0.4, 0.4))
        for points, value in ((outline, 1), (hole, 0)):
            if points is not None:
                cv2.fillPoly(mask, [np.rint((points @ turn * radius + center) * 16).astype(np.int32)], value, shift=4)
    return mask


def _turn(angle: float) -> np.ndarray:
    """Return the matrix that turns rows of points by an angle in radians, float64 (2, 2)."""
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def _texture(rng: np.random.Generator, color: np.ndarray, strength: float, cells: int) -> np.ndarray:
    """Return a smooth coloured field, float32 (DRAWN, DRAWN, 3)."""
    grid = rng.normal(0, strength, (cells, cells, 3)).astype(np.float32) + color.astype(np.float32)
    return cv2.resize(grid, (DRAWN, DRAWN), interpolation=cv2.INTER_CUBIC)


def _two_colors(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return two colours far enough apart to see one on the other."""
    first = rng.uniform(30, 225, 3)
    second = (first + rng.uniform(90, 150, 3) * rng.choice([-1, 1], 3)) % 256
    return first, second


def _clutter(image: np.ndarray, rng: np.random.Generator) -> None:
    for _ in range(rng.integers(3, 8)):
        start, end = (tuple(int(v) for v in rng.integers(0, DRAWN, 2)) for _ in range(2))
        color = tuple(float(v) for v in rng.uniform(0, 255, 3))
        if rng.random() < 0.5:
            cv2.line(image, start, end, color, int(rng.integers(1, 5)))
        else:
            cv2.ellipse(
                image,
                start,
                tuple(int(v) for v in rng.integers(3, 14, 2)),
                float(rng.uniform(0, 180)),
                0,
                360,
                color,
                -1,
            )


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
    width = int(rng.integers(2, 5))
    edge = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((width + 1, width + 1), np.uint8))
    paper = np.full((DRAWN, DRAWN, 3), rng.uniform(205, 250), np.float32)
    for _ in range(rng.integers(2, 6)):
        ends = [tuple(int(v) for v in rng.integers(0, DRAWN, 2)) for _ in range(2)]
        cv2.line(paper, ends[0], ends[1], (float(rng.uniform(120, 200)),) * 3, 1)
    return np.where(edge[..., None] > 0, rng.uniform(10, 90, 3).astype(np.float32), paper)


def _night(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    image = _texture(rng, rng.uniform(10, 50, 3), 10, 5)
    glow = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), float(rng.uniform(2, 5)))
    for _ in range(rng.integers(5, 15)):
        cv2.circle(
            image, tuple(int(v) for v in rng.integers(0, DRAWN, 2)), int(rng.integers(1, 4)), (180.0, 180.0, 160.0), -1
        )
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
