"""Published data sets in formats of their own, turned into image files once they are unpacked."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from sightline.errors import DataError

THREADS = 4
CHUNK = 1000  # pictures in memory at once

Named = tuple[Path, np.ndarray]


def cifar10(root: Path) -> None:
    """Write train/CLASS/N.png and test/CLASS/N.png from records of a label byte and 3 × 32 × 32 bytes.

    Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
    """
    folder = root / "cifar-10-batches-bin"
    names = (folder / "batches.meta.txt").read_text(encoding="utf-8").split()
    for part, pattern in (("train", "data_batch_*.bin"), ("test", "test_batch.bin")):
        number = 0
        for file in sorted(folder.glob(pattern)):
            records = _records(file, 1 + 3 * 32 * 32)
            labels, pixels = records[:, 0], records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            paths = [root / part / names[label] / f"{number + i:05d}.png" for i, label in enumerate(labels)]
            _save_all(zip(paths, pixels, strict=True))
            number += len(records)
    _remove(folder)


def stl10(root: Path) -> None:
    """Write unlabelled/N.png, train/CLASS/N.png and test/CLASS/N.png; each channel is stored column by column.

    Source: https://cs.stanford.edu/~acoates/stl10/, "binary files".
    """
    folder = root / "stl10_binary"
    names = (folder / "class_names.txt").read_text(encoding="utf-8").split()
    for part in ("unlabeled", "train", "test"):
        records = _records(folder / f"{part}_X.bin", 3 * 96 * 96)
        labels = None if part == "unlabeled" else _records(folder / f"{part}_y.bin", 1)[:, 0]
        for begin in range(0, len(records), CHUNK):
            pixels = records[begin : begin + CHUNK].reshape(-1, 3, 96, 96).transpose(0, 3, 2, 1)
            numbers = range(begin, begin + len(pixels))
            if labels is None:
                paths = [root / "unlabelled" / f"{n:06d}.png" for n in numbers]
            else:
                paths = [root / part / names[int(labels[n]) - 1] / f"{n:05d}.png" for n in numbers]  # labels from 1
            _save_all(zip(paths, pixels, strict=True))
    _remove(folder)


def pets(root: Path) -> None:
    """Write labels.csv from file names such as images/great_pyrenees_12.jpg."""
    paths = sorted((root / "images").glob("*.jpg"))
    with (root / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        rows = [(path.stem, path.name, path.stem.rpartition("_")[0]) for path in paths if not path.name.startswith(".")]
        csv.writer(file).writerows([("id", "filename", "label"), *rows])


CONVERSIONS: dict[str, Callable[[Path], None]] = {"cifar-10": cifar10, "pets": pets, "stl10": stl10}


def _records(file: Path, length: int) -> np.ndarray:
    """Return a file as records of `length` bytes, uint8 (N, length), mapped and not read."""
    if not file.is_file() or not file.stat().st_size or file.stat().st_size % length:
        raise DataError(f"{file}: missing, or not a whole number of records of {length} bytes; fetch again")
    return np.memmap(file, np.uint8, "r").reshape(-1, length)


def _save_all(pictures: Iterable[Named]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(_save, pictures):
            pass


def _save(picture: Named) -> None:
    path, pixels = picture
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, compress_level=1)


def _remove(folder: Path) -> None:
    """Remove the files that were turned into images, which would take the room twice."""
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
