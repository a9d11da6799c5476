"""What all masks of a data set hold, counted once: values or colors, their pixels, and how each mask is stored."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.data.images.decode import UnreadableImage
from sightline.data.masks.palette import packed
from sightline.data.masks.planes import Plane, read_plane
from sightline.files.staging import kept

# Of the file format and of what is counted.
VERSION = 2
FILE = "census.npz"
THREADS = 4
# Values or colors of one mask that are counted apart, the most frequent ones: one with more is a photograph, or lossy.
MOST_KEYS = 512
# Levels between neighbors that count as one area, of masks saved with loss.
LOSSY_STEP = 8
TELL_EVERY = 10.0
BITS, VALUES, INDICES, COLORS = "bits", "values", "indices", "colors"


@dataclass(frozen=True)
class MaskCount:
    """What one mask holds.

    Attributes:
        kind: BITS, VALUES, INDICES (of a palette file) or COLORS.
        keys: values or packed colors that occur, int64 (n,), ascending.
        pixels: of each, int64 (n,).
        inner: of them those whose four neighbors are of the same, int64 (n,): a border's blended shades have none.
        rest: pixels of what is not counted apart.
        table: colors of a palette file, 768 bytes; b"" else.
        lossy: as of `Plane`.
        nodata: as of `Plane`.
        described: as of `Plane`.
        problem: why the mask cannot be read; "" if it can.
    """

    kind: str
    keys: np.ndarray
    pixels: np.ndarray
    inner: np.ndarray
    rest: int = 0
    table: bytes = b""
    lossy: bool = False
    nodata: int | None = None
    described: str = ""
    problem: str = ""


def take_census(
    masks: Sequence[Path],
    cache: Path | None = None,
    *,
    name: str = "masks",
    say: Callable[[str], object] = lambda _: None,
) -> list[MaskCount]:
    """Count what each mask holds, all of them, or take it from the cache.

    Args:
        masks: files.
        cache: folder of the caches; None keeps none.
        name: of the data set, for progress.
        say: called with a line of text now and then.
    """
    if cache is None:
        return _counted_all(masks, name, say)
    census: list[MaskCount] = []

    def build(folder: Path) -> None:
        census.extend(_counted_all(masks, name, say))
        # A mask that cannot be read may be readable the next time, where an extra is installed for example.
        if any(count.problem for count in census):
            raise _NotKept
        _save(folder / FILE, census)

    try:
        folder = kept(cache / f"census-{_digest(masks)}", build, say)
    except _NotKept:
        return census
    return census or _load(folder / FILE)


class _NotKept(Exception):
    """Masks that cannot be read are counted, and not kept."""


def _counted_all(masks: Sequence[Path], name: str, say: Callable[[str], object]) -> list[MaskCount]:
    census: list[MaskCount] = []
    last = time.monotonic()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="census") as pool:
        for done, count in enumerate(pool.map(count_mask, masks)):
            census.append(count)
            if time.monotonic() - last > TELL_EVERY:
                last = time.monotonic()
                say(f"{name}: {done + 1} of {len(masks)} masks looked at")
    return census


def count_mask(path: Path) -> MaskCount:
    """Return what one mask holds; one that cannot be read says why."""
    try:
        return count_plane(read_plane(path))
    except UnreadableImage as error:
        none = np.empty(0, np.int64)
        return MaskCount(VALUES, none, none, none, problem=error.reason)


def count_plane(plane: Plane) -> MaskCount:
    """Return what a plane holds."""
    pixels, table = plane.pixels, plane.table
    if pixels.ndim == 3:
        kind, flat = COLORS, packed(pixels).astype(np.int32)
    else:
        kind = BITS if pixels.dtype == np.bool_ else INDICES if table is not None else VALUES
        flat = pixels.astype(np.uint8) if pixels.dtype == np.bool_ else pixels
    inside = _inside(pixels if plane.lossy and pixels.dtype == np.uint8 else flat, LOSSY_STEP if plane.lossy else 0)
    keys, counts = _counted(flat.ravel())
    inner_keys, inner_counts = _counted(flat[inside])
    inner = np.zeros(len(keys), np.int64)
    inner[np.searchsorted(keys, inner_keys)] = inner_counts
    rest = 0
    if len(keys) > MOST_KEYS:
        most = np.sort(np.argsort(-counts, kind="stable")[:MOST_KEYS])
        rest = int(counts.sum() - counts[most].sum())
        keys, counts, inner = keys[most], counts[most], inner[most]
    return MaskCount(
        kind,
        keys.astype(np.int64),
        counts,
        inner,
        rest,
        b"" if table is None else table.tobytes(),
        plane.lossy,
        plane.nodata,
        plane.described,
    )


def _counted(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what occurs, ascending, and how often; masks are counted by their runs, of which they have few."""
    if flat.dtype == np.uint8:
        counts = np.bincount(flat, minlength=256)
        keys = np.flatnonzero(counts)
        return keys, counts[keys]
    if not flat.size:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    keys, at = np.unique(flat[starts], return_inverse=True)
    return keys, np.bincount(at, weights=np.diff(np.append(starts, flat.size)), minlength=len(keys)).astype(np.int64)


def _inside(plane: np.ndarray, step: int) -> np.ndarray:
    """Return which pixels are like their four neighbors, bool (H, W); beyond the border all are alike."""
    if step:
        wide = plane.astype(np.int16)
        down, right = (np.abs(np.diff(wide, axis=axis)) <= step for axis in (0, 1))
        if plane.ndim == 3:
            down, right = down.all(axis=2), right.all(axis=2)
    else:
        down, right = plane[1:] == plane[:-1], plane[:, 1:] == plane[:, :-1]
    inside = np.ones(plane.shape[:2], bool)
    inside[1:] &= down
    inside[:-1] &= down
    inside[:, 1:] &= right
    inside[:, :-1] &= right
    return inside


# -- the cache
def _digest(masks: Sequence[Path]) -> str:
    digest = hashlib.blake2b(f"{VERSION}\n".encode(), digest_size=16)
    for path in masks:
        try:
            status = path.stat()
        except OSError as error:
            digest.update(f"{_named(path)}\0{error.errno}\n".encode(errors="surrogateescape"))
            continue
        digest.update(
            f"{_named(path)}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"),
        )
    return digest.hexdigest()


def _named(path: Path) -> str:
    """Return a name that stays when the whole data set is moved."""
    return "/".join(path.parts[-3:])


def _save(path: Path, census: list[MaskCount]) -> None:
    tables = sorted({count.table for count in census})
    texts = sorted({count.described for count in census})
    number_of_table, number_of_text = ({value: i for i, value in enumerate(of)} for of in (tables, texts))
    meta = [
        [c.kind, len(c.keys), c.rest, number_of_table[c.table], c.lossy, c.nodata, number_of_text[c.described]]
        for c in census
    ]
    none = np.empty(0, np.int64)
    columns: dict[str, Any] = {
        part: np.concatenate([none, *(getattr(count, part) for count in census)])
        for part in ("keys", "pixels", "inner")
    }
    described = json.dumps({"masks": meta, "tables": [table.hex() for table in tables], "texts": texts}).encode()
    np.savez(path, meta=np.frombuffer(described, np.uint8), **columns)


def _load(path: Path) -> list[MaskCount]:
    with np.load(path) as columns_of:
        meta = json.loads(columns_of["meta"].tobytes())
        columns = [columns_of[part] for part in ("keys", "pixels", "inner")]
    census, begin = [], 0
    for kind, length, rest, table, lossy, nodata, text in meta["masks"]:
        keys, pixels, inner = (column[begin : begin + length] for column in columns)
        begin += length
        table = bytes.fromhex(meta["tables"][table])
        census.append(MaskCount(kind, keys, pixels, inner, rest, table, lossy, nodata, meta["texts"][text]))
    return census
