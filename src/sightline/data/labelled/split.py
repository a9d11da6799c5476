"""Train, validation and test parts: as the user divided them, else stratified, by sample ids and seed alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sightline.config import SplitConfig
from sightline.data.split_file import PARTS, read_split
from sightline.errors import DataError
from sightline.randomness import id_hash

if TYPE_CHECKING:  # the listing of a share asks for its parts
    from sightline.data.labelled.listing import ImageSet


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


def split(listing: ImageSet, config: SplitConfig, split_file: str | None = None) -> Split:
    """Split a data set into train, validation and test part.

    A split file stands above all, and what it does not name is in no part; then the source's own parts (folders, or a
    column), where what is in none is for training. With train and val only, the val part is the test part, as for
    masks, and validation is drawn from training. What is still missing is drawn by the hash of (seed, id) within each
    (label, style), so file order and other samples' order do not matter.

    Raises:
        DataError: a class has too few samples for a part that is asked for, or a split file that names others.
    """
    given = _given(listing, split_file)
    parts: dict[str, list[int]] = {name: list(given[name]) for name in ("val", "test")} | {"train": []}
    strata: dict[tuple[int, str], list[int]] = defaultdict(list)
    for index in given["train"]:
        sample = listing.samples[index]
        strata[sample.label, sample.style].append(index)
    for members in strata.values():
        members.sort(key=lambda index: id_hash(config.seed, listing.samples[index].id))
        test = 0 if given["test"] else round(config.test * len(members))
        val = 0 if given["val"] else round(config.val * len(members))
        parts["test"] += members[:test]
        parts["val"] += members[test : test + val]
        parts["train"] += members[test + val :]
    result = Split(listing, **{name: np.sort(np.array(ids, np.int64)) for name, ids in parts.items()})
    _check(result, config, own={name for name in PARTS if given[name]} if given["val"] or given["test"] else set())
    return result


def _given(listing: ImageSet, split_file: str | None) -> dict[str, list[int]]:
    """Return the indices of each part as the user divided them; without any, all are for training."""
    if split_file is not None and not listing.shared:
        parts = read_split(split_file).indices(listing.ids)
        if not parts["train"]:
            raise DataError(f"data.split_file = {split_file!r}: names no member of train; name what is trained on")
    else:
        parts = {name: [i for i, sample in enumerate(listing.samples) if sample.part == name] for name in PARTS}
        parts["train"] += [i for i, sample in enumerate(listing.samples) if not sample.part]
        if not parts["train"]:
            raise DataError(f"{listing.name}: has parts, and none of them is train; name what is trained on")
    if parts["val"] and not parts["test"] and not listing.shared:
        parts["val"], parts["test"] = [], parts["val"]
    return parts


def _check(result: Split, config: SplitConfig, own: set[str]) -> None:
    listing = result.listing
    for name, fraction in (("train", 1.0), ("val", config.val), ("test", config.test)):
        if not fraction and name not in own:
            continue
        held = set(listing.labels[getattr(result, name)].tolist())
        missing = [label for i, label in enumerate(listing.classes) if i not in held]
        if missing:
            way_out = f"raise data.split.{name}"
            if name == "train":
                way_out = "lower data.split.val or data.split.test"
            if name in own:
                way_out = "divide them in another way"
            raise DataError(
                f"{listing.name}: the {name} part has no sample of {', '.join(missing[:5])}; "
                f"add images of these classes, or {way_out}"
            )
