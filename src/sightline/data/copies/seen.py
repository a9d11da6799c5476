"""Which images a run was trained or chosen on, kept with it by their pixels: names and folders do not matter later."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sightline.data.copies.fingerprint import DIGEST, digest
from sightline.runs import RunFolder
from sightline.runs.artifacts import TRAINED_ON

GetImage = Callable[[int], np.ndarray]


def keep_trained_on(run: RunFolder, image: GetImage, train: np.ndarray, val: np.ndarray) -> None:
    """Write digests of the images that a run was trained on, and of those that its best epoch was chosen on.

    Args:
        run: the run.
        image: index → decoded image, as the run stores it.
        train: indices, int64 (N,).
        val: likewise.
    """
    run.write_arrays(TRAINED_ON, compressed=False, train=_digests(image, train), val=_digests(image, val))


def trained_on(run: RunFolder, image: GetImage, indices: np.ndarray) -> np.ndarray | None:
    """Return which of some images a run was trained or chosen on, bool (N,); None for a run that kept no digests.

    Args:
        run: a finished run.
        image: index → decoded image, stored as the run stores its own.
        indices: of the images, int64 (N,).
    """
    if not (run.path / TRAINED_ON).is_file():
        return None
    kept = {row.tobytes() for part in run.arrays(TRAINED_ON).values() for row in part}
    return np.array([digest(image(int(i))) in kept for i in indices], bool)


def unseen(known: np.ndarray | None) -> np.ndarray | None:
    """Return the images new to a run, int64 (n,), by `trained_on`; None where it gave nothing, or all or none are."""
    return None if known is None or not known.any() or known.all() else np.flatnonzero(~known)


def _digests(image: GetImage, indices: np.ndarray) -> np.ndarray:
    return np.frombuffer(b"".join(digest(image(int(i))) for i in indices), np.uint8).reshape(-1, DIGEST)
