"""One loader for every image: whatever is in the file, uint8 RGB comes out, upright, or a named reason why not."""

from __future__ import annotations

import errno
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from sightline.data.images.geotiff import is_geotiff, open_raster
from sightline.errors import DataError, NotAvailable

# What photographs and scenes come in and Pillow decodes by itself; documents, icons and vector formats are left out.
IMAGE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo", ".pbm", ".pgm", ".png", ".pnm"}
    | {".ppm", ".tga", ".tif", ".tiff", ".webp"}
)
# Numbers of the errors that a damaged file itself can cause, by an offset that leads nowhere, or a folder of that name;
# None has the error that Pillow raises by itself.
_OF_THE_FILE = frozenset({None, errno.EINVAL, errno.EISDIR, errno.EOVERFLOW})
# Of phones; Pillow reads them with the extra `heic`.
HEIC_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
# Where Pillow itself refuses to go on (twice its warning's threshold): 13,377 × 13,377. A larger file is refused by its
# header alone, before a byte of it is decompressed.
MAX_PIXELS = 178_956_970


class UnreadableImage(DataError):
    """A file that cannot be decoded to a complete image.

    Attributes:
        path: of the file.
        reason: why, without the path.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


class _Quiet:
    """Silences warnings while any thread decodes.

    `warnings.catch_warnings` alone is no help: it swaps a list that all threads share, so that the first thread to
    leave switches the warnings of the others back on, and the last one may leave them off for good.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._filters = warnings.catch_warnings()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore")
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._filters.__exit__(None, None, None)


_quiet = _Quiet()


def decode(path: Path, *, at_least: int | None = None) -> np.ndarray:
    """Return the image of `path`, uint8 (H, W, 3), RGB, upright by its EXIF orientation.

    Grey is repeated, CMYK converted, 16 bits scaled to 8, palettes looked up, transparency laid on white; of an
    animation, the first frame. Safe to call from several threads.

    Args:
        path: the file.
        at_least: a shorter side, in pixels, that is enough: a JPEG is then decoded at a half, quarter or eighth of its
            size where that still reaches it, which saves most of the time.

    Raises:
        UnreadableImage: missing, truncated, no image, or more than MAX_PIXELS pixels.
        DataError: the file cannot be read now, for example for want of a permission: no damage to be remembered.
    """
    try:
        with _quiet(), _opened(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UnreadableImage(path, _too_large(image.width * image.height))
            if at_least is not None and image.format in ("JPEG", "MPO"):
                image.draft("RGB", (at_least, at_least))
            image.load()
            return _rgb(_upright(image))
    except (UnreadableImage, MemoryError):  # the second says nothing about the file
        raise
    except FileNotFoundError:
        raise UnreadableImage(path, "no such file") from None
    except UnidentifiedImageError:
        if is_geotiff(path) and path.stat().st_size:
            return _by_rasterio(path)
        reason = "empty file" if path.stat().st_size == 0 else "not an image, or of a format that is not known"
        raise UnreadableImage(path, reason) from None
    except Image.DecompressionBombError as error:
        raise UnreadableImage(path, _too_large(None) + f" ({error})") from None
    except Exception as error:  # Pillow's parsers meet a damaged file with nearly any exception there is
        _refuse_trouble(path, error)
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise UnreadableImage(path, f"damaged: {reason}") from None


def _opened(path: Path, formats: list[str] | None = None) -> Image.Image:
    """Open a file by its header; HEIC by the extra `heic`, which Pillow is told of here."""
    if path.suffix.lower() in HEIC_SUFFIXES:
        _know_heic(path)
    return Image.open(path, formats=formats)


@cache
def _register_heic() -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()


def _know_heic(path: Path) -> None:
    try:
        _register_heic()
    except ImportError:
        raise UnreadableImage(path, "a HEIC image; install sightline[heic], or save it as JPEG") from None


def _refuse_trouble(path: Path, error: Exception) -> None:
    """Raise where the system, not the file, says no: Pillow's own OSErrors of damaged files have no number."""
    if isinstance(error, OSError) and error.errno not in _OF_THE_FILE:
        raise DataError(
            f"{path}: cannot be read now ({error.strerror}); allow it to be read, or see to the drive, and start again"
        ) from None


def _by_rasterio(path: Path) -> np.ndarray:
    """Read a TIFF of a kind that Pillow does not know: 16 bits a channel, many bands."""
    try:
        with open_raster(path) as raster:
            if raster.width * raster.height > MAX_PIXELS:
                raise UnreadableImage(path, _too_large(raster.width * raster.height))
            return raster.rows(0, raster.height)
    except NotAvailable:
        raise UnreadableImage(
            path, "not an image that Pillow knows; if it is a GeoTIFF, install sightline[geo]"
        ) from None
    except UnreadableImage:
        raise
    except DataError as error:
        raise UnreadableImage(path, str(error).removeprefix(f"{path}: ")) from None


def _too_large(pixels: int | None) -> str:
    size = "" if pixels is None else f"{pixels:,} pixels, "
    return f"{size}over the limit of {MAX_PIXELS:,} pixels; a decompression bomb, or a mosaic to be cut into tiles"


def _upright(image: Image.Image) -> Image.Image:
    """Turn by the EXIF orientation; a damaged EXIF block says nothing about the pixels, so they stay as stored."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # the same parsers, on the same kind of damage
        return image


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith(("I", "F")):
        return np.repeat(_eight_bits(np.asarray(image))[:, :, None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    """Scale 16-bit integers by 257, and floats, which may have any range, from their own range."""
    if np.issubdtype(pixels.dtype, np.integer):
        return (np.clip(pixels, 0, 65535) // 257).astype(np.uint8)
    finite = pixels[np.isfinite(pixels)]
    if not finite.size:
        return np.zeros(pixels.shape, np.uint8)
    low, high = float(finite.min()), float(finite.max())
    known = np.nan_to_num(pixels, nan=low, posinf=high, neginf=low)
    return ((known - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)


def shrink(pixels: np.ndarray, shorter: int) -> np.ndarray:
    """Return the image with its shorter side at most `shorter` pixels, aspect kept; never enlarged."""
    height, width = pixels.shape[:2]
    factor = shorter / min(height, width)
    if factor >= 1:
        return pixels
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def image_size(path: Path, formats: tuple[str, ...] | None = None) -> tuple[int, int]:
    """Return the width and height that a file's header states, before any turn by EXIF; no pixel is decoded.

    Args:
        path: the file.
        formats: Pillow's names of those that will do; None takes all that Pillow reads.

    Raises:
        UnreadableImage: missing, no image, of another format, or more than MAX_PIXELS pixels.
    """
    try:
        with _quiet(), _opened(path, None if formats is None else list(formats)) as image:
            width, height = image.size
    except FileNotFoundError:
        raise UnreadableImage(path, "no such file") from None
    except UnidentifiedImageError:
        raise UnreadableImage(path, "not an image, or of a format that is not known") from None
    except Image.DecompressionBombError as error:
        raise UnreadableImage(path, _too_large(None) + f" ({error})") from None
    except MemoryError:  # says nothing about the file
        raise
    except Exception as error:  # as in `decode`
        _refuse_trouble(path, error)
        raise UnreadableImage(path, f"damaged: {str(error).strip() or type(error).__name__}") from None
    if width * height > MAX_PIXELS:
        raise UnreadableImage(path, _too_large(width * height))
    return width, height
