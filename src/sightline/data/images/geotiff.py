"""GeoTIFF in and out by rows: images of any size at constant memory, the georeference kept. Needs the extra `geo`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import DataError, NotAvailable
from sightline.files.atomic import atomic_path

SUFFIXES = frozenset({".tif", ".tiff"})
BLOCK = 256  # pixels: side of the blocks of what is written, GDAL's default for tiled files
CACHE = 64 * 1024 * 1024  # bytes that GDAL may keep of blocks; its default is 5 % of the machine's memory


def is_geotiff(path: Path) -> bool:
    """Return whether a file's name says TIFF; whether there is a georeference in it shows when it is opened."""
    return path.suffix.lower() in SUFFIXES


@dataclass
class Raster:
    """An open raster, read by rows.

    Attributes:
        height: in pixels.
        width: likewise.
        georeference: crs and transform, as rasterio takes them for a new file; without a georeference {}.
    """

    height: int
    width: int
    georeference: dict[str, Any]
    _file: Any = field(repr=False)
    _path: Path = field(repr=False)
    _colors: np.ndarray | None = field(repr=False)
    _held: tuple[int, int, np.ndarray] | None = field(default=None, repr=False)

    def rows(self, top: int, bottom: int) -> np.ndarray:
        """Return rows top to bottom, uint8 (rows, W, 3): of many bands the first three, of 16 bits the upper eight.

        The rows last read are kept, so that windows side by side read the file once.

        Raises:
            DataError: the file is damaged there.
        """
        if self._held is None or self._held[:2] != (top, bottom):
            self._held = None  # before the next is read: only one is in memory
            bands = [1, 2, 3] if self._file.count >= 3 else [1]
            self._held = top, bottom, self._eight_bits(self._read(bands, top, bottom))
        return self._held[2]

    def known(self, top: int, bottom: int) -> np.ndarray:
        """Return where the file holds data, bool (rows, W): False where its nodata value or mask says so."""
        from rasterio.windows import Window

        return self._file.dataset_mask(window=Window(0, top, self.width, bottom - top)) > 0  # pyright: ignore[reportCallIssue]

    def _read(self, bands: list[int], top: int, bottom: int) -> np.ndarray:
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        try:
            return self._file.read(bands, window=Window(0, top, self.width, bottom - top))  # pyright: ignore[reportCallIssue]
        except RasterioError as error:
            raise DataError(
                f"{self._path}: rows {top} to {bottom} cannot be read ({error}); copy the file again"
            ) from None

    def _eight_bits(self, planes: np.ndarray) -> np.ndarray:
        if self._colors is not None:
            return self._colors[planes[0]]
        if planes.dtype == np.uint16:
            planes = (planes // 257).astype(np.uint8)
        return np.ascontiguousarray(
            np.repeat(planes, 3, axis=0).transpose(1, 2, 0) if len(planes) == 1 else planes.transpose(1, 2, 0)
        )


@contextmanager
def open_raster(path: Path) -> Iterator[Raster]:
    """Open a GeoTIFF, or a TIFF without a georeference.

    Raises:
        NotAvailable: rasterio is not installed.
        DataError: missing, damaged, or of numbers that have no obvious 8 bits.
    """
    rasterio = _rasterio(path)
    from rasterio.enums import ColorInterp
    from rasterio.errors import RasterioError

    with rasterio.Env(GDAL_CACHEMAX=CACHE):
        try:
            with _no_georeference_is_fine():
                file = rasterio.open(path)
        except RasterioError as error:
            raise DataError(f"{path}: cannot be read as a TIFF ({error})") from None
        with file:
            kind = file.dtypes[0]
            if kind not in ("uint8", "uint16"):
                raise DataError(
                    f"{path}: holds {kind}, and images are of 8 or 16 bits without a sign; "
                    "convert it: gdal_translate -ot Byte -scale IN OUT"
                )
            colors = None
            if file.colorinterp[0] == ColorInterp.palette and kind == "uint8":
                table = file.colormap(1)
                colors = np.array([table.get(i, (0, 0, 0, 0))[:3] for i in range(256)], np.uint8)
            named = (
                {}
                if file.crs is None and file.transform.is_identity
                else {"crs": file.crs, "transform": file.transform}
            )
            yield Raster(file.height, file.width, named, file, path, colors)


class RasterWriter:
    """Writes a GeoTIFF of masks from the top down, in whole blocks, deflated; see `write_raster`."""

    def __init__(self, file: Any, width: int) -> None:
        self._file, self._width = file, width
        self._waiting, self._row = np.empty((0, width, file.count), file.dtypes[0]), 0

    def append(self, rows: np.ndarray) -> None:
        """Add rows, (rows, W, 3) or (rows, W). A compressed block is written once, so rows wait until they fill one."""
        self._waiting = np.concatenate([self._waiting, rows.reshape(len(rows), self._width, -1)])
        whole = len(self._waiting) // BLOCK * BLOCK
        if whole:
            self._write(whole)

    def close(self) -> None:
        """Write the remaining rows."""
        if len(self._waiting):
            self._write(len(self._waiting))

    def _write(self, count: int) -> None:
        from rasterio.windows import Window

        window = Window(0, self._row, self._width, count)  # pyright: ignore[reportCallIssue]
        self._file.write(self._waiting[:count].transpose(2, 0, 1), window=window)
        self._waiting, self._row = self._waiting[count:].copy(), self._row + count


@contextmanager
def write_raster(
    path: Path,
    height: int,
    width: int,
    georeference: dict[str, Any],
    *,
    bands: int = 3,
    kind: str = "uint8",
    colormap: dict[int, tuple[int, int, int, int]] | None = None,
    description: str = "",
) -> Iterator[RasterWriter]:
    """Write a GeoTIFF of colors, or of one band of values; it takes the name `path` once it is whole.

    Args:
        path: to write.
        height: in pixels.
        width: likewise.
        georeference: of `Raster`.
        bands: 3 of colors, 1 of values.
        kind: NumPy's name of the numbers.
        colormap: RGBA of each value.
        description: text of the file.

    Raises:
        NotAvailable: rasterio is not installed.
    """
    rasterio = _rasterio(path)
    profile: dict[str, Any] = {"driver": "GTiff", "count": bands, "dtype": kind, "BIGTIFF": "IF_SAFER"}
    profile |= {"photometric": "RGB"} if bands == 3 else {}
    profile |= {"compress": "deflate", "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "interleave": "pixel"}
    with (
        rasterio.Env(GDAL_CACHEMAX=CACHE),
        atomic_path(path) as temporary,
        _no_georeference_is_fine(),
        rasterio.open(temporary, "w", height=height, width=width, **profile, **georeference) as file,
    ):
        if colormap:
            file.write_colormap(1, colormap)
        if description:
            file.update_tags(TIFFTAG_IMAGEDESCRIPTION=description)
        writer = RasterWriter(file, width)
        yield writer
        writer.close()


def _rasterio(path: Path) -> Any:
    try:
        import rasterio
    except ImportError:
        raise NotAvailable(f"{path}: a GeoTIFF needs rasterio: install sightline[geo], or save it as PNG") from None
    return rasterio


@contextmanager
def _no_georeference_is_fine() -> Iterator[None]:
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield
