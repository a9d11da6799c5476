"""What `data check` says of copies: the same words for photographs, tiles and unlabelled images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.data.copies.find import Copies

if TYPE_CHECKING:
    from sightline.data.images.cache import Images

SHOWN = 10
LEAKING = (("test", "train"), ("test", "val"), ("val", "train"))  # a picture of the first knows one of the second
UNLABELLED = "the unlabelled images"
Rows = list[dict[str, Any]]


def pair_rows(copies: Copies, ids: Sequence[str]) -> Rows:
    """Return how many pairs of copies there are, and the first of them."""
    rows: Rows = []
    for name, pairs in (("identical", copies.exact), ("near copies", copies.near)):
        rows.append({"what": f"pairs of {name}", "value": len(pairs)})
        rows += [{"what": name, "value": f"{ids[a]} = {ids[b]}"} for a, b in pairs[:SHOWN]]
    return rows


def ids_with(ids: Sequence[str], unlabelled: Images | None) -> list[str]:
    """Return ids, and behind them those of unlabelled images, which begin with their source."""
    more = unlabelled.listing if unlabelled is not None else None
    return [*ids, *([f"{more.name}: {i}" for i in more.ids] if more is not None else [])]


def part_rows(copies: Copies, parts: Mapping[str, np.ndarray], noun: str) -> Rows:
    """Return for every two parts how many pictures of the one have a copy in the other, and their share.

    Args:
        copies: among all pictures.
        parts: indices of each part; beside train, val and test perhaps `UNLABELLED`, of which the others may have some.
        noun: of the pictures: "tiles", "images".
    """
    pairs = [(first, second) for first, second in LEAKING if len(parts.get(first, ())) and len(parts.get(second, ()))]
    if UNLABELLED in parts:
        pairs += [(name, UNLABELLED) for name in parts if name != UNLABELLED and len(parts[name])]
    rows: Rows = []
    for first, second in pairs:
        linked = len(copies.with_partner(parts[first], parts[second]))
        what = f"{first} {noun} with a copy in {second}"
        rows.append({"what": what, "value": linked, "share": linked / max(1, len(parts[first]))})
    return rows


def conflict_rows(copies: Copies, ids: Sequence[str], labels: np.ndarray, classes: Sequence[str]) -> Rows:
    """Return copies that have different labels: one of the two is wrong, or the picture shows both.

    Args:
        copies: among all pictures.
        ids: of the pictures.
        labels: class indices, int64 (N,), −1 for none.
        classes: names.
    """
    pairs = np.concatenate([copies.exact, copies.near])
    first, second = labels[pairs[:, 0]], labels[pairs[:, 1]]
    differing = pairs[(first >= 0) & (second >= 0) & (first != second)]
    rows: Rows = [{"what": "pairs of copies with different labels", "value": len(differing)}]
    for a, b in differing[:SHOWN].tolist():
        text = f"{ids[a]} ({classes[int(labels[a])]}) = {ids[b]} ({classes[int(labels[b])]})"
        rows.append({"what": "different labels", "value": text})
    return rows
