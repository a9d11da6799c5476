"""Mask progress: what the network draws over named images as training goes on.

`RUN/progress/` holds for each watched image I its picture, its truth and its mask at each stage, as palette PNGs, and
`progress.json`, which names them. A file belongs to one epoch and is a function of that epoch's weights, so a resumed
run writes what an uninterrupted one would have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from sightline.data.images.reading import picture
from sightline.data.masks import pictures as masks
from sightline.errors import ConfigError, nearest
from sightline.runs import RunFolder
from sightline.runs.artifacts import MASK_HISTORY, PROGRESS
from sightline.runs.mask_history import MaskColors, MaskHistory, MaskStage, WatchedImage


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
        run: whose folder they are kept in.
        names: ids of the images.
        images: uint8 (H, W, C), in the order of `names`.
        truths: class indices uint8 (H, W), 255 ignored; None where there is none.
        palette: of the data.
        epochs: of the run.
        every: as of `stages`.
    """

    def __init__(
        self,
        run: RunFolder,
        names: Sequence[str],
        images: Sequence[np.ndarray],
        truths: Sequence[np.ndarray | None],
        palette: MaskColors,
        epochs: int,
        every: int,
    ) -> None:
        self._index, self._folder = run.path / MASK_HISTORY, run.path / PROGRESS
        self._names, self._images, self._truths = names, images, truths
        self._palette, self._stages = palette, stages(epochs, every)
        self._colors = np.array(palette.colors, np.uint8)

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
        self._history(epoch).write(self._index)

    def _history(self, epoch: int) -> MaskHistory:
        done = [stage for stage in self._stages if stage <= epoch]
        images = [
            WatchedImage(
                name=name,
                image=f"{number}-image.png",
                truth=f"{number}-truth.png" if truth is not None else None,
                stages=tuple(MaskStage(epoch=stage + 1, mask=_mask_name(number, stage)) for stage in done),
            )
            for number, (name, truth) in enumerate(zip(self._names, self._truths, strict=True))
        ]
        return MaskHistory(palette=self._palette, images=tuple(images))


def draw_progress(run: RunFolder) -> list[Path]:
    """Write a strip, an animation, and overlay and error map of the last stage for each watched image.

    Args:
        run: as `MaskProgress` left it; nothing is drawn where it kept no masks.
    """
    history, folder = run.record(MASK_HISTORY, MaskHistory), run.path / PROGRESS
    if history is None:
        return []
    colors = np.array(history.palette.colors, np.uint8)
    written: list[Path] = []
    for number, watched in enumerate(history.images):
        image = np.asarray(Image.open(folder / watched.image))
        truth = np.asarray(Image.open(folder / watched.truth)) if watched.truth else None
        drawn = [(stage.epoch, np.asarray(Image.open(folder / stage.mask))) for stage in watched.stages]
        written += _draw(folder / str(number), image, truth, drawn, colors)
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
