"""Tar shards of a data set: few large files instead of millions of small ones, read by an index, in any order.

    SHARDS/
      000000.tar      WebDataset's layout: 000000000.jpg, 000000000.cls where there are labels, 000000000.json (id, …)
      index.parquet   a row for each image, by its number: id, label, style, part, shard, suffix, offset, size, mtime_ns

The images are the bytes of their files, and stand in the order of their places: each row group of a Parquet file is
read once. Whoever lists them sorts them by their ids. Sizes and times of change are those of the files, so that a run
from shards takes the decoded pixels, and has the fingerprint, that a run from the folder has.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.config import DataConfig
from sightline.data.labelled.listing import Sample, is_folder, list_images
from sightline.data.sets.catalog import find
from sightline.errors import DataError
from sightline.files import staged
from sightline.files.places import FOLDER, INDEX, SHARD, changed_at, member_name, read_place

MEGABYTE = 1_000_000
TELL_EVERY = 100_000  # images


@dataclass(frozen=True)
class Shards:
    """What was written.

    Attributes:
        folder: where.
        images: how many.
        shards: likewise.
        bytes: of all shards together.
    """

    folder: Path
    images: int
    shards: int
    bytes: int


def write_shards(
    config: DataConfig, out: Path, *, shard_bytes: int = 256 * MEGABYTE, say: Callable[[str], object] = lambda _: None
) -> Shards:
    """Write the images of a source as tar shards with an index; the folder appears whole or not at all.

    Args:
        config: the source.
        out: the folder, new or empty.
        shard_bytes: a shard is closed once it is as large.
        say: told how far it is.

    Raises:
        DataError: `out` is not empty, or an image cannot be read.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: is not empty; give a new folder for the shards")
    listing = list_images(config)
    for line in listing.said():
        say(line)
    with staged(out) as private:
        with _Writer(private, shard_bytes) as writer:
            for number, sample in enumerate(sorted(listing.samples, key=lambda sample: str(sample.path)), 1):
                writer.add(sample, listing.classes[sample.label] if sample.label >= 0 else None)
                if number % TELL_EVERY == 0:
                    say(f"{listing.name}: {number} of {len(listing)} images written")
        table = pa.Table.from_pylist(writer.rows)
        pq.write_table(
            table.replace_schema_metadata({FOLDER: str(int(is_folder(find(config.source))))}), private / INDEX
        )
        total = sum(path.stat().st_size for path in private.glob(f"*{SHARD}"))
    return Shards(out, len(writer.rows), writer.shards, total)


class _Writer:
    """Writes images one after the other into shards, and keeps the rows of their index."""

    def __init__(self, folder: Path, shard_bytes: int) -> None:
        self.rows: list[dict[str, Any]] = []
        self.shards = 0
        self._folder, self._limit = folder, shard_bytes
        self._tar: tarfile.TarFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._tar is not None:
            self._tar.close()

    def add(self, sample: Sample, label: str | None) -> None:
        """Add an image with what is known of it."""
        tar, number = self._open(), len(self.rows)
        changed, content, suffix = changed_at(sample.path), read_place(sample.path), sample.path.suffix.lower()
        facts = {"id": sample.id, "label": label, "style": sample.style, "part": sample.part}
        offset = _add_file(tar, member_name(number, suffix), content, changed // 10**9)
        if sample.label >= 0:
            _add_file(tar, member_name(number, ".cls"), str(sample.label).encode())
        _add_file(tar, member_name(number, ".json"), json.dumps(facts, ensure_ascii=False).encode())
        place = {"shard": Path(str(tar.name)).name, "suffix": suffix, "offset": offset, "size": len(content)}
        self.rows.append(facts | place | {"mtime_ns": changed})

    def _open(self) -> tarfile.TarFile:
        """Return the shard that takes the next image."""
        if self._tar is not None and self._tar.offset >= self._limit:
            self._tar.close()
            self._tar = None
        if self._tar is None:
            path = self._folder / f"{self.shards:06d}{SHARD}"
            self._tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
            self.shards += 1
        return self._tar


def _add_file(tar: tarfile.TarFile, name: str, content: bytes, changed: int = 0) -> int:
    """Add a file, and return where its bytes begin."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime = len(content), max(0, changed)
    begin = tar.offset + tarfile.BLOCKSIZE
    tar.addfile(entry, io.BytesIO(content))
    return begin
