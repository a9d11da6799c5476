"""A mask as its file holds it: one plane of values or of colors, upright, and nothing blended or scaled."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from sightline.data.images.decode import MAX_PIXELS, UnreadableImage, open_image, opened, refuse_trouble
from sightline.data.images.geotiff import is_tiff
from sightline.data.images.quiet import quiet
from sightline.data.masks.palette import NO_KEY
from sightline.errors import NotAvailable

# The text chunk of a PNG, and the item of a TIFF's description, in which a mask of Sightline's own says its palette.
CHUNK = "sightline.palette"
LOSSY = frozenset({"JPEG", "MPO", "JPEG2000"})
_GDAL_NODATA, _DESCRIPTION, _SUBFILE, _IS_MASK = 42113, 270, 254, 4


@dataclass(frozen=True)
class Plane:
    """One mask.

    Attributes:
        pixels: bool (H, W) of one bit; uint8 or int64 (H, W) of values; uint8 (H, W, 3) of colors.
        table: uint8 (256, 3), the colors of a palette file, whose `pixels` are its indices; else None.
        lossy: the file's format changes pixels.
        nodata: the value that the file declares to be none, else None.
        described: the palette that the file itself states, as JSON; "" for none.
    """

    pixels: np.ndarray
    table: np.ndarray | None = None
    lossy: bool = False
    nodata: int | None = None
    described: str = ""


def read_plane(path: Path) -> Plane:
    """Read a mask.

    Gray in three channels becomes values; an opaque alpha channel is left out, and one that alone tells the object from
    the rest is the mask. Float values must be whole numbers. Turned by its EXIF orientation, as images are.

    Raises:
        UnreadableImage: missing, damaged, no image, or pixels of no certain meaning.
    """
    try:
        with quiet(), opened(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UnreadableImage(path, f"{image.width * image.height:,} pixels, over the limit of {MAX_PIXELS:,}")
            _one_picture(path, image)
            image.load()
            nodata, described = _nodata(image), _described(image)
            lossy = image.format in LOSSY
            pixels, table = _pixels(path, ImageOps.exif_transpose(image))
    except (UnreadableImage, MemoryError):  # the second says nothing about the file
        raise
    except FileNotFoundError:
        raise UnreadableImage(path, "no such file") from None
    except UnidentifiedImageError:
        if is_tiff(path):
            return _by_rasterio(path)
        reason = "empty file" if path.is_file() and not path.stat().st_size else "not an image of a known format"
        raise UnreadableImage(path, reason) from None
    except Exception as error:  # Pillow's parsers meet a damaged file with nearly any exception there is
        refuse_trouble(path, error)
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise UnreadableImage(path, f"damaged: {reason}") from None
    return Plane(pixels, table, lossy, nodata, described)


def size_of(path: Path) -> tuple[int, int]:
    """Return height and width of an image as `decode` would give it, from its header.

    Raises:
        UnreadableImage: missing, or no image.
    """
    try:
        with quiet(), opened(path) as image:
            tiff, (width, height) = image.format == "TIFF", image.size
            turned = not tiff and image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except (UnidentifiedImageError, Image.DecompressionBombError):
        tiff, turned, width, height = True, False, 0, 0
    except UnreadableImage:
        raise
    except Exception as error:  # as above
        refuse_trouble(path, error)
        raise UnreadableImage(path, f"damaged: {error}") from None
    if tiff:  # whether it is turned is for its reader to say
        with open_image(path) as raster:
            return raster.height, raster.width
    return (width, height) if turned else (height, width)


def _one_picture(path: Path, image: Image.Image) -> None:
    """Refuse stacks; a TIFF's smaller copies of its first picture are none, nor is its mask of where there is data."""
    if image.format != "TIFF" and getattr(image, "n_frames", 1) < 2:
        return
    with opened(path) as other:  # for Pillow gives up where it meets a TIFF's mask of one bit
        try:
            other.seek(1)
        except EOFError:
            return
        except SyntaxError:
            pass  # its tags are read by then
        tags: Any = getattr(other, "tag_v2", {})
        if other.size == image.size and not tags.get(_SUBFILE, 0) & _IS_MASK:
            count = getattr(other, "n_frames", 2)
            raise UnreadableImage(path, f"holds {count} pictures; a mask is one, save it alone")


def _pixels(path: Path, image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    mode = image.mode
    if mode in ("1", "L"):
        return np.asarray(image), None
    if mode == "P":
        table = np.zeros((256, 3), np.uint8)
        colors = np.frombuffer(bytes(image.getpalette("RGB") or b""), np.uint8).reshape(-1, 3)
        table[: len(colors)] = colors
        return np.asarray(image), table
    if mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        image = image.convert("LA" if mode in ("LA", "La") else "RGBA")
        pixels = np.asarray(image)
        return _plain(_opaque(path, pixels[..., :-1], pixels[..., -1])), None
    if mode == "RGB":
        return _plain(np.asarray(image)), None
    if mode.startswith(("I", "F")):
        return _whole(path, np.asarray(image)), None
    raise UnreadableImage(path, f"is of mode {mode}, whose channels are no classes; save it as index or RGB PNG")


def _plain(pixels: np.ndarray) -> np.ndarray:
    """Return (H, W) where all channels are equal, else (H, W, 3)."""
    if pixels.shape[2] == 1 or ((pixels[..., 0] == pixels[..., 1]) & (pixels[..., 1] == pixels[..., 2])).all():
        return np.ascontiguousarray(pixels[..., 0])
    return np.ascontiguousarray(pixels)


def _opaque(path: Path, pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return what a mask with an alpha channel means, (H, W, C)."""
    clear = alpha < 128
    if not clear.any():
        return pixels
    hidden = np.unique(pixels[clear], axis=0)
    if len(hidden) == 1 and not (pixels[~clear] == hidden[0]).all(axis=1).any():
        # What is transparent has a color of its own, as in drawings over a photograph.
        return pixels
    if len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) == 1 and not clear.all():
        return np.where(clear, np.uint8(0), np.uint8(255))[..., None]
    raise UnreadableImage(
        path,
        "transparent pixels share their colors with opaque ones, so that what they mean is not certain; save the mask "
        "without alpha",
    )


def _whole(path: Path, pixels: np.ndarray) -> np.ndarray:
    """Return uint8 where all values fit, else int64 with NO_KEY for what is no number."""
    values = pixels
    if np.issubdtype(values.dtype, np.floating):
        known = np.isfinite(values)
        broken = values[known & (values != np.round(values))]
        if broken.size:
            raise UnreadableImage(
                path, f"holds {float(broken.flat[0]):g}, and classes are whole numbers; round it first"
            )
        large = np.abs(values[known]).max(initial=0)
        if large >= 1 << 31:
            raise UnreadableImage(path, f"holds {large:g}; classes are numbers of 32 bits at most")
        values = np.where(known, np.nan_to_num(values, nan=0, posinf=0, neginf=0), 0).astype(np.int64)
        values[~known] = NO_KEY
    if values.size and values.min() >= 0 and values.max() <= 255:
        return values.astype(np.uint8)
    return values.astype(np.int64)


def _nodata(image: Image.Image) -> int | None:
    text = _tag(image, _GDAL_NODATA)
    try:
        value = float(text.strip("\0 "))
    except ValueError:
        return None
    return int(value) if value.is_integer() else None


def _described(image: Image.Image) -> str:
    text = image.info.get(CHUNK) or _tag(image, _DESCRIPTION)
    if isinstance(text, str) and text.startswith("{") and '"classes"' in text:
        try:
            return json.dumps(json.loads(text.strip("\0")))
        except ValueError:
            return ""
    return ""


def _tag(image: Image.Image, number: int) -> str:
    tags: Any = getattr(image, "tag_v2", {})
    value = tags.get(number, "")
    return value if isinstance(value, str) else ""


def _by_rasterio(path: Path) -> Plane:
    """Read a TIFF of a kind that Pillow does not know."""
    try:
        import rasterio
        from rasterio.errors import RasterioError
    except ImportError:
        reason = NotAvailable("not an image that Pillow knows; if it is a GeoTIFF, install sightline[geo]")
        raise UnreadableImage(path, str(reason)) from None
    try:
        with quiet(), rasterio.open(path, driver="GTiff") as file:
            if file.width * file.height > MAX_PIXELS:
                raise UnreadableImage(path, f"{file.width * file.height:,} pixels, over the limit of {MAX_PIXELS:,}")
            if file.count == 1 and not file.dtypes[0].startswith("complex"):
                nodata = file.nodata if file.nodata is not None and float(file.nodata).is_integer() else None
                return Plane(_whole(path, file.read(1)), nodata=None if nodata is None else int(nodata))
            if file.count == 3 and set(file.dtypes) == {"uint8"}:
                return Plane(_plain(np.ascontiguousarray(file.read().transpose(1, 2, 0))))
            kinds = ", ".join(sorted(set(file.dtypes)))
            raise UnreadableImage(path, f"has {file.count} bands of {kinds}; a mask has one band, or three of 8 bits")
    except RasterioError as error:
        raise UnreadableImage(path, f"cannot be read as a TIFF ({error})") from None
