"""Mask progress: what the network draws over named images as training goes on.

`RUN/progress/` holds for each watched image I its picture, its truth and its mask at each stage, as palette PNGs, and
`progress.json`, which names them. A file belongs to one epoch and is a function of that epoch's weights, so a resumed
run writes what an uninterrupted one would have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sightline.data.images.reading import picture
from sightline.data.masks import pictures as masks
from sightline.errors import ConfigError, nearest
from sightline.files.atomic import write_json
from sightline.runs import read_json
from sightline.runs.artifacts import PROGRESS_INDEX as INDEX


def stages(epochs: int, every: int) -> tuple[int, ...]:
    """Return the epochs (0-based) whose masks are kept: first, middle and last, or every `every`-th and the last."""
    if every:
        return tuple(sorted({*range(0, epochs, every), epochs - 1}))
    return tuple(sorted({0, (epochs - 1) // 2, epochs - 1}))


def find_watched(names: Sequence[str], ids: Sequence[str]) -> list[int]:
    """Return the indices of the watched images.

    Raises:
        ConfigError: an id that the data does not have.
    """
    index = {name: number for number, name in enumerate(ids)}
    for name in names:
        if name not in index:
            raise ConfigError(f"log_images = {name!r}: no such image in the data.{nearest(name, ids)}")
    return [index[name] for name in names]


class MaskProgress:
    """Keeps the masks of some images.

    Args:
        folder: RUN/progress.
        names: ids of the images.
        images: uint8 (H, W, C), in the order of `names`.
        truths: class indices uint8 (H, W), 255 ignored; None where there is none.
        palette: {"names": […], "colors": [[r, g, b], …]}.
        epochs: of the run.
        every: as of `stages`.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        images: Sequence[np.ndarray],
        truths: Sequence[np.ndarray | None],
        palette: dict[str, Any],
        epochs: int,
        every: int,
    ) -> None:
        self._folder, self._names, self._images, self._truths = folder, names, images, truths
        self._palette, self._stages = palette, stages(epochs, every)
        self._colors = np.array(palette["colors"], np.uint8)

    def keep(self, epoch: int, predict: Callable[[np.ndarray], np.ndarray]) -> None:
        """Write the masks of `epoch` where it is a stage; `predict` takes an image and returns class indices."""
        if epoch not in self._stages or not self._names:
            return
        for number, (image, truth) in enumerate(zip(self._images, self._truths, strict=True)):
            masks.save_palette_png(self._folder / _mask_name(number, epoch), predict(image), self._colors)
            if not (self._folder / f"{number}-image.png").is_file():
                masks.save_png(self._folder / f"{number}-image.png", picture(image))
                if truth is not None:
                    masks.save_palette_png(self._folder / f"{number}-truth.png", truth, self._colors)
        write_json(self._folder / INDEX, self._index(epoch))

    def _index(self, epoch: int) -> dict[str, Any]:
        done = [stage for stage in self._stages if stage <= epoch]
        return {
            "palette": self._palette,
            "images": [
                {
                    "id": number,
                    "name": name,
                    "image": f"{number}-image.png",
                    "truth": f"{number}-truth.png" if self._truths[number] is not None else None,
                    "stages": [{"epoch": stage + 1, "mask": _mask_name(number, stage)} for stage in done],
                }
                for number, name in enumerate(self._names)
            ],
        }


def draw_progress(folder: Path) -> list[Path]:
    """Write a strip, an animation, and overlay and error map of the last stage for each watched image.

    Args:
        folder: RUN/progress, as `MaskProgress` left it; nothing is drawn where there is none.
    """
    if not (folder / INDEX).is_file():
        return []
    index = read_json(folder / INDEX)
    colors = np.array(index["palette"]["colors"], np.uint8)
    written: list[Path] = []
    for entry in index["images"]:
        image = np.asarray(Image.open(folder / entry["image"]))
        truth = np.asarray(Image.open(folder / entry["truth"])) if entry["truth"] else None
        drawn = [(stage["epoch"], np.asarray(Image.open(folder / stage["mask"]))) for stage in entry["stages"]]
        written += _draw(folder / str(entry["id"]), image, truth, drawn, colors)
    return written


def _draw(
    stem: Path,
    image: np.ndarray,
    truth: np.ndarray | None,
    drawn: Sequence[tuple[int, np.ndarray]],
    colors: np.ndarray,
) -> list[Path]:
    painted = [(f"epoch {epoch}", masks.paint(mask, colors)) for epoch, mask in drawn]
    pictures = {
        "strip.png": masks.strip(
            [("image", image), *([("truth", masks.paint(truth, colors))] if truth is not None else []), *painted]
        ),
        "overlay.png": masks.overlay(image, drawn[-1][1], colors),
    }
    if truth is not None:
        pictures["error.png"] = masks.error_map(truth, drawn[-1][1])
    written = []
    for name, pixels in pictures.items():
        written.append(stem.with_name(f"{stem.name}-{name}"))
        masks.save_png(written[-1], pixels)
    animation = stem.with_name(f"{stem.name}-progress.gif")
    masks.save_gif(animation, [masks.strip([("image", image), pair]) for pair in painted])
    return [*written, animation]


def _mask_name(number: int, epoch: int) -> str:
    return f"{number}-e{epoch + 1:04d}.png"
