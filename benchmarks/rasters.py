"""Masks of a raster too large for memory: `sightline predict` beside a plain tiling loop, and what the seams differ by.

    uv run python benchmarks/rasters.py [--side 20000] [--height 20000] [--whole 2048] [--model unet]
        [--kill] [--out FOLDER]

A network on timm/test_resnet is trained for a minute on the demo's land cover. A GeoTIFF of that width and height is
written, of the demo's scenes side by side; its mask is made by `sightline predict` (512-px tiles that overlap by a
quarter, blended), and by a loop around the same network as segmentation-models-pytorch loads it (peers/rasters_smp.py),
without an overlap and, of a smaller raster, with the same one. Each is a process of its own with one thread; told are
megapixels a second of wall clock and of processor time, and the most memory. Then a raster that fits is seen whole by
the network, and the masks of the tiles are compared with that one: pixels that differ, everywhere and near the borders
of tiles.
With --kill the first try is killed while it writes, and there must be no mask.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import rasterio
import torch
from PIL import Image
from rasterio.windows import Window

from sightline.data import write_demo
from sightline.data.images.geotiff import open_raster
from sightline.files.atomic import MARK
from sightline.models.segmentation import load_segmenter
from sightline.tasks.segment.predict import OVERLAP, TILE
from sightline.views.device import Preprocessing

HERE = Path(__file__).resolve().parent
SIGHTLINE = [sys.executable, "-m", "sightline"]
WRITTEN = 100_000  # bytes after which a try is killed
NEAR = 16  # pixels from where two tiles of the plain loop meet
SETTINGS = {
    "backbone": "timm/test_resnet", "epochs": 12, "data.image_size": 128, "crop": 96, "batch_size": 8, "device": "cpu",
    "optim.lr": 0.004, "optim.schedule": "constant",
}  # fmt: skip


def trained(folder: Path, model: str) -> Path:
    """Return the run, trained where it is not there."""
    run = folder / model
    if not (run / "model.json").is_file():
        if not (folder / "demo").is_dir():
            write_demo(folder / "demo", seed=0)
        settings = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
        command = ["segment", str(folder / "demo" / "landcover"), "--out", str(run), "--model", model, *settings]
        subprocess.run([*SIGHTLINE, *command], check=True, stdout=subprocess.DEVNULL)
    return run


def scene(folder: Path, side: int, high: int) -> Path:
    """Return a GeoTIFF of the demo's scenes side by side, turned and in drawn order, in blocks of 256 pixels."""
    path = folder / f"scene-{side}x{high}.tif"
    if path.is_file():
        return path
    tiles = [np.asarray(Image.open(file)) for file in sorted((folder / "demo" / "landcover").rglob("*_sat.jpg"))]
    tall, draw = tiles[0].shape[0], np.random.default_rng(0)
    profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "tiled": True, "blockxsize": 256, "blockysize": 256}
    place = {"crs": "EPSG:32632", "transform": rasterio.Affine(1, 0, 500000, 0, -1, 5200000)}
    temporary = path.with_suffix(".part")
    with rasterio.open(
        temporary, "w", height=high, width=side, compress="deflate", photometric="RGB", **profile, **place
    ) as file:
        for top in range(0, high, tall):
            row = [np.rot90(tiles[draw.integers(len(tiles))], draw.integers(4)) for _ in range(-(-side // tall))]
            pixels = np.concatenate(row, axis=1)[: high - top, :side]
            file.write(pixels.transpose(2, 0, 1), window=Window(0, top, side, len(pixels)))
    temporary.rename(path)
    return path


def timed(name: str, command: list[str], pixels: int) -> None:
    """Run a command and print its speed and memory."""
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{name}: ended with {os.waitstatus_to_exitcode(status)}")
    seconds, processor = time.perf_counter() - begin, used.ru_utime + used.ru_stime
    print(
        f"{name:44} {pixels / 1e6 / seconds:6.2f} Mpx/s  {pixels / 1e6 / processor:6.2f} Mpx/s of processor time  "
        f"{seconds:6.0f} s  {processor:6.0f} s  {used.ru_maxrss / 1e6:5.2f} GB",
        flush=True,
    )


def killed(command: list[str], target: Path) -> None:
    """Start a command, kill it once it has written something, and see that its target is not there."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    temporary = target.parent / f".{target.name}{MARK}{child.pid}"
    while not (temporary.is_file() and temporary.stat().st_size > WRITTEN):
        time.sleep(0.1)
    child.send_signal(signal.SIGKILL)
    child.wait()
    size = temporary.stat().st_size
    print(
        f"killed with {size / 1e6:.1f} MB written: {'a mask is there!' if target.exists() else 'no mask'}", flush=True
    )


def classes_of(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read(1)


@torch.no_grad()
def whole(run: Path, path: Path) -> np.ndarray:
    """Return what the network says of a raster seen whole, class indices."""
    loaded = load_segmenter(run)
    to_tensor = Preprocessing.from_dict(loaded.description["preprocessing"]).on(torch.device("cpu"))
    with open_raster(path) as raster:
        pixels = raster.rows(0, raster.height)
    return loaded.segmenter.eval()(to_tensor(pixels[None])).argmax(dim=1)[0].to(torch.uint8).numpy()


def near_borders(side: int) -> np.ndarray:
    """Return where pixels are near borders of tiles that lie side by side."""
    away = np.arange(side) % TILE
    near = ((away < NEAR) | (away >= TILE - NEAR)) & (np.arange(side) >= NEAR) & (np.arange(side) < side - NEAR)
    return near[:, None] | near[None, :]


def seams(run: Path, path: Path, masks: dict[str, Path]) -> None:
    """Print how many pixels of each mask differ from those of the raster seen whole."""
    truth = whole(run, path)
    near = near_borders(len(truth))
    for name, mask in masks.items():
        differ = classes_of(mask) != truth
        print(
            f"{name:44} differs from the raster seen whole in {differ.mean():.3%} of the pixels; within {NEAR} px of "
            f"the borders of {TILE}-px tiles {differ[near].mean():.3%}, elsewhere {differ[~near].mean():.3%}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--height", type=int, help="As the side by default.")
    parser.add_argument("--whole", type=int, default=2048)
    parser.add_argument("--out", type=Path, default=Path("build/rasters"))
    parser.add_argument("--model", default="unet")
    parser.add_argument("--kill", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    run = trained(args.out, args.model)
    model = args.out / f"{args.model}-smp"
    if not model.is_dir():
        command = [*SIGHTLINE, "export", str(run), "--format", "smp", "--out", str(model)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    preprocessing = json.loads((run / "model.json").read_text())["preprocessing"]
    plain = [sys.executable, str(HERE / "peers" / "rasters_smp.py"), str(model)]
    colors = ["--mean", json.dumps(preprocessing["mean"]), "--std", json.dumps(preprocessing["std"])]
    print(f"{platform.processor() or platform.machine()}, load {os.getloadavg()[0]:.1f}, one thread each, {args.model}")
    whole_size, size = (args.whole, args.whole), (args.side, args.height or args.side)
    for side, high in dict.fromkeys((whole_size, size)):
        path, out = scene(args.out, side, high), args.out / f"{args.model}-{side}x{high}"
        ours = [*SIGHTLINE, "predict", str(run), str(path), "--out", str(out), "--masks", "index", "--device", "cpu"]
        if args.kill and (side, high) == size:
            killed(ours, out / path.name)
        timed(f"sightline predict, {side} × {high} px", ours, side * high)
        assert not list(out.glob(f".*{MARK}*")), "what a killed process left is swept"
        masks = {"sightline predict": out / path.name}
        for overlap in (0.0, OVERLAP) if (side, high) == whole_size else (0.0,):
            name, mask = (
                f"plain loop, overlap {overlap:g}",
                args.out / f"{args.model}-plain-{side}x{high}-{overlap:g}.tif",
            )
            command = [*plain, str(path), str(mask), "--overlap", str(overlap), *colors]
            timed(f"{name}, {side} × {high} px", command, side * high)
            masks[name] = mask
        if (side, high) == whole_size:
            seams(run, path, masks)
    with rasterio.open(scene(args.out, *size)) as image, rasterio.open(masks["sightline predict"]) as mask:
        assert (image.crs, image.transform, image.shape) == (mask.crs, mask.transform, mask.shape)
        print(f"mask: {mask.width} × {mask.height}, {mask.crs}, blocks {mask.block_shapes[0]}, as the image")


if __name__ == "__main__":
    main()
