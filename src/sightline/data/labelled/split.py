"""Train, validation and test parts: stratified, and a function of sample ids and seed alone."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from sightline.config import SplitConfig
from sightline.data.labelled.listing import ImageSet
from sightline.errors import DataError


@dataclass(frozen=True)
class Split:
    """Sample indices, int64, ascending, of the three parts.

    Attributes:
        listing: what the indices refer to.
    """

    listing: ImageSet
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray

    def to_dict(self) -> dict[str, list[str]]:
        """Return the ids of each part."""
        ids = self.listing.ids
        return {name: [ids[i] for i in getattr(self, name)] for name in ("train", "val", "test")}


def split(listing: ImageSet, config: SplitConfig) -> Split:
    """Split by the hash of (seed, id) within each (label, style), so file order and other samples' order do not matter.

    Raises:
        DataError: a class has too few samples for a part that is asked for.
    """
    strata: dict[tuple[int, str], list[int]] = defaultdict(list)
    for index, sample in enumerate(listing.samples):
        strata[sample.label, sample.style].append(index)
    parts: dict[str, list[int]] = {"train": [], "val": [], "test": []}
    for members in strata.values():
        members.sort(key=lambda index: _hash(config.seed, listing.samples[index].id))
        test = round(config.test * len(members))
        val = round(config.val * len(members))
        parts["test"] += members[:test]
        parts["val"] += members[test : test + val]
        parts["train"] += members[test + val :]
    result = Split(listing, **{name: np.sort(np.array(ids, np.int64)) for name, ids in parts.items()})
    _check(result, config)
    return result


def _check(result: Split, config: SplitConfig) -> None:
    listing = result.listing
    for name, fraction in (("train", 1.0), ("val", config.val), ("test", config.test)):
        if not fraction:
            continue
        held = set(listing.labels[getattr(result, name)].tolist())
        missing = [label for i, label in enumerate(listing.classes) if i not in held]
        if missing:
            way_out = "lower data.split.val or data.split.test" if name == "train" else f"raise data.split.{name}"
            raise DataError(
                f"{listing.name}: the {name} part has no sample of {', '.join(missing[:5])}; "
                f"add images of these classes, or {way_out}"
            )


def _hash(seed: int, identity: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{identity}".encode(), digest_size=8).digest()
