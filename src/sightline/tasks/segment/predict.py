"""Masks for new images from a trained network: whole folders, any size, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np

from sightline.config import IGNORE_INDEX, RunConfig
from sightline.config.types import Device, MaskForm
from sightline.data import Palette, UnreadableImage, images_in, tell
from sightline.data.images.decode import open_image
from sightline.data.images.geotiff import is_geotiff, rasterio_is_here, write_raster
from sightline.data.images.reading import Raster, Reading
from sightline.data.images.survey import remarks_on
from sightline.data.masks.forms import Form
from sightline.data.masks.tiles import blend, plan
from sightline.engine import NoProgress, Progress, make_fabric, make_progress
from sightline.engine.memory import release_freed_memory
from sightline.errors import ConfigError, DataError, NotAvailable, nearest
from sightline.files import Outputs, atomic_path, text_digest
from sightline.files.atomic import json_text
from sightline.files.outputs import one_name_each, whole_outputs
from sightline.models import read_description
from sightline.models.cpu import place
from sightline.models.segmentation import load_segmenter
from sightline.runs import RunFolder
from sightline.runs.outputs import MaskPredictions
from sightline.runs.parts import Part, open_part
from sightline.tasks.segment.predictor import Predictor
from sightline.views.device import Preprocessing

TILE = 512  # pixels: as the tiles that land cover is published in; the network pads smaller images itself
OVERLAP = 0.25  # of a tile: its border, where context is missing, then weighs next to nothing
ROWS = 32
# Tiles at a time. On a CPU one is as fast as four, and of a U-Net takes 0.4 GB less.
BATCH, CPU_BATCH = 4, 1


@dataclass(frozen=True)
class Options:
    """Options of mask prediction.

    Attributes:
        tile: side in pixels; images no larger are seen whole.
        overlap: of neighbouring tiles, as a share of the tile.
        tta: average over the eight flips and turns of each tile; eight times the work.
        probabilities: also write NAME.npy, float16 (K, H, W).
        masks: rgb, index or palette: colors, values, or values with a table of colors; None for the form of the masks
            that the run was trained on, colors or values.
    """

    tile: int = TILE
    overlap: float = OVERLAP
    tta: bool = False
    probabilities: bool = False
    masks: MaskForm | None = None

    def __post_init__(self) -> None:
        if self.tile < 32 or not 0 <= self.overlap < 1:
            raise ConfigError(
                f"tile = {self.tile}, overlap = {self.overlap}: a tile has at least 32 pixels, and overlaps its "
                "neighbour by 0 to less than 1 of its side"
            )
        if self.masks is not None and self.masks not in (known := get_args(MaskForm)):
            raise ConfigError(
                f"masks = {self.masks!r}: no such form.{nearest(self.masks, known)} Known: {', '.join(known)}"
            )


class MaskMaker:
    """A finished segmentation run, from pixels to class indices.

    Args:
        run: its folder.
        options: how.
        device: auto, cpu, cuda or mps.

    Raises:
        RunError: the run is no finished segmenter.
    """

    def __init__(self, run: Path, options: Options | None = None, device: Device = "auto") -> None:
        loaded = load_segmenter(run)
        self.options = options or Options()
        self.palette = Palette.from_dict(loaded.description["palette"])
        self.form = Form.of(self.palette, self.options.masks)
        self.reading = Reading.from_dict(loaded.description.get("reading"))
        fabric = make_fabric(RunConfig(device=device))
        to_tensor = Preprocessing.from_dict(loaded.description["preprocessing"]).on(fabric.device)
        predictor = Predictor(place(loaded.segmenter, fabric.device), to_tensor, fabric)
        self._batch = CPU_BATCH if fabric.device.type == "cpu" else BATCH
        self._classify = predictor.turned_probabilities if self.options.tta else predictor.probabilities

    def bands(self, pixels: np.ndarray | Raster) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first row, class probabilities float32 (K, rows, W)) from the top down, over an image of any size.

        Memory holds one row of tiles, of a raster's pixels as of the probabilities.
        """
        if isinstance(pixels, Raster):
            height, width, rows = pixels.height, pixels.width, pixels.rows
        else:
            (height, width), rows = pixels.shape[:2], lambda top, bottom: pixels[top:bottom]
        windows = plan(height, width, self.options.tile, self.options.overlap)
        classes = len(self.palette.classes)

        def classify(chosen: list[tuple[int, int, int, int]]) -> np.ndarray:
            return self._classify(np.stack([rows(top, bottom)[:, left:right] for top, left, bottom, right in chosen]))

        yield from blend(windows, width, classes, classify, self._batch)

    def classes(self, pixels: np.ndarray) -> np.ndarray:
        """Return class indices uint8 (H, W) of an image uint8 (H, W, C)."""
        indices = np.empty(pixels.shape[:2], np.uint8)
        for top, band in self.bands(pixels):
            indices[top : top + band.shape[1]] = _most_probable(band)
        return indices


def predict(
    run: Path,
    images: Path,
    out: Path | None = None,
    *,
    tta: bool = False,
    probabilities: bool = False,
    masks: MaskForm | None = None,
    device: Device = "auto",
    part: str | None = None,
) -> MaskPredictions:
    """Draw the masks of images, as `predict_masks` does.

    Args:
        run: a finished segment run.
        images: one image, or a folder searched through.
        out: the folder to write. A segmenter needs one, for masks of any size go to files and never into memory.
        tta: average over the eight flips and turns of each tile.
        probabilities: also write NAME.npy, float16 (K, H, W).
        masks: rgb, index or palette, as of `Options`.
        device: auto, cpu, cuda or mps.
        part: as of `predict_masks`, "1/4" for the first of four.

    Raises:
        ConfigError: no `out`, no such part, or no such form of masks.
        DataError: as of `predict_masks`.
    """
    if out is None:
        raise ConfigError(f"out: {run} holds a segment run, whose masks are written as files; give a folder for them")
    options = Options(tta=tta, probabilities=probabilities, masks=masks)
    chosen = None if part is None else Part.parse(part)
    paths = predict_masks(run, images, out, options, device=device, progress=make_progress(), part=chosen)
    description = read_description(RunFolder.open(run))
    return MaskPredictions(
        paths=tuple(paths),
        classes=Palette.from_dict(description["palette"]).classes,
    )


def predict_masks(
    run: Path,
    images: Path,
    out: Path,
    options: Options | None = None,
    *,
    device: Device = "auto",
    progress: Progress | None = None,
    part: Part | None = None,
) -> list[Path]:
    """Write a mask for each image, under the image's name with .png; of a TIFF, with .tif.

    The masks have the palette of those that the run was trained on, and state it, so that `evaluate` and `segment`
    read them back as the same classes.

    DeepGlobe's NAME_sat.jpg gives NAME_mask.png, as the graders of that task read it. A GeoTIFF is read and written by
    rows, at constant memory whatever its size; its mask has its transform and CRS, and the ignored colour where it has
    no data.

    Args:
        run: a finished segment run.
        images: one image, or a folder searched through; its folders are kept below `out`.
        out: the folder to write.
        options: tiles, averaging, probabilities.
        device: auto, cpu, cuda or mps.
        progress: told how far it is, by images, of a single one by its rows; None tells nobody.
        part: draw the masks of these images alone, by a hash of their names below the folder, and none that is there
            already: what is done stays done, whatever ends this process, and the same call goes on.

    Returns:
        The masks.

    Raises:
        DataError: no images, one that cannot be read (masks written before it stay, each whole), or a mask that would
            replace an image, another mask, or a file that Sightline did not write (nothing is written); or `out`
            holds this part of other inputs.
        RunError: another process does this part.
        NotAvailable: a TIFF, and rasterio is not installed.
    """
    root = images if images.is_dir() else images.parent
    files = images_in(images)
    sources = [path for path in files if not path.stem.endswith("_mask")]
    if not sources:
        raise DataError(f"{images}: holds masks only (NAME_mask); give the images that masks are wanted for")
    options = options or Options()
    made = {path: _targets(path, (out / path.relative_to(root)).parent, options) for path in sources}
    if part is not None:
        # `Outputs` looks at one part alone.
        one_name_each((path, target) for path, written in made.items() for target in written)
        made = {path: written for path, written in made.items() if part.holds(path.relative_to(root).as_posix())}
    targets = [written[0] for written in made.values()]
    with _held(run, options, root, list(made), out, part) as since:
        if part is not None:
            done = _done([file for written in made.values() for file in written], since)
            made = {path: written for path, written in made.items() if not done.issuperset(written)}
        if made:
            _write_all(run, made, files, out, options, device, progress or NoProgress())
    return targets


@contextmanager
def _held(
    run: Path, options: Options, root: Path, sources: Sequence[Path], out: Path, part: Part | None
) -> Iterator[int]:
    """Hold the folder of a part, whose masks lie beside those of the others; yield when it was begun, ns."""
    if part is None:
        yield 0
        return
    names = [[path.relative_to(root).as_posix(), path.stat().st_size, path.stat().st_mtime_ns] for path in sources]
    data = text_digest(str(root.resolve()), json_text(names))
    inputs = {"weights": read_description(RunFolder.open(run))["sha256"], "data": data, **asdict(options)}
    with open_part(out, part, len(sources), inputs) as folder:
        yield folder.begun


def _done(files: Sequence[Path], since: int) -> set[Path]:
    """Return the files that are there whole and no older than the part: masks of another run are drawn again."""
    return {file for file in whole_outputs(files) if file.stat().st_mtime_ns >= since}


def _write_all(
    run: Path,
    made: dict[Path, list[Path]],
    files: Sequence[Path],
    out: Path,
    options: Options,
    device: Device,
    progress: Progress,
) -> None:
    # Masks among the images are inputs too: labels, as in DeepGlobe's folders.
    outputs = Outputs([(path, target) for path, targets in made.items() for target in targets], files)
    maker = MaskMaker(run, options, device)
    for line in remarks_on(list(made), maker.reading):
        tell(line)
    with _told(progress, made, out) as told:
        for done, (path, targets) in enumerate(made.items()):
            with outputs.writing(*targets):
                _write(maker, path, targets[0], partial(told, done))


@contextmanager
def _told(progress: Progress, sources: Sized, out: Path) -> Iterator[Callable[[int, int, int], None]]:
    """Yield what is called with the images done, and of the next one its rows done and all its rows."""
    single, begun = len(sources) == 1, False

    def tell(done: int, row: int, height: int) -> None:
        nonlocal begun
        if not begun:
            extent = (height, "row", 0) if single else (len(sources), "image", 1)
            progress.start("predict", extent[0], 0, str(out), unit=extent[1], images=extent[2])
            begun = True
        if (single and row) or row == height:
            progress.advance(row if single else done + 1, "")

    try:
        yield tell
    finally:
        if begun:
            progress.stop()


def _targets(path: Path, folder: Path, options: Options) -> list[Path]:
    """Return the files made from an image: its mask, and its probabilities where they are asked for."""
    name = path.stem.removesuffix("_sat") + "_mask" if path.stem.endswith("_sat") else path.stem
    mask = folder / f"{name}{'.tif' if is_geotiff(path) else '.png'}"
    return [mask, mask.with_suffix(".npy")] if options.probabilities else [mask]


def _write(maker: MaskMaker, path: Path, target: Path, tell: Callable[[int, int], None]) -> None:
    """Write the mask of one image, ignored where it holds no data: the pixels are those that training would see."""
    try:
        with open_image(path, maker.reading) as image:
            tell(0, image.height)
            if is_geotiff(target):
                _write_geotiff(maker, image, target, tell)
            else:
                rows = [_masked(image, top, classes) for top, classes in _classes(maker, image, target, tell)]
                maker.form.save(target, np.concatenate(rows))
    except UnreadableImage as error:
        if is_geotiff(path) and not rasterio_is_here():
            raise NotAvailable(f"{path}: a GeoTIFF needs rasterio: install sightline[geo], or save it as PNG") from None
        raise DataError(f"{error}. Repair or remove it; the same command writes the masks again") from None


def _write_geotiff(maker: MaskMaker, image: Raster, target: Path, tell: Callable[[int, int], None]) -> None:
    form, where = maker.form, (image.height, image.width, image.georeference)
    nodata = form.nodata if image.holey else None
    masked = image.holey and nodata is None
    with write_raster(target, *where, **form.raster(), nodata=nodata, masked=masked) as writer:
        for top, classes in _classes(maker, image, target, tell):
            known = image.known(top, top + len(classes))
            writer.append(form.pixels(np.where(known, classes, np.uint8(IGNORE_INDEX))), known)


def _masked(image: Raster, top: int, classes: np.ndarray) -> np.ndarray:
    return np.where(image.known(top, top + len(classes)), classes, np.uint8(IGNORE_INDEX))


def _classes(
    maker: MaskMaker, image: Raster, target: Path, tell: Callable[[int, int], None]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first row, class indices uint8 (rows, W)), and write probabilities beside the mask where asked for."""
    asked = maker.options.probabilities
    with atomic_path(target.with_suffix(".npy")) if asked else nullcontext() as temporary:
        probabilities: np.ndarray | None = None
        if temporary is not None:
            shape = (len(maker.palette.classes), image.height, image.width)
            probabilities = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float16, shape=shape)
        for top, band in maker.bands(image):
            if probabilities is not None:
                probabilities[:, top : top + band.shape[1]] = band
            classes = _most_probable(band)
            del band  # while the next one is made; of an image 20,000 pixels wide it has 180 MB
            yield top, classes
            if top + len(classes) < image.height:
                # Blocks of many sizes leave gaps: of 20,000 rows of as many pixels 0.9 GB.
                release_freed_memory()
            tell(top + len(classes), image.height)


def _most_probable(band: np.ndarray) -> np.ndarray:
    """Return class indices uint8 (rows, W) of (K, rows, W), a few rows at a time: argmax copies what it is given."""
    pieces = [band[:, top : top + ROWS].argmax(axis=0).astype(np.uint8) for top in range(0, band.shape[1], ROWS)]
    return np.concatenate(pieces)
