"""How fast images come out of tar shards: read by the index in a drawn order, and decoded, on two cores.

    uv run python benchmarks/shards.py [--images 40000] [--size 64] [--out FOLDER]

Pictures of that size are written as JPEG files and packed by `sightline data shard`. Two processes, each on a core of
its own, take half of the samples each: their bytes (from the shards in a drawn order and in that of the index, from the
files, and by webdataset, which reads a shard from its beginning to its end), then of the copies that are kept of shards
behind a URL (fsspec's memory, so that no network is measured), and then bytes and pixels. Told are images/s of both
together, the median of three rounds; the files are in the system's cache.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import webdataset
from PIL import Image

from sightline.config import DataConfig
from sightline.data import decode, list_images
from sightline.data.shards import write_shards
from sightline.files.fetched import held
from sightline.files.places import read_place

PROCESSES, ROUNDS = 2, 3
ELSEWHERE = "memory://bucket/shards"


def pictures(folder: Path, count: int, size: int) -> Path:
    """Return a folder of smooth pictures, written where it is not there."""
    target = folder / f"pictures-{count}-{size}"
    if not target.is_dir():
        draw, private = np.random.default_rng(0), folder / "pictures.part"
        for i in range(count):
            path = private / f"{i // 1000:04d}" / f"{i:07d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            coarse = Image.fromarray(draw.integers(0, 256, (4, 4, 3), dtype=np.uint8))
            coarse.resize((size, size), Image.Resampling.BICUBIC).save(path, quality=90)
        private.rename(target)
    return target


def shards(folder: Path, source: Path) -> Path:
    """Return the shards of a folder of pictures."""
    target = folder / f"{source.name}-shards"
    if not target.is_dir():
        write_shards(DataConfig(source=str(source), layout="folder"), target, shard_bytes=16_000_000)
    return target


def read_all(paths: Sequence[Path]) -> int:
    return sum(len(read_place(path)) > 0 for path in paths)


def decode_all(paths: Sequence[Path]) -> int:
    return sum(decode(path).shape[2] == 3 for path in paths)


def stream(tars: Sequence[str]) -> int:
    count = 0
    for path in tars:
        with open(path, "rb") as file:
            members = webdataset.tariterators.tar_file_expander([{"url": path, "stream": file}])
            count += sum("jpg" in row for row in webdataset.tariterators.group_by_keys(members))
    return count


def _work(work: Callable[[Any], int], items: Any, core: int, results: Any) -> None:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})
    begin, processor = time.perf_counter(), time.process_time()
    count = work(items)
    results.put((count, time.perf_counter() - begin, time.process_time() - processor))


def rate(name: str, work: Callable[[Any], int], items: Sequence[Any]) -> None:
    """Print images/s of two processes that share the items."""
    context, wall, processor = get_context("fork"), list[float](), list[float]()
    for _ in range(ROUNDS):
        results = context.SimpleQueue()
        shares = [items[i::PROCESSES] for i in range(PROCESSES)]
        jobs = [context.Process(target=partial(_work, work, share, i, results)) for i, share in enumerate(shares)]
        for job in jobs:
            job.start()
        done = [results.get() for _ in jobs]
        for job in jobs:
            job.join()
        wall.append(sum(count for count, _, _ in done) / max(seconds for _, seconds, _ in done))
        processor.append(sum(count / seconds for count, _, seconds in done))
    print(
        f"{name:44} {statistics.median(wall):9.0f} images/s of wall clock, "
        f"{statistics.median(processor):9.0f} images/s by processor time of two cores",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path("build/shards"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    os.environ["SIGHTLINE_CACHE"] = str(args.out / "cache")
    source = pictures(args.out, args.images, args.size)
    packed = shards(args.out, source)
    begin = time.perf_counter()
    listing = list_images(DataConfig(source=str(packed)))
    print(f"load {os.getloadavg()[0]:.1f}; {len(listing)} images listed in {time.perf_counter() - begin:.2f} s")
    in_order = [sample.path for sample in listing.samples]
    drawn = [in_order[i] for i in np.random.default_rng(1).permutation(len(in_order))]
    files = [source / sample.id for sample in listing.samples]
    rate("bytes from shards, drawn order", read_all, drawn)
    rate("bytes from shards, order of the index", read_all, in_order)
    rate(
        "bytes from files, drawn order", read_all, [files[i] for i in np.random.default_rng(1).permutation(len(files))]
    )
    rate("bytes from shards by webdataset, its order", stream, sorted(map(str, packed.glob("*.tar"))))
    copies = [Path(ELSEWHERE) / path.relative_to(packed) for path in in_order]
    fsspec.filesystem("memory").put(str(packed), ELSEWHERE, recursive=True)
    begin = time.perf_counter()
    read_all(copies)
    print(f"copies fetched and read once, one process, {time.perf_counter() - begin:.2f} s; {held() / 1e6:.1f} MB held")
    rate("bytes from copies of shards, drawn order", read_all, [Path(ELSEWHERE) / p.relative_to(packed) for p in drawn])
    rate("bytes and pixels from shards, drawn order", decode_all, drawn)


if __name__ == "__main__":
    main()
