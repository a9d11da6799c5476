"""Images with masks: which belong together, and which part each is in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sightline.config import SegmentDataConfig
from sightline.data.images.folder import walk
from sightline.data.masks.palette import DEEPGLOBE, Palette, find_palette
from sightline.data.sets.catalog import find
from sightline.data.split_file import part_of, read_split
from sightline.errors import DataError

SHOWN = 5
IMAGE_END, MASK_END = "_sat", "_mask"  # DeepGlobe: NAME_sat.jpg, NAME_mask.png


@dataclass(frozen=True)
class Pair:
    """One image and its mask.

    Attributes:
        id: the image's path below the source's root, with forward slashes.
        image: its file.
        mask: the mask's file.
        part: train, val or test where the source says so, else "".
    """

    id: str
    image: Path
    mask: Path
    part: str = ""


@dataclass(frozen=True)
class PairSet:
    """A data set of images with masks, in order of their ids.

    Attributes:
        name: its source, as it was asked for.
        pairs: in order of id.
        palette: what the masks' pixels mean.
    """

    name: str
    pairs: tuple[Pair, ...]
    palette: Palette

    @property
    def ids(self) -> list[str]:
        """Sample ids."""
        return [pair.id for pair in self.pairs]

    @property
    def fingerprint(self) -> str:
        """A hash of ids and file sizes."""
        digest = hashlib.blake2b(digest_size=16)
        for pair in self.pairs:
            digest.update(f"{pair.id}\0{pair.image.stat().st_size}\0{pair.mask.stat().st_size}\n".encode())
        return digest.hexdigest()


def list_pairs(config: SegmentDataConfig) -> PairSet:
    """List the images and masks of a source.

    Layouts, in the order in which `auto` tries them:
        pairs: NAME_sat.EXT beside NAME_mask.png, anywhere below the source.
        folders: images/ and masks/ with files of the same stem, anywhere below the source.
    A folder named train, val (validation) or test on the way says which part its images are in.

    Raises:
        DataError: nothing there, or an image without its mask or a mask without its image.
    """
    root = find(config.source)
    if not root.is_dir():
        raise DataError(f"data.source = {config.source!r}: is no folder; give one with images and masks")
    images, masks = _listed(root, config)
    if not (images and masks):
        raise DataError(
            f"{config.source}: no images with masks; expected NAME_sat.jpg beside NAME_mask.png, or images/ and "
            f"masks/ with the same names (layout = {config.layout})"
        )
    pairs = tuple(_matched(config.source, root, images, masks))
    palette = DEEPGLOBE if config.palette == "deepglobe" else find_palette([pair.mask for pair in pairs])
    return PairSet(config.source, pairs, palette)


def holds_masks(config: SegmentDataConfig) -> bool:
    """Return whether a source is a folder with images and masks in one of the layouts, each with its partner or not."""
    root = find(config.source)
    return root.is_dir() and all(_listed(root, config))


PathsByKey = dict[tuple[Path, str], Path]


def _listed(root: Path, config: SegmentDataConfig) -> tuple[PathsByKey, PathsByKey]:
    """Return images and masks of the first layout that has both; two empty dictionaries where none has."""
    files = list(walk(root, outputs=True).images)
    layouts = {"pairs": _pairs, "folders": _folders}
    for layout in list(layouts) if config.layout == "auto" else [config.layout]:
        images, masks = layouts[layout](files)
        if images and masks:
            return images, masks
    return {}, {}


def _pairs(files: list[Path]) -> tuple[PathsByKey, PathsByKey]:
    images = {(p.parent, p.stem.removesuffix(IMAGE_END)): p for p in files if p.stem.endswith(IMAGE_END)}
    masks = {(p.parent, p.stem.removesuffix(MASK_END)): p for p in files if p.stem.endswith(MASK_END)}
    return images, masks


def _folders(files: list[Path]) -> tuple[PathsByKey, PathsByKey]:
    def below(name: str) -> PathsByKey:
        paths: PathsByKey = {}
        for path in files:
            parts = path.parts[:-1]
            if name in parts:
                at = len(parts) - 1 - parts[::-1].index(name)
                paths[Path(*parts[:at], "*", *parts[at + 1 :]), path.stem] = path
        return paths

    return below("images"), below("masks")


def _matched(source: str, root: Path, images: PathsByKey, masks: PathsByKey) -> Iterator[Pair]:
    for present, missing, what in ((images, masks, "mask"), (masks, images, "image")):
        alone = [path.relative_to(root).as_posix() for key, path in present.items() if key not in missing]
        if alone:
            more = f" and {len(alone) - SHOWN} more" if len(alone) > SHOWN else ""
            raise DataError(
                f"{source}: no {what} for {', '.join(alone[:SHOWN])}{more}; add what is missing, or remove these files"
            )
    for key in sorted(images, key=lambda key: images[key].relative_to(root).as_posix()):
        relative = images[key].relative_to(root)
        part = next(filter(None, map(part_of, relative.parts[:-1])), "")
        yield Pair(relative.as_posix(), images[key], masks[key], part)


def split_pairs(pair_set: PairSet, config: SegmentDataConfig) -> dict[str, np.ndarray]:
    """Return sample indices, int64, ascending, of train, val and test.

    A split file stands above all. Else the source's own folders decide; with train and val folders only, as DeepGlobe's
    copy here has them, the val folder is the test part, and `val` of the training part chooses the epoch. Without
    folders all three are drawn. What is drawn goes by the hash of (split_seed, id).

    Raises:
        DataError: a part without a tile, or a split file that names others.
    """
    ids = pair_set.ids
    if config.split_file is not None:
        parts = read_split(config.split_file).indices(ids)
    else:
        part_names = [pair.part for pair in pair_set.pairs]
        parts = {name: [i for i, part in enumerate(part_names) if part == name] for name in ("train", "val", "test")}
        parts["train"] += [i for i, part in enumerate(part_names) if not part]
        parts["train"].sort(key=lambda i: _hash(config.split_seed, ids[i]))
        if parts["val"] and not parts["test"]:
            parts["val"], parts["test"] = [], parts["val"]
        total = len(parts["train"])
        if not parts["test"]:
            parts["test"], parts["train"] = _cut(parts["train"], round(config.test * total))
        if not parts["val"]:
            parts["val"], parts["train"] = _cut(parts["train"], round(config.val * total))
    if empty := [name for name, members in parts.items() if not members]:
        raise DataError(
            f"{pair_set.name}: {len(ids)} tiles leave none for {' and '.join(empty)}; add tiles, raise data.val or "
            "data.test, or give data.split_file"
        )
    return {name: np.sort(np.array(members, np.int64)) for name, members in parts.items()}


def _cut(members: list[int], count: int) -> tuple[list[int], list[int]]:
    return members[:count], members[count:]


def scenes_of(config: SegmentDataConfig, ids: list[str]) -> list[str] | None:
    """Return the scene of each tile where the split file names scenes; a tile of none is a scene by itself.

    Raises:
        DataError: the split file cannot be read.
    """
    if config.split_file is None:
        return None
    named = read_split(config.split_file).scenes
    if named is None:
        return None
    scene = {member: name for name, members in named.items() for member in members}
    return [scene.get(identity, identity) for identity in ids]


def _hash(seed: int, identity: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{identity}".encode(), digest_size=8).digest()
