"""From ten thousand images to a billion: what they take, from constants measured here and assumptions that are named.

    uv run python docs/scale/road.py SHARDS

prints the tables of docs/scale.md. SHARDS is a folder that `sightline data shard` wrote, of JPEG files of 64 px (that
of benchmarks/shards.py will do): the memory and time of its listing and the time of reading and of decoding are
measured on it, by processor time of one core, and the decoding of a 500 × 375 JPEG beside them. Assumed, and to be
replaced by your own: prices, the share of a GPU's peak that training reaches, the bytes of a photograph.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import timm
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from sightline.config import DataConfig
from sightline.data import decode, list_images, shrink
from sightline.files.places import read_place

# -- assumed
GPU, GPUS = "H100", 8
PEAK = 989e12  # FLOP/s, bf16 dense, by its maker's data sheet
REACHED = 0.2  # of the peak, by a ResNet in training
GPU_HOUR = 3.0  # dollars for one GPU of a rented machine
STORED_MONTH = 0.023e-9  # dollars a byte and month of object storage
PHOTOGRAPH = 110e3  # bytes of a JPEG of 500 × 375, as ImageNet's
SHARD = 256e6  # bytes, as `data shard` closes them
EPOCHS = 100
SHORTER = 256  # pixels that photographs are decoded to
FEATURES = 4 * 2048  # bytes of a ResNet-50's
SIZES = [10**4, 10**6, 10**7, 10**8, 10**9]


def timed(work: Callable[[], int]) -> float:
    """Return how many a second of processor time, once warm."""
    work()
    begin = time.process_time()
    count = work()
    return count / (time.process_time() - begin)


def measured(shards: Path) -> dict[str, float]:
    """Return the constants by name."""
    config = DataConfig(source=str(shards))
    listed = timed(lambda: len(list_images(config)))
    tracemalloc.start()
    listing = list_images(config)
    held = tracemalloc.get_traced_memory()[0] / len(listing)
    tracemalloc.stop()
    some = [listing.samples[i].path for i in np.random.default_rng(0).permutation(len(listing))[:2000]]
    with TemporaryDirectory() as folder:
        photograph = Path(folder) / "photograph.jpg"
        noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (47, 63, 3), dtype=np.uint8))
        noise.resize((500, 375), Image.Resampling.BICUBIC).save(photograph, quality=95)
        photographs = timed(lambda: sum(len(shrink(decode(photograph), SHORTER)) > 0 for _ in range(60)))
    return {
        "bytes of a listed image in memory": held,
        "images listed a second": listed,
        "images read from shards a second": timed(lambda: sum(len(read_place(path)) > 0 for path in some)),
        "64-px images read and decoded a second": timed(lambda: sum(len(decode(path)) > 0 for path in some)),
        f"500 × 375 JPEGs decoded and shrunk to {SHORTER} px a second": photographs,
    }


def step_flops() -> float:
    """Return the FLOP of a DINO step of a ResNet-50 for an image, 2 × 224 + 6 × 96; the teacher sees the first two."""

    def forward(side: int) -> int:
        with torch.device("meta"):
            network, images = timm.create_model("resnet50", num_classes=0), torch.empty(1, 3, side, side)
        with FlopCounterMode(display=False) as counter:
            network(images)
        return counter.get_total_flops()

    views, teacher = 2 * forward(224) + 6 * forward(96), 2 * forward(224)
    return 3 * views + teacher


def quantity(value: float, unit: str = "B") -> str:
    """Return 1.1e12 as "1.1 TB"."""
    for factor, letter in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g} {letter}{unit}"
    return f"{value:.3g} {unit}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("shards", type=Path)
    torch.set_num_threads(1)
    constants = measured(parser.parse_args().shards)
    flops = step_flops()
    each = PEAK * REACHED / flops
    speed = GPUS * each
    photographs = next(value for name, value in constants.items() if name.startswith("500"))
    print("| measured here, one core's processor time | |\n|---|---|")
    for name, value in constants.items():
        print(f"| {name} | {value:,.0f} |")
    print(f"| FLOP of a DINO step an image, ResNet-50, 2×224 + 6×96 | {quantity(flops, 'FLOP')} |\n")
    print(f"Images a second that {GPUS} {GPU} train: {speed:,.0f}, {each:,.0f} each ({REACHED:.0%} of the peak).")
    print(
        f"They are fed {quantity(speed * PHOTOGRAPH)}/s of JPEGs and take {speed / photographs:.0f} cores to decode.\n"
    )
    print(
        f"| images | JPEGs, a month in object storage | decoded to {SHORTER} px | shards | list in memory, a process | "
        f"{EPOCHS} epochs on {GPUS} {GPU} | dollars | features, float32 × 2048 | decoding once, 64 cores |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for count in SIZES:
        hours = count * EPOCHS / speed / 3600
        print(
            f"| {count:,} | {quantity(count * PHOTOGRAPH)}, ${count * PHOTOGRAPH * STORED_MONTH:,.0f} | "
            f"{quantity(count * 3 * SHORTER * SHORTER * 4 / 3)} | {max(1, round(count * PHOTOGRAPH / SHARD)):,} | "
            f"{quantity(count * constants['bytes of a listed image in memory'])}, "
            f"{count / constants['images listed a second']:,.0f} s | {hours:,.1f} h | "
            f"{hours * GPUS * GPU_HOUR:,.0f} | {quantity(count * FEATURES)} | "
            f"{count / photographs / 64 / 3600:,.2f} h |"
        )


if __name__ == "__main__":
    main()
