"""Features of very many small images by two parts that are killed, beside unbroken parts and a plain PyTorch loop.

    uv run python benchmarks/millions.py [--images 1000000] [--kills 6] [--out FOLDER]

Pictures of 32 px are generated straight into tar shards. A classifier on timm/test_resnet (32-px input, one thread) is
trained for an epoch, and its features are computed

- by two processes, `sightline embed RUN SHARDS --part 1/2` and 2/2, and joined by `--merge`;
- again, where the processes are killed at drawn moments and begun again; the joined table must be equal, byte for byte
  of ids and features;
- by a plain loop: webdataset and a DataLoader of torch in one process, the same network of timm, float32.

Told are images/s of wall clock and of processor time, from the start of the work (what is imported is imported before).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import timm
import torch
import webdataset
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms import functional

import sightline.tasks.classify
import sightline.tasks.embed  # noqa: F401  (what the children run is imported once)
from sightline.cli.main import run as sightline_command
from sightline.data import Sample
from sightline.data.shards import _Writer
from sightline.files.places import FOLDER, INDEX
from sightline.runs.parts import BLOCK

SIZE, BATCH, SHARD = 32, 256, 64_000_000
SETTINGS = {
    "backbone": "timm/test_resnet", "input_size": SIZE, "epochs": 1, "batch_size": 64, "device": "cpu", "threads": 1,
    "precision": "32-true",
}  # fmt: skip


def shards(folder: Path, count: int) -> Path:
    """Return shards of that many pictures; a thousand of them are files at a time, in memory."""
    target = folder / f"shards-{count}"
    if target.is_dir():
        return target
    private, draw = folder / "shards.part", np.random.default_rng(0)
    shutil.rmtree(private, ignore_errors=True)
    private.mkdir()
    with _Writer(private, SHARD) as writer, tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        for i in range(count):
            path = Path(memory) / f"{i % 1000:03d}.jpg"
            coarse = Image.fromarray(draw.integers(0, 256, (4, 4, 3), dtype=np.uint8))
            coarse.resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(path, quality=90)
            writer.add(Sample(f"{i // 1000:04d}/{i:07d}.jpg", path), None)
    table = pa.Table.from_pylist(writer.rows)
    pq.write_table(table.replace_schema_metadata({FOLDER: "1"}), private / INDEX)
    private.rename(target)
    return target


def trained(folder: Path) -> Path:
    """Return a classifier of two classes of noise: what it knows does not matter here."""
    run, draw = folder / "run", np.random.default_rng(0)
    if not (run / "model.json").is_file():
        for i in range(120):
            path = folder / "classes" / str(i % 2) / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)).save(path)
        settings = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
        wait(begin(lambda: sightline_command(["classify", str(folder / "classes"), "--out", str(run), *settings])))
    return run


def begin(work: Callable[[], int | None]) -> int:
    """Start a process, and return its id."""
    child = os.fork()
    if not child:
        code = 1
        try:
            torch.set_num_threads(1)
            code = work() or 0
        finally:
            os._exit(code)
    return child


def wait(child: int) -> float:
    """Wait for a process, and return its seconds of processor time."""
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"process {child} ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime


def tell(name: str, images: int, wall: float, processor: float) -> None:
    print(
        f"{name:44} {images / wall:7.0f} images/s of wall clock  {images / processor:7.0f} of processor time  "
        f"{wall:6.0f} s  {processor:6.0f} s",
        flush=True,
    )


def embed(run: Path, source: Path, out: Path, *more: str) -> int:
    return begin(
        lambda: sightline_command(["embed", str(run), str(source), "--out", str(out), "--device", "cpu", *more])
    )


def killed(run: Path, source: Path, out: Path, kills: int) -> None:
    """Do both parts at once, killing one of them after each time that it wrote a block, until so many are dead."""
    draw, left = random.Random(0), kills
    jobs = {part: embed(run, source, out, "--part", f"{part}/2") for part in (1, 2)}
    while jobs:
        for part, job in list(jobs.items()):
            blocks = out / "parts" / f"{part}-of-2"
            before = len(list(blocks.glob("*.parquet")))
            while not (ended := os.waitpid(job, os.WNOHANG)[0]) and len(list(blocks.glob("*.parquet"))) == before:
                time.sleep(0.02)
            if ended:
                del jobs[part]
            elif left:
                time.sleep(draw.uniform(0, 0.5))
                os.kill(job, signal.SIGKILL)
                left -= os.WIFSIGNALED(os.waitpid(job, 0)[1])
                jobs[part] = embed(run, source, out, "--part", f"{part}/2")
    print(f"{kills - left} processes killed; {source.name}, blocks of {BLOCK}", flush=True)


@torch.no_grad()
def plain(source: Path, out: Path) -> None:
    """What people write."""
    model = timm.create_model("test_resnet", num_classes=0).eval()
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    to_tensor = lambda image: functional.normalize(functional.to_tensor(image), mean, std)  # noqa: E731
    data = webdataset.WebDataset(sorted(map(str, source.glob("*.tar"))), shardshuffle=False).decode("pil")
    data = data.to_tuple("__key__", "jpg").map_tuple(str, to_tensor)
    keys, features = list[str](), list[np.ndarray]()
    for names, images in DataLoader(data, batch_size=BATCH):
        keys += names
        features.append(model(images).numpy())
    np.savez(out, keys=np.array(keys), features=np.concatenate(features))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path("build/millions"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    source, run = shards(args.out, args.images), trained(args.out)
    print(
        f"load {os.getloadavg()[0]:.1f}; pictures and network ready in {time.perf_counter() - start:.0f} s", flush=True
    )
    whole, broken = args.out / "whole", args.out / "broken"
    for folder in (whole, broken):
        shutil.rmtree(folder, ignore_errors=True)
    start = time.perf_counter()
    jobs = [embed(run, source, whole, "--part", f"{part}/2") for part in (1, 2)]
    processor = sum(wait(job) for job in jobs)
    tell("sightline embed, two parts at once", args.images, time.perf_counter() - start, processor)
    start = time.perf_counter()
    processor = wait(embed(run, source, whole, "--merge"))
    tell("sightline embed --merge", args.images, time.perf_counter() - start, processor)
    start = time.perf_counter()
    processor = wait(begin(lambda: plain(source, args.out / "plain.npz")))
    tell("webdataset, DataLoader and timm, one process", args.images, time.perf_counter() - start, processor)
    killed(run, source, broken, args.kills)
    wait(embed(run, source, broken, "--merge"))
    one, other = (pq.read_table(folder / "embedding.parquet") for folder in (whole, broken))
    assert one.equals(other), "rows, order and values are those of the unbroken parts"
    assert one["id"].to_pylist() == sorted(set(one["id"].to_pylist()))
    assert len(one) == args.images
    print(f"{len(one)} rows, each id once and in order, equal to the unbroken run's in every value")


if __name__ == "__main__":
    main()
