"""GeoTIFF in and out by rows: images of any size at constant memory, the georeference kept. Needs the extra `geo`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sightline.data.images.quiet import quiet
from sightline.data.images.reading import SAMPLE, Raster, Reading, Values, is_transparency, unsaid
from sightline.errors import DataError, NotAvailable
from sightline.files.atomic import atomic_path
from sightline.files.places import is_plain, open_place

SUFFIXES = frozenset({".tif", ".tiff"})
BLOCK = 256  # pixels: side of the blocks of what is written, GDAL's default for tiled files
CACHE = 64 * 1024 * 1024  # bytes that GDAL may keep of blocks; its default is 5 % of the machine's memory


def is_geotiff(path: Path) -> bool:
    """Return whether a file's name says TIFF; whether there is a georeference in it shows when it is opened."""
    return path.suffix.lower() in SUFFIXES


def is_tiff(path: Path) -> bool:
    """Return whether a file's first bytes are a TIFF's, classic or big, of either byte order."""
    with open_place(path) as file:
        return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def rasterio_is_here() -> bool:
    """Return whether rasterio can be imported."""
    try:
        import rasterio  # noqa: F401
    except ImportError:
        return False
    return True


class TiffRaster(Raster):
    """An open TIFF, read by rows; see `open_raster`."""

    def __init__(self, file: Any, path: Path, reading: Reading) -> None:
        from rasterio.enums import ColorInterp, MaskFlags

        self._file, self._path = file, path
        self._structure: dict[str, str] = file.tags(ns="IMAGE_STRUCTURE") | file.tags(1, ns="IMAGE_STRUCTURE")
        self._colors = _color_table(file)
        names = list(file.colorinterp)
        claimed = next((i for i, name in enumerate(names, 1) if name == ColorInterp.alpha), None)
        kind = np.dtype(np.uint8 if self._colors is not None else file.dtypes[0])
        believed = claimed and is_transparency(_sampled(file, [claimed])[0])
        # A band that is asked for is a band.
        self._clear = claimed if believed and claimed not in (reading.bands or ()) else None
        of_colors = 3 if self._colors is not None else file.count - (self._clear is not None)
        super().__init__(file.height, file.width, of_colors, kind, reading)
        if claimed and not believed:
            self.remarks.append(
                f"its band {claimed} is called transparency in the file and holds a picture; it is taken for a band"
            )
        flags = file.mask_flag_enums[0]
        self._masked = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
        self._nodata = tuple(file.nodatavals)
        self.holey = bool(
            self._clear or self._masked or kind.kind in "fi" or any(value is not None for value in self._nodata)
        )
        if file.crs is not None or not file.transform.is_identity:
            self.georeference = {"crs": file.crs, "transform": file.transform}

    def _read(self, bands: list[int], top: int, bottom: int) -> Values:
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        try:
            return self._values(bands, {"window": Window(0, top, self.width, bottom - top)})  # pyright: ignore[reportCallIssue]
        except RasterioError as error:
            raise DataError(
                f"{self._path}: rows {top} to {bottom} cannot be read ({error}); copy the file again"
            ) from None

    def _some(self, bands: list[int]) -> Values:
        from rasterio.errors import RasterioError

        try:
            return self._values(bands, {"out_shape": _few(self._file)})
        except RasterioError as error:
            raise DataError(f"{self._path}: cannot be read ({error}); copy the file again") from None

    def _values(self, bands: list[int], where: dict[str, Any]) -> Values:
        stored = [1] if self._colors is not None else bands
        numbers = self._file.read(stored, **where).transpose(1, 2, 0)
        known = unsaid(numbers, [self._nodata[band - 1] for band in stored])
        if self._masked:
            mask = self._file.read_masks(1, **where)[..., None] > 0
            known = np.broadcast_to(mask, numbers.shape) if known is None else known & mask
        if self._colors is not None:
            numbers = self._colors[np.minimum(numbers[..., 0], len(self._colors) - 1)][
                ..., [band - 1 for band in bands]
            ]
            known = None if known is None else np.broadcast_to(known, numbers.shape)
        elif numbers.dtype == np.uint8 and "NBITS" in self._structure:
            numbers = numbers * np.uint8(255 // (2 ** int(self._structure["NBITS"]) - 1))
        if self._colors is None and self._structure.get("MINISWHITE") == "YES" and numbers.dtype.kind == "u":
            numbers = np.iinfo(numbers.dtype).max - numbers
        return Values(numbers, known)

    def _alpha(self, top: int, bottom: int) -> np.ndarray | None:
        if self._clear is None:
            return None
        from rasterio.windows import Window

        band = self._file.read(self._clear, window=Window(0, top, self.width, bottom - top))  # pyright: ignore[reportCallIssue]
        full = np.iinfo(band.dtype).max if band.dtype.kind in "iu" else 1
        return band if band.dtype == np.uint8 else (band.clip(0, full) * (255 / full)).astype(np.uint8)


def _color_table(file: Any) -> np.ndarray | None:
    from rasterio.enums import ColorInterp

    if file.colorinterp[0] != ColorInterp.palette or file.dtypes[0] not in ("uint8", "uint16"):
        return None
    table = file.colormap(1)
    return np.array([table.get(i, (0, 0, 0, 0))[:3] for i in range(max(256, max(table) + 1))], np.uint8)


def _few(file: Any) -> tuple[int, int]:
    """Return the rows and columns of a sample."""
    return -(-file.height // max(1, file.height // SAMPLE)), -(-file.width // max(1, file.width // SAMPLE))


def _sampled(file: Any, bands: list[int]) -> np.ndarray:
    return file.read(bands, out_shape=(len(bands), *_few(file)))


@contextmanager
def open_raster(path: Path, reading: Reading | None = None) -> Iterator[Raster]:
    """Open a GeoTIFF, or a TIFF without a georeference, by GDAL's reader of TIFFs alone, whatever the file's name.

    Args:
        path: of the file.
        reading: which bands, and which values are black and white; by default as the file and its numbers say.

    Raises:
        NotAvailable: rasterio is not installed.
        DataError: missing, damaged, of numbers that are not real, or without the bands asked for.
    """
    rasterio = _rasterio(path)
    from rasterio.errors import RasterioError

    # One driver: a VRT that is called a TIFF could name any file of the machine.
    with rasterio.Env(GDAL_CACHEMAX=CACHE):
        try:
            with quiet():
                file = rasterio.open(path if is_plain(path) else open_place(path), driver="GTiff")
        except RasterioError as error:
            raise DataError(f"{path}: cannot be read as a TIFF ({error})") from None
        with file:
            try:
                raster = TiffRaster(file, path, reading or Reading())
            except RasterioError as error:
                raise DataError(f"{path}: cannot be read as a TIFF ({error})") from None
            except DataError as error:
                raise DataError(f"{path}: {error}") from None
            yield raster


class RasterWriter:
    """Writes a GeoTIFF of masks from the top down, in whole blocks, deflated; see `write_raster`."""

    def __init__(self, file: Any, width: int, masked: bool) -> None:
        self._file, self._width, self._masked = file, width, masked
        self._waiting, self._row = np.empty((0, width, file.count), file.dtypes[0]), 0
        self._known = np.empty((0, width), bool)

    def append(self, rows: np.ndarray, known: np.ndarray | None = None) -> None:
        """Add rows. A compressed block is written once, so rows wait until they fill one.

        Args:
            rows: to add, (rows, W, 3) or (rows, W).
            known: where they hold data, bool (rows, W); None: everywhere.
        """
        self._waiting = np.concatenate([self._waiting, rows.reshape(len(rows), self._width, -1)])
        self._known = np.concatenate([self._known, np.ones(rows.shape[:2], bool) if known is None else known])
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
        if self._masked:
            self._file.write_mask(self._known[:count].astype(np.uint8) * 255, window=window)
        self._waiting, self._known = self._waiting[count:].copy(), self._known[count:].copy()
        self._row += count


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
    nodata: int | None = None,
    masked: bool = False,
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
        nodata: value of all bands that the file says is no data; None says none.
        masked: whether the file gets a mask of where it holds data: for colors of which none can be given up.

    Raises:
        NotAvailable: rasterio is not installed.
    """
    rasterio = _rasterio(path)
    profile: dict[str, Any] = {"driver": "GTiff", "count": bands, "dtype": kind, "BIGTIFF": "IF_SAFER"}
    profile |= {"photometric": "RGB"} if bands == 3 else {}
    profile |= {"compress": "deflate", "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "interleave": "pixel"}
    with (
        rasterio.Env(GDAL_CACHEMAX=CACHE, GDAL_TIFF_INTERNAL_MASK=True),
        atomic_path(path) as temporary,
    ):
        with quiet():
            file = rasterio.open(temporary, "w", height=height, width=width, nodata=nodata, **profile, **georeference)
        with file:
            if colormap:
                file.write_colormap(1, colormap)
            if description:
                file.update_tags(TIFFTAG_IMAGEDESCRIPTION=description)
            writer = RasterWriter(file, width, masked)
            yield writer
            writer.close()


def _rasterio(path: Path) -> Any:
    try:
        import rasterio
    except ImportError:
        raise NotAvailable(f"{path}: a GeoTIFF needs rasterio: install sightline[geo], or save it as PNG") from None
    return rasterio
