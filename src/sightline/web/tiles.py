"""The test tiles of a segmentation run: picture, truth and the mask that the run drew, made when they are asked for."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from sightline.config import SegmentConfig, read_yaml
from sightline.data import Pair, Palette, decode, find, list_pairs, tell
from sightline.data.images.reading import Reading
from sightline.data.images.reading import picture as seen
from sightline.data.masks.load import encode_pair
from sightline.errors import SightlineError
from sightline.runs import RunFolder
from sightline.runs.artifacts import CONFIG, PREDICTIONS
from sightline.runs.record import read_json
from sightline.web.progress import ProgressData

HEADING = "Test tiles: picture, truth, mask"


@dataclass(frozen=True)
class TestTiles:
    """What a page shows of a run's test part.

    Attributes:
        progress: picture, truth and mask of each tile.
        pictures: the files of the tiles.
        root: the folder that they are below.
        palette: the run's classes.
        reading: bands and scale that the run sees its images with.
    """

    __test__ = False  # no test of pytest's

    progress: ProgressData
    pictures: tuple[Path, ...]
    root: Path
    palette: Palette
    reading: Reading


def read_tiles(run: Path) -> TestTiles | None:
    """Return the test tiles of a run; None where it is no finished segmenter, or its images are not there any more."""
    folder = RunFolder(run)
    if not ((run / PREDICTIONS).is_file() and folder.model_json.is_file() and (run / CONFIG).is_file()):
        return None
    described = read_json(folder.model_json)
    table = folder.predictions()
    if "palette" not in described or not {"id", "mask"} <= set(table.column_names):
        return None
    palette, reading = Palette.from_dict(described["palette"]), Reading.from_dict(described.get("reading"))
    data = SegmentConfig.build(read_yaml(run / CONFIG), where=str(run / CONFIG)).data
    try:
        listing, root = list_pairs(data, known=palette), find(data.source)
    except SightlineError as error:
        tell(f"{run}: its test tiles are not shown, for the images are not found ({error})")
        return None
    known = {pair.id: pair for pair in listing.pairs}
    ids, masks = table["id"].to_pylist(), table["mask"].to_pylist()
    rows = [(known[key], mask) for key, mask in zip(ids, masks, strict=True) if key in known]
    files: dict[tuple[int, str], Path | Callable[[], bytes]] = {}
    images = []
    for number, (pair, mask) in enumerate(rows):
        files[number, "image"] = partial(_picture, pair, reading)
        files[number, "truth"] = partial(_truth, pair, mask, listing.palette, palette)
        files[number, "0"] = partial(_drawn, mask, palette)
        images.append({"number": number, "name": pair.id, "epochs": [0], "has_truth": True})
    classes = [
        {"name": name, "color": "#{:02x}{:02x}{:02x}".format(*color)}
        for name, color in zip(palette.classes, palette.rgb, strict=True)
    ]
    title = f"{run.name}: test tiles"
    progress = ProgressData(
        title, {"title": title, "heading": HEADING, "images": images, "classes": classes, "curve": []}, files
    )
    pictures = tuple(pair.image for pair, _ in rows if pair.image.is_relative_to(root))
    return TestTiles(progress, pictures, root, palette, reading)


def _picture(pair: Pair, reading: Reading) -> bytes:
    return _png(seen(decode(pair.image, reading=reading)))


def _drawn(mask: bytes, palette: Palette) -> bytes:
    return _png(palette.decode(np.asarray(Image.open(io.BytesIO(mask)))))


def _truth(pair: Pair, mask: bytes, own: Palette, palette: Palette) -> bytes:
    """Return the truth in the run's colors and at the size of its mask: a run may have seen its tiles shrunk."""
    classes, _ = encode_pair(pair, own)
    with Image.open(io.BytesIO(mask)) as drawn:
        size = drawn.size
    return _png(palette.decode(cv2.resize(classes, size, interpolation=cv2.INTER_NEAREST_EXACT)))


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
