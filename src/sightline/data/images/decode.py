"""One loader for every image: whatever is in the file, uint8 comes out, upright, or a named reason why not."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from sightline.data.images.geotiff import is_tiff, open_raster, rasterio_is_here
from sightline.data.images.quiet import quiet
from sightline.data.images.reading import COLORS, ArrayRaster, Raster, Reading, is_transparency
from sightline.errors import ConfigError, DataError, NotAvailable, Unreachable
from sightline.files.places import is_plain, open_place, read_place, status_of

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
_ORIENTATION, _BITS, _GEO_KEYS = 0x0112, 258, 34735  # tags of TIFF and EXIF, and of GeoTIFF


# Of a TIFF that GDAL is to read it would print what it does not know.
logging.getLogger("PIL").addHandler(logging.NullHandler())


class UnreadableImage(DataError):
    """A file that cannot be decoded to a complete image.

    Attributes:
        path: of the file.
        reason: why, without the path.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


def decode(path: Path, *, reading: Reading | None = None, at_least: int | None = None) -> np.ndarray:
    """Return the image of `path`, uint8 (H, W, C), upright by its EXIF orientation; RGB where no bands are chosen.

    Gray is repeated, CMYK and LAB are converted, palettes looked up, transparency laid on white; more than 8 bits and
    floats are scaled as `reading` says; of an animation or of several pages, the first. Safe to call from several
    threads.

    Args:
        path: the file.
        reading: which bands, and which values are black and white; by default as the file and its numbers say.
        at_least: a shorter side, in pixels, that is enough: a JPEG is then decoded at a half, quarter or eighth of its
            size where that still reaches it, which saves most of the time.

    Raises:
        UnreadableImage: missing, truncated, no image, more than MAX_PIXELS pixels, or without the bands asked for.
        DataError: the file cannot be read now, for example for want of a permission: no damage to be remembered.
    """
    with open_image(path, reading, at_least=at_least) as image:
        if image.height * image.width > MAX_PIXELS:
            raise UnreadableImage(path, _too_large(image.height * image.width))
        try:
            return image.rows(0, image.height)
        except DataError as error:
            raise _unreadable(path, error) from None


@contextmanager
def open_image(path: Path, reading: Reading | None = None, *, at_least: int | None = None) -> Iterator[Raster]:
    """Open an image of any format by rows: TIFFs are read as they are asked for, others are decoded at once.

    Args:
        path: the file.
        reading: as of `decode`.
        at_least: likewise.

    Raises:
        UnreadableImage: as of `decode`; a TIFF may have any number of pixels.
    """
    with ExitStack() as stack:
        image = _decoded(path, reading or Reading(), at_least)
        if image is None:
            try:
                image = stack.enter_context(open_raster(path, reading))
            except Unreachable:
                raise
            except NotAvailable:
                raise UnreadableImage(
                    path, "not an image that Pillow knows; if it is a GeoTIFF, install sightline[geo]"
                ) from None
            except DataError as error:
                raise _unreadable(path, error) from None
        yield image


def _unreadable(path: Path, error: DataError) -> UnreadableImage:
    return UnreadableImage(path, str(error).removeprefix(f"{path}: "))


def _decoded(path: Path, reading: Reading, at_least: int | None) -> Raster | None:
    """Return an image in memory; None for a TIFF that GDAL is to read."""
    try:
        with quiet(), opened(path) as image:
            if image.format == "TIFF" and _for_rasterio(image):
                return None
            if image.width * image.height > MAX_PIXELS:
                raise UnreadableImage(path, _too_large(image.width * image.height))
            if at_least is not None and image.format in ("JPEG", "MPO"):
                image.draft("RGB", (at_least, at_least))
            image.load()
            return _in_memory(path, image, reading)
    except (UnreadableImage, Unreachable, ConfigError, MemoryError):  # but for the first, these say nothing of the file
        raise
    except FileNotFoundError:
        raise UnreadableImage(path, "no such file") from None
    except UnidentifiedImageError:
        if is_tiff(path):
            return None
        reason = "empty file" if status_of(path).size == 0 else "not an image, or of a format that is not known"
        raise UnreadableImage(path, reason) from None
    except Image.DecompressionBombError as error:
        if is_tiff(path) and rasterio_is_here():
            return None  # by rows it may be as large as it likes
        raise UnreadableImage(path, _too_large(None) + f" ({error})") from None
    except DataError as error:
        raise _unreadable(path, error) from None
    except Exception as error:  # Pillow's parsers meet a damaged file with nearly any exception there is
        refuse_trouble(path, error)
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise UnreadableImage(path, f"damaged: {reason}") from None


def _for_rasterio(image: Image.Image) -> bool:
    """Return whether GDAL is to read a TIFF: where it is installed, all but what it knows nothing of.

    That is the EXIF orientation, unless the file has a place on the earth, and the colors of LAB.
    """
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})
    turned = tags.get(_ORIENTATION, 1) not in (0, 1) and _GEO_KEYS not in tags
    if image.mode in ("RGB", "RGBA") and max(tags.get(_BITS, (8,))) > 8:
        return True  # also where it is not installed: Pillow would cut the numbers to 8 bits without a word
    return rasterio_is_here() and not turned and image.mode != "LAB"


def _in_memory(path: Path, image: Image.Image, reading: Reading) -> Raster:
    deep = _deep_colors(path, image)
    if deep is not None:
        return ArrayRaster(deep[..., :COLORS], reading, None if deep.shape[2] == COLORS else _upper(deep[..., COLORS]))
    image = _upright(image)
    if image.mode.startswith(("I", "F")):
        return ArrayRaster(np.asarray(image)[..., None], reading)
    if image.mode == "LAB":
        image = ImageCms.applyTransform(image, _lab_to_rgb()) or image
    if image.mode in ("L", "1") and "transparency" not in image.info:
        return ArrayRaster(np.array(image.convert("L"))[..., None], reading)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return _with_transparency(np.array(image.convert("RGBA")), image, reading)
    return ArrayRaster(np.array(image.convert("RGB")), reading)


def _with_transparency(pixels: np.ndarray, image: Image.Image, reading: Reading) -> Raster:
    """Take the fourth channel for transparency, unless it is asked for, or a TIFF calls a picture so."""
    gray = image.mode in ("LA", "La")
    colors, alpha = pixels[..., : 1 if gray else COLORS], pixels[..., COLORS]
    asked = reading.bands is not None and max(reading.bands) == colors.shape[2] + 1
    if asked or (image.format == "TIFF" and not is_transparency(alpha)):
        return ArrayRaster(np.dstack([colors, alpha]), reading)
    return ArrayRaster(colors, reading, alpha)


def _deep_colors(path: Path, image: Image.Image) -> np.ndarray | None:
    """Return 16-bit colors, uint16 (H, W, 3 or 4), which Pillow cuts to 8 bits without a word; None of any other image.

    Pillow has read the whole file by then, so that none that is cut short comes here: OpenCV takes those silently.
    """
    if image.format not in ("PNG", "PPM") or image.mode not in ("LA", "RGB", "RGBA"):
        return None
    with open_place(path) as file:
        head = file.read(26)
    if image.format == "PNG" and head[24] != 16:
        return None
    pixels = cv2.imdecode(np.frombuffer(read_place(path), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[:2] != image.size[::-1]:
        return None
    return np.ascontiguousarray(pixels[..., [2, 1, 0, 3][: pixels.shape[2]]])


def _upper(alpha: np.ndarray) -> np.ndarray:
    return (alpha // 257).astype(np.uint8)


@cache
def _lab_to_rgb() -> ImageCms.ImageCmsTransform:
    profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(*profiles, "LAB", "RGB")


def opened(path: Path, formats: list[str] | None = None) -> Image.Image:
    """Open a file by its header; HEIC by the extra `heic`, which Pillow is told of here."""
    if path.suffix.lower() in HEIC_SUFFIXES:
        _know_heic(path)
    return Image.open(path if is_plain(path) else open_place(path), formats=formats)


@cache
def _register_heic() -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()


def _know_heic(path: Path) -> None:
    try:
        _register_heic()
    except ImportError:
        raise UnreadableImage(path, "a HEIC image; install sightline[heic], or save it as JPEG") from None


def refuse_trouble(path: Path, error: Exception) -> None:
    """Raise where the system, not the file, says no: Pillow's own OSErrors of damaged files have no number."""
    if isinstance(error, OSError) and error.errno not in _OF_THE_FILE:
        raise DataError(
            f"{path}: cannot be read now ({error.strerror}); allow it to be read, or see to the drive, and start again"
        ) from None


def _too_large(pixels: int | None) -> str:
    size = "" if pixels is None else f"{pixels:,} pixels, "
    return f"{size}over the limit of {MAX_PIXELS:,} pixels; a decompression bomb, or a mosaic to be cut into tiles"


def _upright(image: Image.Image) -> Image.Image:
    """Turn by the EXIF orientation; a damaged EXIF block says nothing about the pixels, so they stay as stored."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # the same parsers, on the same kind of damage
        return image


def shrink(pixels: np.ndarray, shorter: int) -> np.ndarray:
    """Return the image with its shorter side at most `shorter` pixels, aspect kept; never enlarged."""
    height, width = pixels.shape[:2]
    factor = shorter / min(height, width)
    if factor >= 1:
        return pixels
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    # OpenCV takes four channels at most, and drops the axis of a single one.
    parts = [pixels[..., i : i + 4] for i in range(0, pixels.shape[2], 4)] if pixels.ndim == 3 else [pixels]
    small = [cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in parts]
    return small[0] if len(small) == 1 and small[0].ndim == pixels.ndim else np.dstack(small)


def image_size(path: Path, formats: tuple[str, ...] | None = None) -> tuple[int, int]:
    """Return the width and height that a file's header states, before any turn by EXIF; no pixel is decoded.

    Args:
        path: the file.
        formats: Pillow's names of those that will do; None takes all that Pillow reads.

    Raises:
        UnreadableImage: missing, no image, of another format, or more than MAX_PIXELS pixels.
    """
    try:
        with quiet(), opened(path, None if formats is None else list(formats)) as image:
            width, height = image.size
    except FileNotFoundError:
        raise UnreadableImage(path, "no such file") from None
    except UnidentifiedImageError:
        if not is_tiff(path):
            raise UnreadableImage(path, "not an image, or of a format that is not known") from None
        with open_image(path) as raster:
            width, height = raster.width, raster.height
    except Image.DecompressionBombError as error:
        raise UnreadableImage(path, _too_large(None) + f" ({error})") from None
    except (Unreachable, MemoryError):  # says nothing about the file
        raise
    except Exception as error:  # as in `decode`
        refuse_trouble(path, error)
        raise UnreadableImage(path, f"damaged: {str(error).strip() or type(error).__name__}") from None
    if width * height > MAX_PIXELS:
        raise UnreadableImage(path, _too_large(width * height))
    return width, height
