"""A look at a data set before anything is trained on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from sightline.config import DataConfig
from sightline.data.copies import Copies, Fingerprints, find_copies, fingerprints
from sightline.data.copies.fingerprint import digest
from sightline.data.copies.rows import UNLABELLED, conflict_rows, ids_with, pair_rows, part_rows
from sightline.data.images.cache import Images, Say, load_image_set
from sightline.data.images.decode import decode
from sightline.data.images.folder import passed_rows
from sightline.data.images.headers import header_rows
from sightline.data.images.survey import check_rows, settle
from sightline.data.labelled.listing import list_images
from sightline.data.labelled.split import split
from sightline.data.split_file import PARTS
from sightline.errors import DataError

SIZE = 64  # shorter side, pixels: twice what copies are looked for at
UNEVEN = 10  # times as many images of the largest class as of the smallest are worth a word

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class ImageCheck:
    """Result of `check_images`.

    Attributes:
        images: the data set, decoded, without what cannot be read.
        unlabelled: a second one, without labels; None where none was given.
        parts: indices of each part, as training would divide it; a further one for the unlabelled images, which are
            numbered behind the others.
        copies: among all images.
        config: of the data set.
    """

    images: Images
    unlabelled: Images | None
    parts: dict[str, np.ndarray]
    copies: Copies
    config: DataConfig

    @property
    def ids(self) -> list[str]:
        """Ids of all images; those of the unlabelled ones begin with their source."""
        return ids_with(self.images.listing.ids, self.unlabelled)

    def rows(self) -> Rows:
        """Return rows of (what, value), some with a share: counts, classes, sizes, copies, each unreadable file."""
        images, listing = self.images, self.images.listing
        paths = [sample.path for sample in listing.samples]
        rows: Rows = [
            {"what": "images", "value": len(listing) + len(listing.bad)},
            {"what": "unreadable", "value": len(listing.bad)},
            *self._classes(),
        ]
        styles = Counter(sample.style for sample in listing.samples if sample.style)
        rows += [{"what": f"style {name}", "value": count} for name, count in sorted(styles.items())]
        rows += header_rows(paths) + check_rows(paths, images.reading, images.__getitem__, listing.ids)
        parts = Counter(sample.part for sample in listing.samples if sample.part)
        rows += [{"what": f"part {name}", "value": parts[name]} for name in PARTS if parts[name]]
        rows += pair_rows(self.copies, self.ids)
        rows += part_rows(self.copies, self.parts, "images")
        if listing.classes:
            labels = np.concatenate([listing.labels, np.full(len(self.ids) - len(listing), -1)])
            rows += conflict_rows(self.copies, self.ids, labels, listing.classes)
        if listing.unclear:
            rows.append({"what": "labels", "value": f"none: {listing.unclear}"})
        rows += [{"what": "note", "value": note} for note in listing.notes]
        rows += passed_rows(listing.passed)
        return rows + [{"what": f"unreadable: {bad.id}", "value": bad.reason} for bad in listing.bad]

    def _classes(self) -> Rows:
        listing = self.images.listing
        counts = Counter(listing.labels.tolist())
        rows: Rows = [{"what": f"class {name}", "value": counts[i]} for i, name in enumerate(listing.classes)]
        sizes = [(counts[i], name) for i, name in enumerate(listing.classes) if counts[i]]
        if sizes and max(sizes)[0] >= UNEVEN * min(sizes)[0]:
            (few, rare), (many, common) = min(sizes), max(sizes)
            rows.append({"what": "warning: uneven classes", "value": f"{few} of {rare}, {many} of {common}"})
        return rows


def check(config: DataConfig, unlabelled: str = "") -> Rows:
    """Open every image, and return rows of (what, value); arguments as of `check_images`."""
    return check_images(config, unlabelled).rows()


def check_images(config: DataConfig, unlabelled: str = "", progress: Say | None = None) -> ImageCheck:
    """Open every image of a data set and look for copies in it.

    Args:
        config: the data set.
        unlabelled: source of images without labels whose copies among the others are looked for too; "" for none.
        progress: called with a line of text now and then.

    Raises:
        DataError: no images, or a split file that names others.
    """
    images = _opened(config, progress)
    more = _opened(DataConfig(source=unlabelled), progress, labels=False) if unlabelled else None
    sets = [images, *([more] if more is not None else [])]
    parts = _parts(images, config)
    if more is not None:
        named = parts or {"labelled" if images.listing.classes else "all": np.arange(len(images))}
        parts = {**named, UNLABELLED: len(images) + np.arange(len(more))}
    return ImageCheck(images, more, parts, copies_among(sets), config)


def copies_among(sets: list[Images]) -> Copies:
    """Return the copies within and between data sets, whose images are numbered one set after the other."""
    samples = [sample for images in sets for sample in images.listing.samples]

    @cache
    def whole(i: int) -> bytes:
        return digest(decode(samples[i].path))

    prints = Fingerprints.joined([fingerprints(images.__getitem__, len(images)) for images in sets])
    return find_copies(prints, same=lambda i, j: whole(i) == whole(j))


def _opened(config: DataConfig, progress: Callable[[str], object] | None, labels: bool = True) -> Images:
    listing = list_images(config, labels=labels)
    reading = settle(listing.name, [sample.path for sample in listing.samples], config)
    size = config.image_size or SIZE
    return load_image_set(listing, size, max_bad_fraction=1.0, reading=reading, progress=progress)


def _parts(images: Images, config: DataConfig) -> dict[str, np.ndarray]:
    """Return the parts as training would have them; those of the source where it has none of its own."""
    listing = images.listing
    if listing.classes:
        try:
            divided = split(listing, config.split, config.split_file)
            return {name: getattr(divided, name) for name in PARTS}
        except DataError:
            if config.split_file is not None:
                raise
            # Too few for a split, of which training would say more: then what the source says is all there is.
    own = {name: np.array([i for i, s in enumerate(listing.samples) if s.part == name], np.int64) for name in PARTS}
    return {name: part for name, part in own.items() if len(part)}
