"""Millions of images in parts: each image is in one of N parts, by its id; each part is one process's, block by block.

    OUT/parts/1-of-2/
      manifest.json      what is done, and of what: inputs, images; of each block rows, SHA-256, what could not be read
      000000.parquet     a block: the rows of `BLOCK` images of the part, in the order of the data set
      .lock              while a process works there

A block appears whole, and is listed after that; one that a killed process left unlisted is made again. So each image is
done once, whatever ends when, and a part that was stopped goes on with the same command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sightline.errors import ConfigError, DataError
from sightline.files import atomic_path, file_sha256, locked, sweep, write_json
from sightline.files.lock import NAME
from sightline.runs.folder import read_json

FOLDER, MANIFEST = "parts", "manifest.json"
BLOCK = 8192  # images: seconds to minutes of work, which is what a kill costs; a million images are 122 files


@dataclass(frozen=True)
class Part:
    """One of N parts of a data set.

    Attributes:
        number: of the part, from 1.
        count: of all parts.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Part:
        """Return the part that "1/4" names.

        Raises:
            ConfigError: it names none.
        """
        number, _, count = text.partition("/")
        if number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
            return cls(int(number), int(count))
        raise ConfigError(f"part = {text!r}: is no part; give I/N, for example 1/4 for the first of four")

    def holds(self, id_: str) -> bool:
        """Return whether the image of that id is in this part."""
        return part_of(id_, self.count) == self.number

    def __str__(self) -> str:
        return f"{self.number}-of-{self.count}"


def part_of(id_: str, count: int) -> int:
    """Return the number of the part, 1 to `count`, that an image is in: by a hash of its id, whatever else there is."""
    return int.from_bytes(blake2b(id_.encode("utf-8", "surrogatepass"), digest_size=8).digest()) % count + 1


class PartFolder:
    """The folder of a part, held by this process; see `open_part`."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path, self._manifest = path, manifest

    @property
    def begun(self) -> int:
        """When the manifest was last written, in ns; of a part without blocks, when it was begun."""
        return (self.path / MANIFEST).stat().st_mtime_ns

    @property
    def blocks(self) -> int:
        """How many blocks the part has, done or not."""
        return -(-self._manifest["images"] // self._manifest["block"])

    def span(self, block: int) -> tuple[int, int]:
        """Return the first image of a block and the one after its last, by their place in the part."""
        size = self._manifest["block"]
        return block * size, min((block + 1) * size, self._manifest["images"])

    @property
    def bad(self) -> list[Mapping[str, str]]:
        """Id and reason of each image that could not be read, of the blocks that are done."""
        return [entry for block in self._manifest["blocks"].values() for entry in block["bad"]]

    def is_done(self, block: int) -> bool:
        """Return whether a block is written and listed."""
        return str(block) in self._manifest["blocks"] and (self.path / block_name(block)).is_file()

    def write(self, block: int, table: pa.Table, bad: Sequence[Mapping[str, str]]) -> None:
        """Write a block, then list it.

        Args:
            block: its number.
            table: a row for each of its images that could be read, in their order, with a column id.
            bad: id and reason of each other one.
        """
        file = self.path / block_name(block)
        with atomic_path(file) as temporary:
            pq.write_table(table, temporary)
        entry = {"rows": len(table), "sha256": file_sha256(file), "bad": [dict(one) for one in bad]}
        self._manifest["blocks"][str(block)] = entry
        write_json(self.path / MANIFEST, self._manifest)


def block_name(block: int) -> str:
    """Return the name of a block's file."""
    return f"{block:06d}.parquet"


@contextmanager
def open_part(out: Path, part: Part, images: int, inputs: Mapping[str, Any]) -> Iterator[PartFolder]:
    """Open the folder of a part and hold it: new, or as far as it is.

    Args:
        out: the folder of all parts.
        part: which.
        images: in it.
        inputs: what its rows are made of, JSON: of other inputs the folder is not touched.

    Raises:
        RunError: another process works there.
        DataError: it holds rows of other inputs.
    """
    path = out / FOLDER / str(part)
    with locked(path / NAME, str(path)):
        sweep(path)
        manifest = {"inputs": dict(inputs), "images": images, "block": BLOCK, "blocks": {}}
        if (path / MANIFEST).is_file():
            there = read_json(path / MANIFEST)
            check_inputs(path, there, manifest)
            manifest = there
        else:
            write_json(path / MANIFEST, manifest)
        yield PartFolder(path, manifest)


def check_inputs(path: Path, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse a folder that holds rows of other inputs.

    Raises:
        DataError: it does.
    """
    old, new = ({**one["inputs"], "images": one["images"]} for one in (there, wanted))
    if other := [key for key in {**old, **new} if old.get(key) != new.get(key)]:
        raise DataError(
            f"{path}: is of other inputs ({', '.join(other)} changed); nothing was changed. Give an --out in another "
            "folder, or remove this one"
        )


@dataclass(frozen=True)
class Merged:
    """The rows of all parts, in the order of the data set.

    Attributes:
        indices: of the images that could be read, in the list of ids that was given, ascending, int64 (N,).
        bad: id and reason of each other one.
        columns: by name: (N, …) arrays.
    """

    indices: np.ndarray
    bad: tuple[Mapping[str, str], ...]
    columns: dict[str, np.ndarray]


def merge_parts(
    out: Path, ids: Sequence[str], inputs: Callable[[Sequence[int]], Mapping[str, Any]], columns: Sequence[str]
) -> Merged:
    """Return the rows of all parts; memory holds them once, and one block.

    Args:
        out: the folder of all parts.
        ids: of all images, in their order.
        inputs: places of images in `ids` → what the rows of a part that holds these are to be made of.
        columns: of lists of one length, or of numbers.

    Raises:
        DataError: a part is missing or unfinished, is of other inputs, or a block is damaged.
    """
    count = _count(out)
    number = np.fromiter((part_of(id_, count) for id_ in ids), np.int64, len(ids))
    kept = np.ones(len(ids), bool)
    manifests: list[dict[str, Any]] = []
    for part in (Part(i + 1, count) for i in range(count)):
        path, members = out / FOLDER / str(part), np.flatnonzero(number == part.number)
        manifest = read_json(path / MANIFEST)
        check_inputs(path, manifest, {"inputs": inputs(members.tolist()), "images": len(members)})
        blocks = -(-len(members) // manifest["block"])
        if absent := [block for block in range(blocks) if str(block) not in manifest["blocks"]]:
            raise DataError(
                f"{path}: {len(absent)} of {blocks} blocks are not done; run it again with --part "
                f"{part.number}/{part.count}, and then merge"
            )
        for block in range(blocks):
            unread = {entry["id"] for entry in manifest["blocks"][str(block)]["bad"]}
            span = members[block * manifest["block"] : (block + 1) * manifest["block"]]
            kept[span] = [ids[i] not in unread for i in span] if unread else True
        manifests.append(manifest)
    indices = np.flatnonzero(kept)
    if not len(indices):
        raise DataError(f"{out / FOLDER}: none of {len(ids)} images could be read; why stands in each {MANIFEST}")
    rank = np.cumsum(kept) - 1
    arrays: dict[str, np.ndarray] = {}
    for part, manifest in enumerate(manifests, 1):
        path, members = out / FOLDER / str(Part(part, count)), np.flatnonzero((number == part) & kept)
        begin = 0
        for block in range(len(manifest["blocks"])):
            table = _block(path, block, manifest["blocks"][str(block)])
            rows = members[begin : begin + len(table)]
            if table["id"].to_pylist() != [ids[i] for i in rows]:
                raise DataError(
                    f"{path / block_name(block)}: holds other images than its part; remove {path}, run it again"
                )
            for name in columns if len(table) else ():
                values = _array(table[name])
                arrays.setdefault(name, np.empty((len(indices), *values.shape[1:]), values.dtype))[rank[rows]] = values
            begin += len(table)
    bad = [entry for manifest in manifests for block in manifest["blocks"].values() for entry in block["bad"]]
    return Merged(indices, tuple(sorted(bad, key=lambda entry: entry["id"])), arrays)


def unread_line(where: object, bad: Sequence[Mapping[str, str]]) -> str:
    """Return a line on images that could not be read, "" where all could; `bad` as of `Merged`."""
    return f"{where}: {len(bad)} unreadable images left out, the first: {bad[0]['reason']}" if bad else ""


def _count(out: Path) -> int:
    """Return of how many parts the folders below `out` are."""
    names = [path.parent.name for path in (out / FOLDER).glob(f"*-of-*/{MANIFEST}")]
    counts = {int(name.rpartition("-")[2]) for name in names}
    if not counts:
        raise DataError(f"{out / FOLDER}: holds no parts; run the same command with --part 1/N to --part N/N first")
    if len(counts) > 1:
        numbers = sorted(counts)
        raise DataError(
            f"{out / FOLDER}: holds parts of {' and of '.join(map(str, numbers))}; remove the folders of all but one, "
            f"*-of-{numbers[0]} for example"
        )
    count = counts.pop()
    if absent := [i for i in range(1, count + 1) if str(Part(i, count)) not in names]:
        missing = ", ".join(f"{i}/{count}" for i in absent[:5])
        raise DataError(f"{out / FOLDER}: {len(absent)} of {count} parts are missing; run --part {missing} first")
    return count


def _block(path: Path, block: int, entry: Mapping[str, Any]) -> pa.Table:
    file = path / block_name(block)
    if not file.is_file() or file_sha256(file) != entry["sha256"]:
        raise DataError(f"{file}: is gone or damaged; remove it if it is there, and run its part again")
    return pq.read_table(file)


def _array(column: pa.ChunkedArray) -> np.ndarray:
    """Return (N, K) of fixed-size lists, (N,) of numbers."""
    whole = column.combine_chunks()
    if pa.types.is_fixed_size_list(whole.type):
        return whole.flatten().to_numpy().reshape(-1, whole.type.list_size)
    return whole.to_numpy()
