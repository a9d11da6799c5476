"""A plain tiling loop as people write it around segmentation-models-pytorch: a raster in, a raster of classes out.

    python benchmarks/peers/rasters_smp.py MODEL SCENE.tif OUT.tif [--overlap 0.25]

Windows of 512 pixels go through the network four at a time. Without an overlap each is written as it is; with one, of
each the part that is nearest to its own middle. Prints one line of JSON: seconds of the loop.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import rasterio
import segmentation_models_pytorch as smp
import torch
from rasterio.windows import Window

TILE, BATCH = 512, 4


def starts(side: int, step: int) -> list[int]:
    return [min(begin, side - TILE) for begin in range(0, side - TILE + step, step)]


def kept(begins: list[int], index: int, side: int) -> tuple[int, int]:
    """Return the first and the last pixel + 1 of what a window writes: up to the middle of what it shares."""
    begin = begins[index]
    low = 0 if index == 0 else (begin + begins[index - 1] + TILE) // 2
    high = side if index == len(begins) - 1 else (begins[index + 1] + begin + TILE) // 2
    return low, high


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("scene", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--overlap", type=float, default=0.0)
    parser.add_argument("--mean", default="[0.485, 0.456, 0.406]", help="Of the images in 0-1, as JSON.")
    parser.add_argument("--std", default="[0.229, 0.224, 0.225]")
    args = parser.parse_args()
    network = smp.from_pretrained(str(args.model)).eval().to(memory_format=torch.channels_last)
    mean, std = (255 * torch.tensor(json.loads(values)).view(1, 3, 1, 1) for values in (args.mean, args.std))
    begin = time.perf_counter()
    with rasterio.open(args.scene) as scene:
        profile = scene.profile | {"count": 1, "photometric": "minisblack"}
        step = int(TILE * (1 - args.overlap))
        tops, lefts = starts(scene.height, step), starts(scene.width, step)
        places = [(i, j) for i in range(len(tops)) for j in range(len(lefts))]
        with rasterio.open(args.out, "w", **profile) as out:
            for first in range(0, len(places), BATCH):
                chosen = places[first : first + BATCH]
                tiles = np.stack([scene.read(window=Window(lefts[j], tops[i], TILE, TILE)) for i, j in chosen])
                images = torch.from_numpy(tiles).float().contiguous(memory_format=torch.channels_last)
                classes = network((images - mean) / std).argmax(dim=1).to(torch.uint8).numpy()
                for (i, j), values in zip(chosen, classes, strict=True):
                    (top, bottom), (left, right) = kept(tops, i, scene.height), kept(lefts, j, scene.width)
                    cut = values[top - tops[i] : bottom - tops[i], left - lefts[j] : right - lefts[j]]
                    out.write(cut, 1, window=Window(left, top, right - left, bottom - top))
    print(json.dumps({"seconds": time.perf_counter() - begin}))


if __name__ == "__main__":
    main()
