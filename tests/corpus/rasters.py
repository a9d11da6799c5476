"""Images of every mode, depth and number of bands: the pixels that all verbs see of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
from PIL import Image, ImageCms

from corpus.case import Case, Refused
from sightline.config.data import PixelsConfig
from sightline.data import decode
from sightline.data.images.decode import open_image
from sightline.data.images.reading import Reading
from sightline.data.images.survey import settle

SECTION = "Rasters"
H, W = 6, 8
PLACE = {"crs": "EPSG:32633", "transform": rasterio.Affine(1, 0, 5e5, 0, -1, 4e6)}
RED, GREEN, BLUE, GRAY, WHITE, BLACK = (200, 30, 60), (10, 180, 20), (0, 0, 255), (90,) * 3, (255,) * 3, (0,) * 3


# -- what is written
def plain(*color: float, kind: Any = np.uint8) -> np.ndarray:
    """Return an image of one color, (H, W, bands)."""
    return np.full((H, W, len(color)), color, kind)


def halves(top: Any, bottom: Any, kind: Any = np.uint8) -> np.ndarray:
    """Return an image whose upper half is one color and its lower half another."""
    image = np.empty((H, W, len(top)), kind)
    image[: H // 2], image[H // 2 :] = top, bottom
    return image


def ramp(low: float, high: float, kind: Any, bands: int = 1) -> np.ndarray:
    """Return an image that goes from low to high in equal steps, each of as many pixels."""
    values = np.linspace(low, high, W).astype(kind)
    return np.broadcast_to(values[None, :, None], (H, W, bands)).copy()


def pillow(name: str, image: Image.Image | np.ndarray, **keys: Any) -> Callable[[Path], object]:
    """Return what writes an image by Pillow."""

    def write(folder: Path) -> None:
        picture = image if isinstance(image, Image.Image) else Image.fromarray(np.squeeze(image))
        picture.save(folder / name, **keys)

    return write


def mode(name: str, to: str, color: tuple[int, ...] = RED, **keys: Any) -> Callable[[Path], object]:
    """Return what writes an image of one color in a mode of Pillow."""
    return pillow(name, Image.new("RGB", (W, H), color).convert(to), **keys)


def tiff(array: np.ndarray, name: str = "a.tif", **keys: Any) -> Callable[[Path], object]:
    """Return what writes a GeoTIFF by GDAL."""

    def write(folder: Path) -> None:
        height, width, count = array.shape
        profile = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": array.dtype} | PLACE
        with rasterio.open(folder / name, "w", **profile | keys) as file:
            file.write(array.transpose(2, 0, 1))

    return write


def opencv(name: str, array: np.ndarray) -> Callable[[Path], object]:
    """Return what writes 16-bit colors, which Pillow cannot."""
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[array.shape[2]]
    return lambda folder: cv2.imwrite(str(folder / name), array[..., order])


# -- what is seen
def image_of(folder: Path) -> Path:
    return next(path for path in sorted(folder.iterdir()) if path.suffix not in (".aux", ".xml", ".msk"))


def corners(bands: tuple[int, ...] | None = None, scale: Any = None) -> Callable[[Path], Any]:
    """Return what gives the first and the last pixel of an image, one value where both are the same."""

    def look(folder: Path) -> Any:
        pixels = decode(image_of(folder), reading=Reading(bands, scale, scale is not None))
        first, last = tuple(pixels[0, 0].tolist()), tuple(pixels[-1, -1].tolist())
        return first if first == last else (first, last)

    return look


def near(color: tuple[int, ...], by: int) -> Callable[[Path], Any]:
    """Return what gives "near" where the image is within `by` of a color, else the color."""

    def look(folder: Path) -> Any:
        pixels = decode(image_of(folder)).astype(int)
        return "near" if np.abs(pixels - color).max() <= by else tuple(pixels[0, 0].tolist())

    return look


def size(folder: Path) -> tuple[int, ...]:
    return decode(image_of(folder)).shape


def row(folder: Path) -> list[int]:
    """Return the first channel of the first row."""
    return decode(image_of(folder))[0, :, 0].tolist()


def levels(folder: Path) -> tuple[int, int, int]:
    """Return darkest, brightest, number of levels."""
    pixels = decode(image_of(folder))
    return int(pixels.min()), int(pixels.max()), len(np.unique(pixels))


def both(folder: Path) -> tuple[bool, int]:
    """Return whether training and prediction see the same, and how many pixels have no data."""
    path = image_of(folder)
    with open_image(path) as image:
        same = np.array_equal(np.concatenate([image.rows(0, 2), image.rows(2, H)]), decode(path))
        return same, int((~image.known(0, H)).sum())


def of_set(earlier: Reading | None = None, **keys: Any) -> Callable[[Path], Any]:
    """Return what gives the scale of a data set, and the darkest and brightest pixel of each of its images.

    `earlier` is how a run read the images that its network was trained on.
    """

    def look(folder: Path) -> Any:
        paths = sorted(folder.iterdir())
        reading = settle("set", paths, PixelsConfig.build(keys), earlier)
        seen = [decode(path, reading=reading) for path in paths]
        return reading.scale and reading.scale[0], [(int(p.min()), int(p.max())) for p in seen]

    return look


def several(*writers: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda folder: [write(folder) for write in writers]


def turned(orientation: int, name: str, **keys: Any) -> Callable[[Path], object]:
    """Return what writes red pixels in the first corner of a green image, with an EXIF turn."""

    def write(folder: Path) -> None:
        array = plain(*GREEN)
        array[0, 0] = RED
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(array).save(folder / name, exif=exif, **keys)

    return write


def red_corner(folder: Path) -> tuple[str, tuple[int, int]]:
    """Return the corner in which the red is, and height and width."""
    pixels = decode(image_of(folder)).astype(int)
    at = {"top left": (0, 0), "top right": (0, -1), "bottom left": (-1, 0), "bottom right": (-1, -1)}
    corner = max(at, key=lambda name: pixels[at[name]][0])
    return corner, (pixels.shape[0], pixels.shape[1])


def multipage(folder: Path) -> None:
    pages = [Image.fromarray(plain(*color)) for color in (RED, GREEN)]
    pages[0].save(folder / "a.tif", save_all=True, append_images=pages[1:])


def animation(name: str, **keys: Any) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        frames = [Image.new("RGB", (W, H), color) for color in (BLUE, GREEN)]
        frames[0].save(folder / name, save_all=True, append_images=frames[1:], **keys)

    return write


def palette_tiff(folder: Path) -> None:
    with rasterio.open(
        folder / "a.tif", "w", driver="GTiff", height=H, width=W, count=1, dtype="uint8", **PLACE
    ) as file:
        file.write(np.full((H, W), 3, np.uint8), 1)
        file.write_colormap(1, {3: (*RED, 255)})


def palette_png(**keys: Any) -> Callable[[Path], object]:
    image = Image.new("P", (W, H), 1)
    image.putpalette([*GREEN, *RED])
    return pillow("a.png", image, **keys)


def masked_tiff(folder: Path) -> None:
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            folder / "a.tif", "w", driver="GTiff", height=H, width=W, count=3, dtype="uint8", **PLACE
        ) as file,
    ):
        file.write(plain(*RED).transpose(2, 0, 1))
        mask = np.full((H, W), 255, np.uint8)
        mask[:2] = 0
        file.write_mask(mask)


def lab(folder: Path) -> None:
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.applyTransform(Image.new("RGB", (W, H), RED), ImageCms.buildTransform(*profiles, "RGB", "LAB"))
    assert image is not None
    image.save(folder / "a.tif")


def hole(array: np.ndarray, value: float) -> np.ndarray:
    """Return the image with no data in its first two rows."""
    array = array.copy()
    array[:2] = value
    return array


RGBN = np.dstack([plain(*GRAY), halves((0,), (200,))])
CLEAR = np.dstack([plain(*RED), halves((0,), (255,))])
RAMP8 = [0, 36, 73, 109, 146, 182, 219, 255]


def case(name: str, make: Callable[[Path], object], look: Callable[[Path], Any], expected: Any, says: str = "") -> Case:
    return Case(name, make, look, expected, SECTION, says)


COMPRESSIONS = ("deflate", "lzw", "packbits", "zstd", "lerc")
KINDS = ("uint16", "int16", "uint32", "int32", "float32", "float64")

CASES = [
    # modes
    case("PNG, 1 bit", mode("a.png", "1", WHITE), corners(), WHITE),
    case("PNG, gray", pillow("a.png", plain(90)), corners(), GRAY, "gray is repeated"),
    case("PNG, gray with alpha, opaque", pillow("a.png", plain(90, 255)), corners(), GRAY),
    case("PNG, gray with alpha, clear", pillow("a.png", plain(90, 0)), corners(), WHITE, "transparency lies on white"),
    case("PNG, palette", palette_png(), corners(), RED),
    case("PNG, palette with a clear color (tRNS)", palette_png(transparency=1), corners(), WHITE),
    case("PNG, gray with a clear value (tRNS)", pillow("a.png", plain(90), transparency=90), corners(), WHITE),
    case("PNG, RGB with a clear color (tRNS)", pillow("a.png", plain(*RED), transparency=RED), corners(), WHITE),
    case("PNG, RGB", pillow("a.png", plain(*RED)), corners(), RED),
    case("PNG, RGBA, half clear", pillow("a.png", CLEAR), corners(), (WHITE, RED)),
    case("PNG, RGBA, one quarter seen", pillow("a.png", plain(*RED, 64)), corners(), (241, 199, 206)),
    case("PNG, RGBA, all four bands asked for", pillow("a.png", plain(*RED, 64)), corners((1, 2, 3, 4)), (*RED, 64)),
    case("BMP", mode("a.bmp", "RGB"), corners(), RED),
    case("BMP, palette", mode("a.bmp", "P", WHITE), corners(), WHITE),
    case("PPM", mode("a.ppm", "RGB"), corners(), RED),
    case("PGM", mode("a.pgm", "L", GRAY), corners(), GRAY),
    case("WebP, lossless", mode("a.webp", "RGB", lossless=True), corners(), RED),
    case("WebP, lossless, clear", pillow("a.webp", plain(*RED, 0), lossless=True, exact=True), corners(), WHITE),
    case("GIF", mode("a.gif", "P", WHITE), corners(), WHITE),
    case("GIF, animated", animation("a.gif"), near(BLUE, 2), "near", "of an animation the first frame"),
    case("PNG, animated", animation("a.png"), corners(), BLUE),
    case("WebP, animated", animation("a.webp", lossless=True), corners(), BLUE),
    case("JPEG", mode("a.jpg", "RGB", quality=95), near(RED, 4), "near"),
    case("JPEG, gray", mode("a.jpg", "L", GRAY, quality=95), near(GRAY, 1), "near"),
    case("JPEG, CMYK", mode("a.jpg", "CMYK", quality=95), near(RED, 6), "near"),
    case("JPEG, progressive", mode("a.jpg", "RGB", quality=95, progressive=True), near(RED, 4), "near"),
    case("AVIF", mode("a.avif", "RGB", quality=100), near(RED, 4), "near"),
    case("JPEG 2000, lossless", mode("a.jp2", "RGB"), corners(), RED),
    # EXIF
    *[
        case(f"{kind}, EXIF orientation {turn}", turned(turn, f"a.{end}", **keys), red_corner, (corner, shape))
        for kind, end, keys in (("PNG", "png", {}), ("TIFF", "tif", {}))
        for turn, corner, shape in (
            (1, "top left", (H, W)),
            (2, "top right", (H, W)),
            (3, "bottom right", (H, W)),
            (4, "bottom left", (H, W)),
            (5, "top left", (W, H)),
            (6, "top right", (W, H)),
            (7, "bottom right", (W, H)),
            (8, "bottom left", (W, H)),
        )
    ],
    # TIFF by Pillow
    case("TIFF, 1 bit", mode("a.tif", "1", WHITE), corners(), WHITE),
    case("TIFF, gray", mode("a.tif", "L", GRAY), corners(), GRAY),
    case("TIFF, gray with alpha, clear above", pillow("a.tif", halves((90, 0), (90, 255))), corners(), (WHITE, GRAY)),
    case("TIFF, palette", mode("a.tif", "P", WHITE), corners(), WHITE),
    case("TIFF, palette with alpha", mode("a.tif", "PA", WHITE), corners(), WHITE),
    case("TIFF, RGB", mode("a.tif", "RGB"), corners(), RED),
    case("TIFF, RGBA, clear above", pillow("a.tif", CLEAR), corners(), (WHITE, RED)),
    case("TIFF, RGBX", mode("a.tif", "RGBX"), corners(), RED),
    case("TIFF, CMYK", mode("a.tif", "CMYK"), near(RED, 2), "near"),
    case("TIFF, YCbCr", mode("a.tif", "YCbCr"), near(RED, 4), "near"),
    case("TIFF, LAB", lab, near(RED, 4), "near"),
    case("TIFF, JPEG inside", mode("a.tif", "RGB", compression="jpeg", quality=95), near(RED, 6), "near"),
    case("TIFF, two pages", multipage, corners(), RED, "of several pages the first"),
    # GeoTIFF: alpha or a band
    case("RGB and near infrared, 8 bits, as GDAL writes them", tiff(RGBN), corners(), GRAY,
         "a fourth band is transparency only if it is next to nothing but 0 and 255"),
    case("RGB and near infrared: nothing is without data", tiff(RGBN), both, (True, 0)),
    case("RGB and near infrared, all four asked for", tiff(RGBN), corners((1, 2, 3, 4)), ((*GRAY, 0), (*GRAY, 200))),
    case("RGB and near infrared, false colors", tiff(RGBN), corners((4, 1, 2)), ((0, 90, 90), (200, 90, 90))),
    case("RGB and alpha of 0 and 255", tiff(CLEAR), corners(), (WHITE, RED)),
    case("RGB and alpha of 0 and 255: what is clear is no data", tiff(CLEAR), both, (True, H // 2 * W)),
    case("RGB and alpha, asked for as a band", tiff(CLEAR), corners((1, 4)), ((200, 0), (200, 255))),
    case("RGB and a fourth band of zeros", tiff(plain(*RED, 0)), corners(), RED),
    case("RGB and a fourth band of 255", tiff(plain(*RED, 255)), corners(), RED),
    case("four bands without a claim", tiff(RGBN, alpha="no"), corners(), GRAY),
    case("four gray bands", tiff(RGBN, photometric="MINISBLACK"), corners(), GRAY),
    # bands
    *[case(f"{n} bands of 8 bits", tiff(ramp(7, 7, np.uint8, n)), size, (H, W, 3)) for n in range(1, 13)],
    *[
        case(f"{n} bands of 8 bits, all asked for", tiff(plain(*range(n))), corners(tuple(range(1, n + 1))),
             tuple(range(n)))
        for n in (1, 2, 3, 5, 8, 12)
    ],
    case("bands in another order", tiff(plain(1, 2, 3, 4, 5)), corners((5, 3, 1)), (5, 3, 1)),
    case("one band three times", tiff(plain(1, 2, 3, 4, 5)), corners((2, 2, 2)), (2, 2, 2)),
    case("a band of a PNG", pillow("a.png", plain(*RED)), corners((3,)), (60,)),
    case("a band that is not there", tiff(plain(1, 2, 3)), corners((4,)), Refused("data.bands = [4]", "3 bands")),
    case("the second band of a gray PNG", pillow("a.png", plain(90)), corners((2,)), Refused("data.bands", "1 band")),
    # depths
    *[case(f"{kind}, a ramp", tiff(ramp(0, 3500, kind)), row, RAMP8, "own percentiles") for kind in KINDS],
    case("int16 below zero", tiff(ramp(-300, 400, "int16")), row, RAMP8),
    case("int8", tiff(ramp(-70, 70, "int8")), row, RAMP8),
    case("12 bits in a 16-bit PNG", pillow("a.png", ramp(0, 4095, "uint16")), levels, (0, 255, 8)),
    case("8 bits in a 16-bit PNG", pillow("a.png", ramp(0, 255, "uint16")), levels, (0, 255, 8)),
    case("16-bit RGB PNG of 12 bits", opencv("a.png", ramp(0, 4095, "uint16", 3)), levels, (0, 255, 8)),
    case("16-bit RGB PNG, its own colors", opencv("a.png", plain(1000, 2000, 3000, kind=np.uint16)),
         corners(None, ((0, 4000),)), (64, 128, 191)),
    case("16-bit RGBA PNG, clear", opencv("a.png", plain(9, 9, 9, 0, kind=np.uint16)), corners(), WHITE),
    case("16-bit PGM", opencv("a.pgm", ramp(0, 4095, "uint16")), levels, (0, 255, 8)),
    case("16-bit PPM", opencv("a.ppm", ramp(0, 4095, "uint16", 3)), levels, (0, 255, 8)),
    case("16-bit TIFF by Pillow", pillow("a.tif", ramp(0, 3500, "uint16")), row, RAMP8),
    case("32-bit TIFF by Pillow", pillow("a.tif", ramp(0, 3500, "int32")), row, RAMP8),
    case("float TIFF by Pillow", pillow("a.tif", ramp(0, 1, "float32")), row, RAMP8),
    case("16-bit RGB TIFF", tiff(ramp(0, 3500, "uint16", 3)), row, RAMP8),
    case("16 bits, a scale for all bands", tiff(plain(0, 500, 1000, kind=np.uint16)), corners(None, ((0, 1000),)),
         (0, 128, 255)),
    case("16 bits, a scale a band", tiff(plain(100, 500, 900, kind=np.uint16)),
         corners(None, ((0, 100), (0, 1000), (900, 1000))), (255, 128, 0)),
    case("beyond the scale", tiff(halves((5,), (5000,), "uint16")), corners(None, ((10, 1000),)), (BLACK, WHITE)),
    case("8 bits, a scale that was given", pillow("a.png", plain(50)), corners(None, ((0, 100),)), (128,) * 3),
    case("two scales for three bands", tiff(plain(1, 2, 3)), corners(None, ((0, 1), (0, 2))), Refused("2 pairs")),
    case("one value everywhere, 16 bits", tiff(plain(700, kind=np.uint16)), corners(), BLACK),
    case("4 bits", tiff(plain(15), nbits=4), corners(), WHITE),
    case("1 bit", tiff(plain(1), nbits=1), corners(), WHITE),
    case("1 bit, white is 0", tiff(plain(1), nbits=1, photometric="MINISWHITE"), corners(), BLACK),
    case("8 bits, white is 0", tiff(plain(10), photometric="MINISWHITE"), corners(), (245,) * 3),
    case("complex numbers", tiff(plain(1, kind=np.complex64)), corners(), Refused("complex64", "real")),
    # no data
    case("nodata -9999", tiff(hole(ramp(0, 3500, "float32"), -9999), nodata=-9999), both, (True, 2 * W)),
    case("nodata -9999 is black", tiff(hole(ramp(1000, 1700, "float32"), -9999), nodata=-9999), row, [0] * W),
    case("-9999 of floats without a word", tiff(hole(ramp(0, 3500, "float32"), -9999)), both, (True, 2 * W)),
    case("-9999 of signed numbers without a word", tiff(hole(ramp(0, 3500, "int16"), -9999)), both, (True, 2 * W)),
    case("the lowest float without a word", tiff(hole(ramp(0, 1, "float32"), float(np.finfo("f4").min))), both,
         (True, 2 * W)),
    case("NaN", tiff(hole(ramp(0, 1, "float32"), float("nan"))), both, (True, 2 * W)),
    case("infinity", tiff(hole(ramp(0, 1, "float32"), float("inf"))), both, (True, 2 * W)),
    case("NaN everywhere", tiff(plain(float("nan"), kind=np.float32)), corners(), BLACK),
    case("nodata 0 of 16 bits", tiff(hole(ramp(500, 1200, "uint16", 3), 0), nodata=0), both, (True, 2 * W)),
    case("nodata 65535", tiff(hole(ramp(500, 1200, "uint16"), 65535), nodata=65535), row, [0] * W),
    case("nodata 0 of 8 bits", tiff(hole(plain(*RED), 0), nodata=0), both, (True, 2 * W)),
    case("nodata 255 of 8 bits stays as it is", tiff(hole(plain(*RED), 255), nodata=255), corners(), (WHITE, RED)),
    case("nodata in one band only", tiff(halves((0, 50, 60), RED), nodata=0), both, (True, 0)),
    case("a mask inside the file", masked_tiff, both, (True, 2 * W)),
    case("nodata out of the type's range", tiff(plain(*RED), nodata=None), both, (True, 0)),
    # layouts of TIFF
    *[case(f"TIFF, {name}", tiff(plain(*RED), compress=name), corners(), RED) for name in COMPRESSIONS],
    case("TIFF, tiles", tiff(plain(*RED), tiled=True, blockxsize=16, blockysize=16), corners(), RED),
    case("TIFF, planes", tiff(plain(*RED), interleave="band"), corners(), RED),
    case("TIFF, strips of one row", tiff(plain(*RED), blockysize=1), corners(), RED),
    case("TIFF, big", tiff(plain(*RED), BIGTIFF="YES"), corners(), RED),
    case("TIFF, big-endian", tiff(ramp(0, 3500, "uint16"), ENDIANNESS="BIG"), row, RAMP8),
    case("TIFF, predictor", tiff(ramp(0, 3500, "uint16"), compress="deflate", predictor=2), row, RAMP8),
    case("TIFF, sparse", tiff(plain(*BLACK), SPARSE_OK=True), corners(), BLACK),
    case("TIFF, palette of GDAL", palette_tiff, corners(), RED),
    case("TIFF, under a PNG's name", tiff(plain(*RED), name="a.png"), corners(), RED),
    case("TIFF of five bands under another name", tiff(plain(1, 2, 3, 4, 5), name="a.dat"), corners((5,)), (5,)),
    case("text called TIFF", lambda folder: (folder / "a.tif").write_text("no"), corners(), Refused("not an image")),
    case("VRT called TIFF", lambda folder: (folder / "a.tif").write_text("<VRTDataset/>"), corners(),
         Refused("not an image")),
    # data sets
    case("a set of 16 bits", several(tiff(ramp(0, 1000, "uint16"), "a.tif"), tiff(ramp(0, 4000, "uint16"), "b.tif")),
         of_set(), ((0.0, 4000.0), [(0, 64), (0, 255)]), "one scale for the whole data set"),
    case("a set of 8 bits", several(pillow("a.png", plain(9)), pillow("b.png", plain(200))), of_set(),
         (None, [(9, 9), (200, 200)])),
    case("a set of 8 and 16 bits", several(pillow("a.png", plain(200)), tiff(ramp(0, 4000, "uint16"), "b.tif")),
         of_set(), ((0.0, 4000.0), [(200, 200), (0, 255)])),
    case("a set with a scale that was given", several(tiff(ramp(0, 1000, "uint16"), "a.tif")), of_set(scale=[0, 2000]),
         ((0.0, 2000.0), [(0, 128)])),
    case("a set in the scale of the run's band 2", several(tiff(ramp(0, 1000, "uint16", 2), "a.tif")),
         of_set(Reading((1, 2), ((0, 10), (0, 4000))), bands=[2]), ((0, 4000), [(0, 64)])),
    case("a set of a band that the run did not see", several(tiff(ramp(0, 1000, "uint16", 3), "a.tif")),
         of_set(Reading((1, 2), ((0, 10), (0, 4000))), bands=[3]), ((0.0, 1000.0), [(0, 255)])),
    case("a set with no data", several(tiff(hole(ramp(500, 1000, "int16"), -9999), "a.tif", nodata=-9999)), of_set(),
         ((500.0, 1000.0), [(0, 255)])),
    case("a scale upside down", several(pillow("a.png", plain(9))), of_set(scale=[5, 1]), Refused("LOW below HIGH")),
    case("a band 0", several(pillow("a.png", plain(9))), of_set(bands=[0]), Refused("bands")),
]  # fmt: skip
