"""Images decoded once into one memory-mapped file, so that epochs read pixels and not JPEGs."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

import numpy as np

from sightline.config import DataConfig
from sightline.data.images.decode import UnreadableImage, decode, shrink
from sightline.data.images.reading import Reading
from sightline.data.images.survey import settle
from sightline.data.labelled.listing import BadImage, ImageSet, Sample, list_images
from sightline.errors import DataError
from sightline.files.homes import cache_home
from sightline.files.places import container_of, is_there, status_of
from sightline.files.staging import kept

SIDE = 64  # pixels: the shorter side that is kept where nothing is said
VERSION = 2  # of the file format and of what decoding means; a new number makes a new cache
THREADS = 4  # Pillow decodes without the GIL; more threads than cores hide reading
AHEAD = 16 * THREADS  # images decoded and not yet written: bounds the memory where the disk is slower than decoding
TELL_EVERY = 10.0  # seconds
Say = Callable[[str], object]


class HasId(Protocol):
    """A sample whose array a store keeps."""

    @property
    def id(self) -> str:
        """Stable name."""
        ...


class PixelStore:
    """Arrays of uint8 in one memory-mapped file, as `build_store` wrote them."""

    def __init__(self, folder: Path, channels: int | None = 3) -> None:
        index = np.load(folder / "index.npy")
        self._offsets, self._shapes, self._channels = index[:, 0], index[:, 1:], channels
        # As a plain array over the map: np.memmap's own slicing costs more than the copy that follows it. No bytes
        # cannot be mapped.
        self._pixels = np.asarray(np.load(folder / "pixels.npy", mmap_mode="r" if len(index) else None))

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, i: int) -> np.ndarray:
        """Return array i as a read-only view, uint8 (H, W, channels), or (H, W) where channels is None."""
        height, width = self._shapes[i]
        begin, channels = self._offsets[i], self._channels
        flat = self._pixels[begin : begin + height * width * (channels or 1)]
        return flat.reshape(height, width, channels) if channels else flat.reshape(height, width)

    def shape(self, i: int) -> tuple[int, int]:
        """Return height and width of array i."""
        height, width = self._shapes[i]
        return int(height), int(width)

    def gather(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """Return the images at `indices`."""
        return [self[int(i)] for i in indices]


class Images(PixelStore):
    """Decoded images of a data set.

    Attributes:
        listing: without the images that could not be read; those are in its `bad`.
        reading: by which they were decoded.
    """

    def __init__(self, listing: ImageSet, folder: Path, reading: Reading) -> None:
        super().__init__(folder, reading.channels)
        self.listing, self.reading = listing, reading

    @property
    def channels(self) -> int:
        """Channels of each image."""
        return self.reading.channels


def load_images(
    config: DataConfig, progress: Say | None = None, *, labels: bool = True, earlier: Reading | None = None
) -> Images:
    """Open a source's images, decoded at its `image_size` (64 px where that is not settled).

    Args:
        config: the source, and how its images are read.
        progress: called with lines of text, of what was passed over and what is done.
        labels: as of `list_images`.
        earlier: the reading of the run whose network is to see the images; see `survey.settle`.
    """
    listing, say = list_images(config, labels=labels), progress or (lambda _: None)
    for line in listing.said():
        say(line)
    reading = settle(listing.name, [sample.path for sample in listing.samples], config, earlier, say)
    return load_image_set(
        listing,
        config.image_size or SIDE,
        max_bad_fraction=config.max_bad_fraction,
        progress=progress,
        reading=reading,
    )


def load_image_set(
    listing: ImageSet,
    size: int,
    cache_dir: Path | None = None,
    max_bad_fraction: float = 0.01,
    progress: Say | None = None,
    reading: Reading | None = None,
) -> Images:
    """Decode a data set, or take it from the cache.

    The cache is keyed by ids, file sizes, modification times, `size` and `reading`. Of processes that need it at once
    the first builds it; a damaged one is built again.

    Args:
        listing: what to decode.
        size: shorter side in pixels that images are shrunk to; smaller images stay as they are.
        cache_dir: where caches go; `cache_home()` by default.
        max_bad_fraction: of unreadable images that is put up with.
        progress: called with a line of text now and then.
        reading: which bands, and which values are black and white; by default each image's own.

    Raises:
        DataError: more unreadable images than `max_bad_fraction`, the first few named.
    """
    reading = reading or Reading()
    target = (cache_dir or cache_home()) / "pixels" / _key(listing, size, reading)
    say = progress or (lambda _: None)

    def build(folder: Path) -> None:
        say(f"{listing.name}: decoding {len(listing)} images once, to a shorter side of {size} px")
        read = lambda sample: decoded(sample, size, reading)  # noqa: E731
        build_store(listing.samples, read, folder, listing.name, say, reading.channels, _by_place(listing.samples))

    kept(target, build, say)
    bad = tuple(BadImage(**entry) for entry in json.loads((target / "bad.json").read_text(encoding="utf-8")))
    if len(bad) > max_bad_fraction * len(listing):
        named = "; ".join(entry.reason for entry in bad[:5])
        raise DataError(
            f"{listing.name}: {len(bad)} of {len(listing)} images cannot be read, over the {max_bad_fraction:.1%} "
            f"allowed: {named}. Remove or repair them, or raise data.max_bad_fraction"
        )
    left_out = {entry.id for entry in bad}
    if bad and progress:
        progress(f"{listing.name}: {len(bad)} unreadable images left out, the first: {bad[0].reason}")
    good = tuple(sample for sample in listing.samples if sample.id not in left_out)
    return Images(replace(listing, samples=good, bad=bad), target, reading)


def _key(listing: ImageSet, size: int, reading: Reading) -> str:
    digest = hashlib.blake2b(f"{VERSION} {size} {json.dumps(reading.to_dict())}\n".encode(), digest_size=16)
    for sample in listing.samples:
        try:
            status = status_of(sample.path)
        except OSError as error:
            raise DataError(
                f"{listing.name}: {sample.path} was listed and is gone ({error.strerror}); put it back, or list again"
            ) from None
        digest.update(f"{sample.id}\0{status.size}\0{status.mtime_ns}\n".encode())
    return digest.hexdigest()


def _by_place(samples: Sequence[Sample]) -> list[int] | None:
    """Return the positions of samples in the order of their places, where images share files.

    A shard of another file system is then fetched, and a row group of a Parquet file read, once, however small the room
    for them is.
    """
    if not samples or container_of(samples[0].path) is None:
        return None
    return sorted(range(len(samples)), key=lambda i: str(samples[i].path))


T = TypeVar("T", bound=HasId)


def build_store(
    samples: Sequence[T],
    decode_one: Callable[[T], np.ndarray | str],
    folder: Path,
    name: str,
    progress: Say,
    channels: int = 3,
    order: Sequence[int] | None = None,
) -> None:
    """Write pixels.npy (uint8, flat), index.npy (offset, height, width) and bad.json into `folder`.

    Args:
        samples: in the order of the store.
        decode_one: called by threads; returns uint8 (H, W, channels) or (H, W), or the reason why there is none.
        folder: new; its name should say that it is whole only after this returned.
        name: of the data set, for progress.
        progress: called with a line of text now and then.
        channels: of each array.
        order: positions of the samples, in the order in which they are read and lie in the file; theirs by default.
    """
    total, order = len(samples), range(len(samples)) if order is None else order
    shapes: list[tuple[int, int, int]] = []
    bad: list[tuple[int, str]] = []
    last_report = time.monotonic()
    with (folder / "pixels.npy").open("wb") as file:
        begin = _write_header(file, 0)
        arrays = in_order([samples[i] for i in order], decode_one)
        for done, (i, (_, pixels)) in enumerate(zip(order, arrays, strict=True)):
            if isinstance(pixels, str):
                bad.append((i, pixels))
            else:
                file.write(pixels.tobytes())
                shapes.append((i, pixels.shape[0], pixels.shape[1]))
            if time.monotonic() - last_report > TELL_EVERY:
                last_report = time.monotonic()
                progress(f"{name}: {done + 1} of {total} images decoded, {len(bad)} unreadable")
        count = file.tell() - begin
        file.seek(0)
        assert _write_header(file, count) == begin, "NumPy pads its headers so that the shape can grow in place"
        _sync(file)
    rows = np.array(shapes, np.int64).reshape(-1, 3)
    lengths = rows[:, 1:].prod(axis=1) * channels
    by_sample = np.argsort(rows[:, 0])
    with (folder / "index.npy").open("wb") as file:
        np.save(file, np.column_stack([np.cumsum(lengths) - lengths, rows[:, 1:]])[by_sample])
        _sync(file)
    with (folder / "bad.json").open("wb") as file:
        file.write(json.dumps([{"id": samples[i].id, "reason": reason} for i, reason in sorted(bad)]).encode())
        _sync(file)


def _write_header(file: BinaryIO, count: int) -> int:
    """Write the .npy header of `count` bytes at the file's start, and return where the data begins."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (count,)})
    return file.tell()


def _sync(file: BinaryIO) -> None:
    """Flush a file to the disk, before its folder gets its final name."""
    file.flush()
    os.fsync(file.fileno())


def in_order(
    samples: Sequence[T], decode_one: Callable[[T], np.ndarray | str]
) -> Generator[tuple[T, np.ndarray | str]]:
    """Yield each sample with its pixels or the reason why there are none, decoded by threads, AHEAD at most at once."""
    ahead: deque[tuple[T, Future[np.ndarray | str]]] = deque()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="decode") as pool:
        try:
            for sample in samples:
                ahead.append((sample, pool.submit(decode_one, sample)))
                if len(ahead) >= AHEAD:
                    first, future = ahead.popleft()
                    yield first, future.result()
            for first, future in ahead:
                yield first, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def decoded(sample: Sample, size: int, reading: Reading) -> np.ndarray | str:
    """Return an image with its shorter side at most `size` pixels, uint8 (H, W, C), or why it cannot be read.

    Raises:
        DataError: it was listed and is gone, or cannot be read now.
    """
    try:
        return shrink(decode(sample.path, reading=reading, at_least=size), size)
    except UnreadableImage as error:
        if not is_there(sample.path):  # it was there a moment ago: no damage to be remembered
            raise DataError(f"{sample.path}: was listed and is gone; put it back, or list again") from None
        return str(error)
