"""Images with masks: which belong together, and which part each is in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sightline.config import SegmentDataConfig
from sightline.data.images.folder import Listing, Passed, walk
from sightline.data.masks.census import take_census
from sightline.data.masks.layouts import MASK_LAYOUTS, Found, Pair
from sightline.data.masks.layouts.beside import IMAGE_END, MASK_END
from sightline.data.masks.meaning import Meaning, settle
from sightline.data.masks.palette import Palette
from sightline.data.sets.catalog import find
from sightline.data.share import share_of
from sightline.data.split_file import PARTS, read_split
from sightline.errors import DataError
from sightline.files import cache_home
from sightline.randomness import id_hash


@dataclass(frozen=True)
class PairSet:
    """A data set of images with masks, in order of their ids.

    Attributes:
        name: its source, as it was asked for.
        pairs: in order of id.
        meaning: what the masks' pixels mean.
        passed: what was passed over in its folder.
    """

    name: str
    pairs: tuple[Pair, ...]
    meaning: Meaning
    passed: tuple[Passed, ...] = ()

    @property
    def palette(self) -> Palette:
        """Classes, and how pixels become them."""
        return self.meaning.palette

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


def list_pairs(
    config: SegmentDataConfig,
    cache_dir: Path | None = None,
    progress: Callable[[str], object] = lambda _: None,
    known: Palette | None = None,
) -> PairSet:
    """List the images and masks of a source, and settle what the masks mean.

    Layouts, in the order in which `auto` tries them (`layouts.MASK_LAYOUTS`):
        folders: images/, imgs/, img/ or JPEGImages/ and masks/, labels/, annotations/, gt/ or SegmentationClass/, in
            any case, with files of the same name, whose masks may have one of these ends.
        pairs: NAME_sat.EXT beside NAME_mask.png, or NAME.EXT beside NAME_mask, _label, _labels, _gt, _seg; anywhere
            below the source.
        labelme, coco, yolo: polygons and run lengths in files of these programs.
    A folder named train, val (valid, validation) or test on the way says which part its images are in.

    Args:
        config: which.
        cache_dir: where what masks hold is kept; `cache_home()` by default.
        progress: called with a line of text now and then.
        known: as of `settle`.

    Raises:
        DataError: nothing there, an image without its mask or a mask without its image, or masks without a certain
            meaning.
    """
    root = find(config.source)
    if not root.is_dir():
        raise DataError(f"data.source = {config.source!r}: is no folder; give one with images and masks")
    listing = walk(root, outputs=True)
    found = _found(root, listing, config)
    if found is None:
        raise DataError(
            f"{config.source}: no images with masks; expected NAME_sat.jpg beside NAME_mask.png, NAME.jpg beside "
            "NAME_mask.png, images/ and masks/ with the same names, or annotations of COCO, YOLO or labelme "
            f"(data.layout = {config.layout})"
        )
    if config.share is not None:
        found = replace(found, pairs=_share(found.pairs, config, config.share))
    meaning = _meaning(found, config, (cache_dir or cache_home()) / "masks", progress, known)
    meaning = replace(meaning, remarks=(*found.remarks, *meaning.remarks))
    return PairSet(config.source, found.pairs, meaning, listing.passed)


def _meaning(
    found: Found, config: SegmentDataConfig, cache: Path, say: Callable[[str], object], known: Palette | None
) -> Meaning:
    if found.palette is not None:
        if config.palette != "auto":
            raise DataError(
                f"{config.source}: {found.how} name their classes themselves; leave data.palette out, or give masks"
            )
        return Meaning(found.palette, found.how)
    census = take_census([pair.mask for pair in found.pairs], cache, name=config.source, say=say)
    named = all(p.image.stem.endswith(IMAGE_END) and p.mask.stem.endswith(MASK_END) for p in found.pairs)
    return settle(census, config.palette, name=config.source, deepglobe_names=named, known=known)


def holds_masks(config: SegmentDataConfig) -> bool:
    """Return whether a source is a folder with images and masks in one of the layouts, each with its partner or not."""
    root = find(config.source)
    try:
        return root.is_dir() and _found(root, walk(root, outputs=True), config) is not None
    except DataError:
        # It is in one of the layouts, and something in it is wrong, which `list_pairs` says.
        return True


def _found(root: Path, listing: Listing, config: SegmentDataConfig) -> Found | None:
    """Return what the first layout finds that finds something."""
    layouts = MASK_LAYOUTS if config.layout == "auto" else [config.layout]
    return next((found for name in layouts if (found := MASK_LAYOUTS[name](config.source, root, listing.images))), None)


def split_pairs(pair_set: PairSet, config: SegmentDataConfig) -> dict[str, np.ndarray]:
    """Return sample indices, int64, ascending, of train, val and test.

    A split file stands above all. Else the source's own folders decide; with train and val folders only, as DeepGlobe's
    copy here has them, the val folder is the test part, and `val` of the training part chooses the epoch. Without
    folders all three are drawn. What is drawn goes by the hash of (split_seed, id).

    Raises:
        DataError: a part without a tile, or a split file that names others.
    """
    # Of a share each tile says its part, which was drawn from the whole.
    return _parts(pair_set.name, pair_set.pairs, config, None if config.share is not None else config.split_file)


def _share(pairs: Sequence[Pair], config: SegmentDataConfig, share: float) -> tuple[Pair, ...]:
    """Return a share of each part, and say of each tile which part it is in."""
    ids = [pair.id for pair in pairs]
    parts = _parts(config.source, pairs, config, config.split_file)
    drawn = {index: name for name, members in parts.items() for index in share_of(ids, members.tolist(), share)}
    return tuple(replace(pairs[index], part=name) for index, name in sorted(drawn.items()))


def _parts(
    name: str, pairs: Sequence[Pair], config: SegmentDataConfig, split_file: str | None
) -> dict[str, np.ndarray]:
    ids = [pair.id for pair in pairs]
    if split_file is not None:
        parts = read_split(split_file).indices(ids)
    else:
        part_names = [pair.part for pair in pairs]
        parts = {part: [i for i, own in enumerate(part_names) if own == part] for part in PARTS}
        parts["train"] += [i for i, part in enumerate(part_names) if not part]
        parts["train"].sort(key=lambda i: id_hash(config.split_seed, ids[i]))
        if parts["val"] and not parts["test"]:
            parts["val"], parts["test"] = [], parts["val"]
        total = len(parts["train"])
        if not parts["test"]:
            parts["test"], parts["train"] = _cut(parts["train"], round(config.test * total))
        if not parts["val"]:
            parts["val"], parts["train"] = _cut(parts["train"], round(config.val * total))
    if empty := [part for part, members in parts.items() if not members]:
        raise DataError(
            f"{name}: {len(ids)} tiles leave none for {' and '.join(empty)}; add tiles, raise data.val or "
            "data.test, or give data.split_file"
        )
    return {part: np.sort(np.array(members, np.int64)) for part, members in parts.items()}


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
