"""Images and their masks, decoded once into memory-mapped files."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from sightline.config import IGNORE_INDEX, SegmentDataConfig
from sightline.data.images.cache import VERSION, PixelStore, Say, build_store
from sightline.data.images.decode import UnreadableImage, decode, shrink
from sightline.data.images.folder import passed_line
from sightline.data.images.reading import Reading, picture
from sightline.data.images.survey import settle
from sightline.data.labelled.listing import BadImage
from sightline.data.masks.listing import Pair, PairSet, list_pairs, scenes_of, split_pairs
from sightline.data.masks.palette import Palette
from sightline.data.masks.planes import read_plane, size_of
from sightline.errors import DataError
from sightline.files import cache_home
from sightline.files.staging import kept

MASK_VERSION = 2  # of what is kept beside the pixels
WHOLE = 1 << 30  # pixels: a shorter side that no image has
SHOWN = 5


@dataclass(frozen=True)
class SegmentImages:
    """A data set of images with masks, decoded.

    Attributes:
        listing: its pairs and palette, without those that could not be read.
        parts: sample indices, int64, of train, val and test; or of all, where there is no split.
        bad: pairs that were left out, and why.
        off_palette: pixels that no colour of the palette explains, by sample id; they are ignored.
        scenes: the scene of each sample where the split file says so, else None.
        counts: pixels by sample, int64 (N, K + 1): of each class, then ignored ones.
        reading: by which the images were decoded.
    """

    listing: PairSet
    parts: dict[str, np.ndarray]
    bad: tuple[BadImage, ...]
    off_palette: dict[str, int]
    scenes: list[str] | None
    counts: np.ndarray
    _images: PixelStore
    _masks: PixelStore
    reading: Reading = field(default_factory=Reading)

    @property
    def ids(self) -> list[str]:
        """Sample ids."""
        return self.listing.ids

    @property
    def palette(self) -> Palette:
        """Classes and colours."""
        return self.listing.palette

    @property
    def fingerprint(self) -> str:
        """A hash of files, palette and parts."""
        digest = hashlib.blake2b(self.listing.fingerprint.encode(), digest_size=16)
        digest.update(json.dumps(self.palette.to_dict()).encode())
        for name, part in self.parts.items():
            digest.update(f"{name} {part.tolist()}".encode())
        return digest.hexdigest()

    def named_scenes(self) -> dict[str, dict[str, list[str]]]:
        """Return {"scenes": scene → ids} as a split file has it; {} where scenes are not known."""
        if self.scenes is None:
            return {}
        named: dict[str, list[str]] = {}
        for identity, scene in zip(self.ids, self.scenes, strict=True):
            named.setdefault(scene, []).append(identity)
        return {"scenes": named}

    @property
    def channels(self) -> int:
        """Channels of each image."""
        return self.reading.channels

    def image(self, i: int) -> np.ndarray:
        """Return image i, uint8 (H, W, C)."""
        return self._images[int(i)]

    def picture(self, i: int) -> np.ndarray:
        """Return what people see of image i, uint8 (H, W, 3): its first three bands, or one repeated."""
        return picture(self.image(i))

    def mask(self, i: int) -> np.ndarray:
        """Return the class indices of image i, uint8 (H, W), 255 ignored."""
        return self._masks[int(i)]

    def shape(self, i: int) -> tuple[int, int]:
        """Return height and width of image i."""
        return self._images.shape(int(i))


def load_masks(
    config: SegmentDataConfig,
    cache_dir: Path | None = None,
    progress: Say | None = None,
    earlier: Reading | None = None,
    known: Palette | None = None,
    *,
    split: bool = True,
) -> SegmentImages:
    """Decode images and masks, or take them from the cache, and split them.

    Args:
        config: which, and how they are read.
        cache_dir: where caches go; `cache_home()` by default.
        progress: called with a line of text now and then.
        earlier: the reading of the run whose network is to see the images; see `survey.settle`.
        known: a palette that is taken if it explains all pixels: of the run that is evaluated.
        split: False where all are wanted: the only part is "all".

    Raises:
        DataError: partners are missing, more pairs are unusable than `max_bad_fraction`, or a part
            would be empty.
    """
    say = progress or (lambda _: None)
    pair_set = list_pairs(config, cache_dir, say, known)
    if line := passed_line(pair_set.name, pair_set.passed):
        say(line)
    for remark in pair_set.meaning.remarks:
        say(f"{pair_set.name}: {remark}")
    reading = settle(pair_set.name, [pair.image for pair in pair_set.pairs], config, earlier, say)
    home = (cache_dir or cache_home()) / "masks" / _key(pair_set, config.image_size, reading)
    kept(home, lambda folder: _build(pair_set, config.image_size or WHOLE, reading, folder, say), say)
    bad = [BadImage(**entry) for entry in _read(home / "bad.json")]
    if len(bad) > config.max_bad_fraction * len(pair_set.pairs):
        named = "; ".join(entry.reason for entry in bad[:SHOWN])
        raise DataError(
            f"{pair_set.name}: {len(bad)} of {len(pair_set.pairs)} images with masks cannot be used, over the "
            f"{config.max_bad_fraction:.1%} allowed: {named}. Repair or remove them, or raise data.max_bad_fraction"
        )
    left_out = {entry.id for entry in bad}
    good = replace(pair_set, pairs=tuple(pair for pair in pair_set.pairs if pair.id not in left_out))
    off = _read(home / "off_palette.json")
    if off:
        worst = max(off, key=lambda name: off[name])
        say(
            f"{pair_set.name}: {sum(off.values()):,} pixels in {len(off)} masks have no value or color of the palette "
            f"and are ignored; most in {worst} ({off[worst]:,})"
        )
    stores = PixelStore(home / "images", reading.channels), PixelStore(home / "masks", channels=None)
    scenes = scenes_of(config, good.ids)
    parts = split_pairs(good, config) if split else {"all": np.arange(len(good.pairs))}
    counts = np.load(home / "counts.npy")
    classes = np.column_stack([counts[:, : len(good.palette.classes)], counts[:, IGNORE_INDEX]])
    return SegmentImages(good, parts, tuple(bad), off, scenes, classes, *stores, reading)


def _key(pair_set: PairSet, size: int | None, reading: Reading) -> str:
    meaning = json.dumps([pair_set.palette.to_dict(), reading.to_dict()])
    digest = hashlib.blake2b(f"{VERSION} {MASK_VERSION} {size} {meaning}\n".encode(), digest_size=16)
    for pair in pair_set.pairs:
        for path in (pair.image, pair.mask):
            status = path.stat()
            digest.update(f"{pair.id}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _build(pair_set: PairSet, size: int, reading: Reading, folder: Path, say: Say) -> None:
    """Write images/, masks/, bad.json and off_palette.json; a pair of which one half is bad is left out of both."""
    say(f"{pair_set.name}: decoding {len(pair_set.pairs)} images and masks once")
    off: dict[str, int] = {}
    counts: dict[str, np.ndarray] = {}
    lock = threading.Lock()

    def one_mask(pair: Pair) -> np.ndarray | str:
        try:
            classes, unknown = encode_pair(pair, pair_set.palette)
            height, width = size_of(pair.image)
        except UnreadableImage as error:
            return str(error)
        if classes.shape != (height, width):
            return (
                f"{pair.id}: the image has {width}×{height} pixels and its mask {classes.shape[1]}×{classes.shape[0]}; "
                "a mask has a pixel for each of its image"
            )
        shrunk = _shrunk(classes, size)
        with lock:
            if unknown:
                off[pair.id] = unknown
            counts[pair.id] = np.bincount(shrunk.ravel(), minlength=256)
        return shrunk

    def one_image(pair: Pair) -> np.ndarray | str:
        try:
            return shrink(decode(pair.image, reading=reading), size)
        except UnreadableImage as error:
            return str(error)

    pairs, bad = list(pair_set.pairs), list[dict[str, str]]()
    for name, read, channels in (("masks", one_mask, 1), ("images", one_image, reading.channels)):
        (folder / name).mkdir()
        build_store(pairs, read, folder / name, pair_set.name, say, channels)
        new = _read(folder / name / "bad.json")
        if new and name == "images":  # rare: the masks were fine, and are written again without these
            gone = {entry["id"] for entry in new}
            pairs = [pair for pair in pairs if pair.id not in gone]
            build_store(pairs, one_mask, folder / "masks", pair_set.name, say, 1)
        bad += new
        pairs = [pair for pair in pairs if pair.id not in {entry["id"] for entry in bad}]
    np.save(folder / "counts.npy", np.array([counts[pair.id] for pair in pairs], np.int64).reshape(-1, 256))
    (folder / "bad.json").write_text(json.dumps(bad), encoding="utf-8")
    (folder / "off_palette.json").write_text(json.dumps(dict(sorted(off.items()))), encoding="utf-8")


def encode_pair(pair: Pair, palette: Palette) -> tuple[np.ndarray, int]:
    """Return the class indices of a pair's mask, uint8 (H, W), and how many pixels the palette does not explain.

    Raises:
        UnreadableImage: as of `read_plane`.
        DataError: annotations that cannot be drawn.
    """
    if pair.draw is not None:
        return palette.encode(pair.draw())
    plane = read_plane(pair.mask)
    return palette.encode(plane.pixels, plane.table)


def _shrunk(classes: np.ndarray, size: int) -> np.ndarray:
    height, width = classes.shape
    factor = size / min(height, width)
    if factor >= 1:
        return classes
    new = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(classes, new, interpolation=cv2.INTER_NEAREST_EXACT)


def _read(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))
