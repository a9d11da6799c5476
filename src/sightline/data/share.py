"""A share of a data set, for a trial: a function of ids alone, and a larger share holds the smaller."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

PURPOSE = "share"


def share_of(ids: Sequence[str], members: Sequence[int], share: float) -> list[int]:
    """Return a share of `members`, rounded up, in their order.

    Args:
        ids: of all samples.
        members: indices of those to draw from.
        share: above 0, at most 1.
    """
    drawn = sorted(members, key=lambda index: hashlib.blake2b(f"{PURPOSE}\0{ids[index]}".encode()).digest())
    return sorted(drawn[: math.ceil(share * len(members))])
