"""Sizes of data, batches and images: which train, which are refused, and how batches are cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from corpus.case import Case, Refused
from sightline.config import SegmentDataConfig, SplitConfig
from sightline.data import Loader, check_masks, list_images, split
from sightline.data.masks.listing import list_pairs, split_pairs


def nothing(folder: Path) -> None:
    """Write nothing: the case is of numbers alone."""


def sizes(train: int, val: int, test: int, batch: int, devices: int = 1) -> Callable[[Path], str]:
    """Return what the check before training says of parts and batches: "trains", or a refusal."""

    def look(folder: Path) -> str:
        from sightline.engine.sizes import check_sizes

        config: Any = SimpleNamespace(batch_size=batch, devices=devices)
        check_sizes(config, {"train": train, "val": val, "test": test}, "photos")
        return "trains"

    return look


def shares(count: int, batch: int, world: int = 1, drop_last: bool = False) -> Callable[[Path], list[list[int]]]:
    """Return how many images each process gets of each batch of an epoch."""

    def look(folder: Path) -> list[list[int]]:
        loaders = [
            Loader(np.arange(count), batch, lambda samples, epoch: len(samples), seed=0, purpose="corpus", workers=0,
                   rank=rank, world=world, drop_last=drop_last)
            for rank in range(world)
        ]  # fmt: skip
        return [list(step) for step in zip(*(loader.batches(0) for loader in loaders), strict=True)]

    return look


def photos(*each: int) -> Callable[[Path], object]:
    """Return what writes class folders of so many pictures."""

    def write(folder: Path) -> None:
        for label, count in enumerate(each):
            (folder / "data" / f"c{label}").mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", (4, 4), (label * 9, i, 0)).save(folder / "data" / f"c{label}" / f"{i}.png")

    return write


def parts(val: float, test: float) -> Callable[[Path], list[int]]:
    """Return the sizes of the three parts of labelled photos."""

    def look(folder: Path) -> list[int]:
        from sightline.config import DataConfig

        found = split(list_images(DataConfig(source=str(folder / "data"))), SplitConfig(val=val, test=test))
        return [len(found.train), len(found.val), len(found.test)]

    return look


def masks(*shapes: tuple[int, int]) -> Callable[[Path], object]:
    """Return what writes images with index masks of these heights and widths."""

    def write(folder: Path) -> None:
        for i, (height, width) in enumerate(shapes):
            mask = np.zeros((height, width), np.uint8)
            mask[: (height + 1) // 2] = 1
            pixels = np.random.default_rng(i).integers(0, 256, (height, width, 3), np.uint8)
            for name, content in (("images", pixels), ("masks", mask)):
                (folder / "data" / name).mkdir(parents=True, exist_ok=True)
                Image.fromarray(content).save(folder / "data" / name / f"{i}.png")

    return write


def mask_parts(folder: Path) -> list[int]:
    """Return the sizes of the three parts of images with masks."""
    config = SegmentDataConfig(source=str(folder / "data"), val=0.2, test=0.2)
    return [len(part) for part in split_pairs(list_pairs(config), config).values()]


def pixels(folder: Path) -> int:
    """Return how many pixels `data check` counts in all masks."""
    config = SegmentDataConfig(source=str(folder / "data"), val=0.2, test=0.2)
    return int(check_masks(config).counts.sum())


def batched(*shapes: tuple[int, int]) -> Callable[[Path], list[list[tuple[int, int]]]]:
    """Return the shapes in each batch of interventions."""

    def look(folder: Path) -> list[list[tuple[int, int]]]:
        from sightline.tasks.segment.interventions import _batches

        images: Any = SimpleNamespace(shape=lambda i: shapes[i])
        return [sorted(shapes[i] for i in batch) for batch in _batches(images, range(len(shapes)), 0)]

    return look


A, B, C, D = (40, 40), (41, 40), (42, 40), (60, 30)
CASES = [
    Case("an even number of batches", nothing, sizes(12, 2, 2, 4), "trains"),
    Case("one image over", nothing, sizes(13, 2, 2, 4), "trains", "Sizes", "the last batch has one image"),
    Case("a batch of one", nothing, sizes(12, 2, 2, 1), "trains", "Sizes"),
    Case("fewer images than a batch", nothing, sizes(3, 2, 2, 64), "trains", "Sizes", "one batch of all"),
    Case("one image a part", nothing, sizes(1, 1, 1, 4), "trains"),
    Case("no validation", nothing, sizes(12, 0, 2, 4), Refused("photos", "val part", "raise data.split.val"), "Sizes"),
    Case("no test", nothing, sizes(12, 2, 0, 4), Refused("photos", "test part", "raise data.split.test"), "Sizes"),
    Case("no training", nothing, sizes(0, 2, 2, 4), Refused("photos", "train part", "lower data.split.val")),
    Case("two processes, batches of two", nothing, sizes(12, 2, 2, 2, devices=2), "trains"),
    Case("two processes, batches of one", nothing, sizes(12, 2, 2, 1, devices=2), Refused("batch_size = 1", "2")),
    Case("four processes, three images", nothing, sizes(3, 2, 2, 4, devices=4), Refused("3 images", "4 processes")),
    Case("four processes, four images", nothing, sizes(4, 2, 2, 4, devices=4), "trains"),
    Case("batches: even", nothing, shares(8, 4), [[4], [4]]),
    Case("batches: a rest", nothing, shares(10, 4), [[4], [4], [2]]),
    Case("batches: a rest of one", nothing, shares(9, 4), [[4], [4], [1]]),
    Case("batches: a rest left out", nothing, shares(9, 4, drop_last=True), [[4], [4]]),
    Case("batches: fewer than one", nothing, shares(3, 4), [[3]]),
    Case("batches: of one", nothing, shares(3, 1), [[1], [1], [1]]),
    Case("batches: two processes", nothing, shares(8, 4, 2), [[2, 2], [2, 2]]),
    Case("batches: two processes, a rest of three", nothing, shares(11, 4, 2), [[2, 2], [2, 2], [2, 1]]),
    Case("batches: two processes, a rest of one", nothing, shares(9, 4, 2), [[2, 2], [2, 2], [1, 1]], "Sizes",
         "a rest smaller than the number of processes is taken whole by each"),
    Case("batches: three processes, a rest of two", nothing, shares(8, 6, 3), [[2, 2, 2], [2, 2, 2]]),
    Case("batches: three processes, a rest of three", nothing, shares(9, 6, 3), [[2, 2, 2], [1, 1, 1]]),
    Case("labelled: ten a class", photos(10, 10), parts(0.2, 0.2), [12, 4, 4]),
    Case("labelled: five and three", photos(5, 3), parts(0.2, 0.2), [4, 2, 2]),
    Case("labelled: three a class", photos(3, 3), parts(0.34, 0.33), [2, 2, 2]),
    Case("labelled: one image of a class", photos(10, 1), parts(0.2, 0.2), Refused("val part", "c1", "add images"),
         "Sizes"),
    Case("labelled: one image a class", photos(1, 1), parts(0.2, 0.2), Refused("add images of these classes")),
    Case("labelled: two a class", photos(2, 2), parts(0.2, 0.2), Refused("add images of these classes")),
    Case("labelled: nothing left to train on", photos(3, 3), parts(0.5, 0.49), Refused("part has no sample")),
    Case("masks: ten tiles", masks(*[A] * 10), mask_parts, [6, 2, 2]),
    Case("masks: five tiles", masks(*[A] * 5), mask_parts, [3, 1, 1]),
    Case("masks: two tiles", masks(A, A), mask_parts, Refused("2 tiles leave none for", "add tiles"), "Sizes"),
    Case("masks: one tile", masks(A), mask_parts, Refused("1 tiles leave none for")),
    Case("checked: equal sizes", masks(*[A] * 10), pixels, 16000),
    Case("checked: all of different sizes", masks(*[(20 + i, 30 - i) for i in range(10)]), pixels,
         sum((20 + i) * (30 - i) for i in range(10)), "Sizes", "each image as it is"),
    Case("checked: one of another size", masks(*[A] * 9, B), pixels, 9 * 1600 + 1640),
    Case("checked: portrait and landscape", masks(*[(20, 50), (50, 20)] * 4), pixels, 8000),
    Case("checked: single pixels and lines", masks((1, 1), (1, 9), (9, 1), (2, 2), *[A] * 4), pixels, 23 + 6400),
    Case("interventions: one size", nothing, batched(A, A, A), [[A, A, A]]),
    Case("interventions: two sizes", nothing, batched(A, A, D, D), [[A, A], [D, D]]),
    Case("interventions: every tile of its own size", nothing, batched(A, B, C), [[A, B, C]], "Sizes",
         "mirrored at their borders to a common size"),
    Case("interventions: one of another size", nothing, batched(A, A, A, B), [[A, A, A, B]]),
    Case("interventions: one of another size among two", nothing, batched(A, B), [[A, B]]),
]  # fmt: skip
