"""What a layout of images with masks tells: which belong together, and what is known of their classes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sightline.config.palettes import MOST_CLASSES
from sightline.data.images.folder import name_below
from sightline.data.masks.palette import Palette, voc_color
from sightline.data.split_file import part_of
from sightline.errors import DataError
from sightline.run_lengths import decode_rle

SHOWN = 5
# Ends of a mask's name, beside the image or in a folder of masks, and of an image's name.
MASK_ENDS = ("_mask", "-mask", "_masks", "_label", "-label", "_labels", "_gt", "-gt", "_seg", "-seg", "_segmentation")
IMAGE_ENDS = ("_sat", "_image", "-image", "_img")
_YEAR = re.compile(r"[-_]?\d{4}$")


@dataclass(frozen=True)
class Pair:
    """One image and its mask.

    Attributes:
        id: the image's path below the source's root, with forward slashes.
        image: its file.
        mask: the mask's file, or that of its annotations.
        part: train, val or test where the source says so, else "".
        draw: draws the class indices uint8 (H, W) from annotations; None where `mask` is a picture.
        owners: draws for each pixel the number of the object that lies on top there, int32 (H, W), −1 where none does;
            None where objects are not told apart.
    """

    id: str
    image: Path
    mask: Path
    part: str = ""
    draw: Callable[[], np.ndarray] | None = field(default=None, compare=False, repr=False)
    owners: Callable[[], np.ndarray] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Found:
    """The images with masks of a source.

    Attributes:
        pairs: in order of their ids.
        palette: classes, where the layout names them.
        how: of the layout, in words.
        remarks: sentences for the screen.
    """

    pairs: tuple[Pair, ...]
    palette: Palette | None = None
    how: str = ""
    remarks: tuple[str, ...] = ()


def part_on_way(relative: Path) -> str:
    """Return the part that a folder on a file's way names, "" for none; train2017 is train."""
    return next(filter(None, (part_of(_YEAR.sub("", name)) for name in relative.parts[:-1])), "")


def stripped(stem: str, ends: Sequence[str]) -> str:
    """Return a name without the end of a mask or an image, if it has one; upper and lower case are the same."""
    end = next((end for end in ends if stem.lower().endswith(end) and len(stem) > len(end)), "")
    return stem[: len(stem) - len(end)]


def match(source: str, root: Path, images: Iterable[tuple[str, Path]], masks: Iterable[tuple[str, Path]]) -> list[Pair]:
    """Pair images with masks that have one place and one name, but for the ends that masks and images have.

    Args:
        source: for errors.
        root: ids are relative to it.
        images: (place, file): where it is, which its mask has in common with it.
        masks: likewise.

    Raises:
        DataError: an image without a mask, a mask without an image, or two of one name.
    """
    names: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for place, path in images:
        for stem in {path.stem, stripped(path.stem, IMAGE_ENDS)}:
            names[place, stem].append(path)
    partner: dict[Path, Path] = {}
    alone: list[Path] = []
    for place, mask in masks:
        found = names.get((place, mask.stem)) or names.get((place, stripped(mask.stem, MASK_ENDS)), [])
        if len(found) > 1:
            raise DataError(
                f"{source}: {_named(root, found)} have one mask, {_named(root, [mask])}; which of them it is of cannot "
                "be told. Remove or rename the other images"
            )
        if not found:
            alone.append(mask)
        elif (other := partner.setdefault(found[0], mask)) != mask:
            raise DataError(
                f"{source}: {_named(root, [found[0]])} has two masks, {_named(root, [other, mask])}; remove one of them"
            )
    every = {path for paths in names.values() for path in paths}
    for missing, what in ((sorted(every - partner.keys()), "mask"), (sorted(alone), "image")):
        if missing:
            raise DataError(
                f"{source}: no {what} for {_named(root, missing)}; add what is missing, or remove these files"
            )
    return [pair_of(root, image, mask) for image, mask in partner.items()]


def pair_of(
    root: Path,
    image: Path,
    mask: Path,
    part: str = "",
    draw: Callable[[], np.ndarray] | None = None,
    owners: Callable[[], np.ndarray] | None = None,
) -> Pair:
    """Return a pair whose id is the image's path below the root."""
    relative = image.relative_to(root)
    return Pair(name_below(root, image), image, mask, part or part_on_way(relative), draw, owners)


def in_order(pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    """Return pairs in order of their ids."""
    return tuple(sorted(pairs, key=lambda pair: pair.id))


def by_category(source: str, names: Sequence[str]) -> Palette:
    """Return the palette of annotations: 0 is background, categories are counted from 1.

    Raises:
        DataError: more categories than a mask can tell apart.
    """
    if len(names) + 1 > MOST_CLASSES:
        raise DataError(f"{source}: {len(names)} categories; a mask tells {MOST_CLASSES - 1} apart from the background")
    classes = ("background", *(f"{name} (object)" if name == "background" else name for name in names))
    return Palette(classes, tuple(voc_color(i) for i in range(len(classes))), indexed=True)


def drawn(source: Path, name: str, size: tuple[int, int], objects: Sequence[tuple[int, np.ndarray]]) -> np.ndarray:
    """Return class indices uint8 (H, W): objects, bool (H, W), the larger first, so that none hides a smaller one."""
    categories = np.array([*(category for category, _ in objects), 0], np.uint8)
    return categories[owned(source, name, size, objects)]


def owned(source: Path, name: str, size: tuple[int, int], objects: Sequence[tuple[int, np.ndarray]]) -> np.ndarray:
    """Return the number of the object on top of each pixel, int32 (H, W), as `drawn` lays them; −1 where none is."""
    owners = np.full(size, -1, np.int32)
    for number in sorted(range(len(objects)), key=lambda number: -int(objects[number][1].sum())):
        mask = objects[number][1]
        if mask.shape != size:
            raise DataError(f"{source}: {name}: a mask of {mask.shape} in an image of {size} pixels")
        owners[mask] = number
    return owners


def polygon_mask(points: np.ndarray, size: tuple[int, int], where: str) -> np.ndarray:
    """Return bool (H, W) of a polygon, by COCO's own library.

    Args:
        points: x and y in pixels, float64 (n, 2).
        size: height and width.
        where: for errors.

    Raises:
        DataError: fewer than three points, or some that are far from the image or no numbers.
    """
    from pycocotools.mask import frPyObjects, merge

    height, width = size
    limit = 2 * max(size)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3:
        raise DataError(f"{where}: a polygon has three points or more, each of x and y")
    if not np.isfinite(points).all() or np.abs(points).max() > limit:
        raise DataError(f"{where}: a polygon has points far from its image of {width} × {height} pixels")
    # Bytes, whatever its stubs say.
    runs: Any = merge(frPyObjects([points.ravel().tolist()], height, width))
    return decode_rle({"size": [height, width], "counts": runs["counts"].decode()})


def numbers(values: object, where: str) -> np.ndarray:
    """Return a list of numbers, or of points, as float64.

    Raises:
        DataError: something else.
    """
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"{where}: expected numbers, and found {str(values)[:60]!r}") from None
    return array


def _named(root: Path, paths: Sequence[Path]) -> str:
    names = [name_below(root, path) for path in paths[:SHOWN]]
    return ", ".join(names) + (f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else "")


Files = Sequence[Path]
# `drawn` or `owned`
Painter = Callable[[Path, str, tuple[int, int], Sequence[tuple[int, np.ndarray]]], np.ndarray]
Layout = Callable[[str, Path, Files], Found | None]
