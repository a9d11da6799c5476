"""What masks mean: values, colors, palette files, blended borders, alpha, numbers, and what is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from conftest import save
from corpus.case import Case, Refused
from sightline.config import IGNORE_INDEX, SegmentDataConfig
from sightline.data import check_classes, load_masks

SECTION = "Masks"
TRUTH = np.zeros((12, 12), np.uint8)
TRUTH[2:7, 2:7], TRUTH[7:11, 6:11] = 1, 2
Write = Callable[[Path, np.ndarray, int], object]


def truth(i: int, scale: int = 1) -> np.ndarray:
    """Return the i-th mask's classes: 0 around a square of 1 and one of 2."""
    return np.roll(TRUTH, i, axis=1).repeat(scale, 0).repeat(scale, 1)


def masks(write: Write, number: int = 3, scale: int = 1, beside: bool = False, **files: str) -> Any:
    """Return what writes images and masks, and other files beside the data."""

    def make(folder: Path) -> None:
        for i in range(number):
            place = folder / "data" if beside else folder / "data" / "masks"
            place.mkdir(parents=True, exist_ok=True)
            image = f"data/{i}_sat.png" if beside else f"data/images/{i}.png"
            save(folder / image, i, 12 * scale)
            write(place / (f"{i}_mask" if beside else f"{i}"), truth(i, scale), i)
        for name, text in files.items():
            (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")

    return make


def read(palette: Any = "auto", scale: int = 1) -> Callable[[Path], str]:
    """Return what tells classes with their codes, and which class each of the truth's three became."""

    def look(folder: Path) -> str:
        asked = str(folder / palette) if isinstance(palette, str) and "." in palette else palette
        images = load_masks(SegmentDataConfig.build({"source": str(folder / "data"), "palette": asked}), split=False)
        classes = " ".join(f"{name}={images.palette.text(i)}" for i, name in enumerate(images.palette.classes))
        became = []
        for value in range(3):
            pixels = np.concatenate([images.mask(i)[truth(i, scale) == value] for i in range(len(images.ids))])
            most = int(np.bincount(pixels).argmax())
            mixed = "~" if (pixels != most).any() else ""
            became.append("-" if most == IGNORE_INDEX else f"{most}{mixed}")
        off = sum(images.off_palette.values())
        return f"{classes} | {' '.join(became)}" + (f" | {off} off" if off else "")

    return look


def learnable(palette: Any = "auto") -> Callable[[Path], list[str]]:
    """Return what is said before training, without the data set's name."""

    def look(folder: Path) -> list[str]:
        said: list[str] = []
        source = str(folder / "data")
        check_classes(load_masks(SegmentDataConfig(source=source, palette=palette), split=False), "all", said.append)
        return [line.removeprefix(f"{source}: ") for line in said]

    return look


def told(folder: Path) -> list[str]:
    """Return what every verb says of how masks are read, without the data set's name."""
    said: list[str] = []
    source = str(folder / "data")
    load_masks(SegmentDataConfig(source=source), progress=said.append, split=False)
    return [line.removeprefix(f"{source}: ") for line in said if "decoding" not in line]


def gray(*levels: float, kind: Any = np.uint8, suffix: str = ".png", **options: Any) -> Write:
    """Return what writes the truth's classes as these levels."""

    def write(path: Path, classes: np.ndarray, i: int) -> None:
        Image.fromarray(np.array(levels, kind)[classes]).save(path.with_suffix(suffix), **options)

    return write


def rgb(*colors: tuple[int, ...], suffix: str = ".png", **options: Any) -> Write:
    """Return what writes the truth's classes as these colors, of two, three or four channels."""

    def write(path: Path, classes: np.ndarray, i: int) -> None:
        Image.fromarray(np.array(colors, np.uint8)[classes]).save(path.with_suffix(suffix), **options)

    return write


def indices(values: tuple[int, ...], *colors: tuple[int, int, int], suffix: str = ".png") -> Write:
    """Return what writes palette files."""

    def write(path: Path, classes: np.ndarray, i: int) -> None:
        index = np.array(values, np.uint8)[classes]
        image = Image.frombytes("P", index.shape[::-1], index.tobytes())
        image.putpalette([channel for color in colors for channel in color])
        image.save(path.with_suffix(suffix))

    return write


def bit(path: Path, classes: np.ndarray, i: int) -> None:
    Image.fromarray(classes > 0).save(path.with_suffix(".png"))


def each(*writes: Write) -> Write:
    """Return what writes mask i in the i-th form."""
    return lambda path, classes, i: writes[i % len(writes)](path, classes, i)


def smooth(*colors: Any, sigma: float = 0.8, suffix: str = ".png", **options: Any) -> Write:
    """Return what writes masks with blended borders."""

    def write(path: Path, classes: np.ndarray, i: int) -> None:
        picture = cv2.GaussianBlur(np.array(colors, np.uint8)[classes], (0, 0), sigma)
        Image.fromarray(picture).save(path.with_suffix(suffix), **options)

    return write


def noise(path: Path, classes: np.ndarray, i: int) -> None:
    pixels = np.random.default_rng(i).integers(0, 256, (*classes.shape, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path.with_suffix(".png"))


def photo(path: Path, classes: np.ndarray, i: int) -> None:
    save(path.with_suffix(".png"), i, len(classes))


def shallow(low: int, high: int) -> Write:
    """Return gray ramps."""
    ramp = lambda classes: np.linspace(low, high, classes.size).reshape(classes.shape).astype(np.uint8)  # noqa: E731
    return lambda path, classes, i: Image.fromarray(ramp(classes)).save(path.with_suffix(".png"))


def raster(*levels: float, kind: str, nodata: float | None = None) -> Write:
    """Return what writes one-band GeoTIFFs."""

    def write(path: Path, classes: np.ndarray, i: int) -> None:
        import rasterio

        options: dict[str, Any] = {"driver": "GTiff", "count": 1, "dtype": kind, "nodata": nodata, "crs": "EPSG:32633"}
        options["transform"] = rasterio.Affine(1, 0, 500000, 0, -1, 5200000)
        height, width = classes.shape
        with rasterio.open(path.with_suffix(".tif"), "w", height=height, width=width, **options) as file:
            file.write(np.array(levels, kind)[classes], 1)

    return write


def turned(path: Path, classes: np.ndarray, i: int) -> None:
    """Write a mask that lies on its side, and says so in its EXIF."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(classes)).save(path.with_suffix(".png"), exif=exif)


def stack(path: Path, classes: np.ndarray, i: int) -> None:
    first = Image.fromarray(classes)
    first.save(path.with_suffix(".tif"), save_all=True, append_images=[first])


def cmyk(path: Path, classes: np.ndarray, i: int) -> None:
    Image.fromarray(classes).convert("CMYK").save(path.with_suffix(".tif"))


def raw(content: bytes) -> Write:
    return lambda path, classes, i: path.with_suffix(".png").write_bytes(content)


DEEPGLOBE = "urban=#00ffff agriculture=#ffff00 rangeland=#ff00ff forest=#00ff00 water=#0000ff barren=#ffffff"
BLACK, WHITE, RED, GREEN, BLUE = (0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255)
CYAN, YELLOW, MAGENTA = (0, 255, 255), (255, 255, 0), (255, 0, 255)
OBJECT = "background=0 object=255 | 0 1 1"
THREE = "class 0=0 class 1=1 class 2=2 | 0 1 2"
RGB3 = "#000000=#000000 #00ff00=#00ff00 #ff0000=#ff0000 | 0 2 1"
VOC = (
    "background=0 aeroplane=1 bicycle=2 bird=3 boat=4 bottle=5 bus=6 car=7 cat=8 chair=9 cow=10 diningtable=11 dog=12 "
    "horse=13 motorbike=14 person=15 pottedplant=16 sheep=17 sofa=18 train=19 tvmonitor=20"
)
NAMED = {"land": 0, "road": 1, "house": 2}


def case(
    name: str, write: Write, expected: Any, look: Any = None, says: str = "", scale: int = 1, **options: Any
) -> Case:
    return Case(name, masks(write, scale=scale, **options), look or read(scale=scale), expected, SECTION, says)


CASES = [
    # -- two values
    case("0 and 255", gray(0, 255, 255), OBJECT, says="Two values with 255: background and object."),
    case("one bit", bit, OBJECT),
    case("0 and 255 in three channels", rgb(BLACK, WHITE, WHITE), OBJECT),
    case("0 and 255 in four channels", rgb((0, 0, 0, 255), (*WHITE, 255), (*WHITE, 255)), OBJECT),
    case("0 and 255 with alpha in gray", rgb((0, 255), (255, 255), (255, 255)), OBJECT),
    case("object dark", gray(255, 0, 0), "background=0 object=255 | 1 0 0"),
    case("1 and 255", gray(1, 255, 255), "background=1 object=255 | 0 1 1"),
    case("0 and 1", gray(0, 1, 1), "class 0=0 class 1=1 | 0 1 1"),
    case("0 and 1 in three channels", rgb(BLACK, (1, 1, 1), (1, 1, 1)), "class 0=0 class 1=1 | 0 1 1"),
    case("0 and 128", gray(0, 128, 128), "class 0=0 class 128=128 | 0 1 1"),
    case(
        "black and white palette files", indices((0, 1, 1), BLACK, WHITE), "background=#000000 object=#ffffff | 0 1 1"
    ),
    case(
        "white and black palette files", indices((1, 0, 0), WHITE, BLACK), "background=#000000 object=#ffffff | 0 1 1"
    ),
    case("bits beside 0 and 255", each(bit, gray(0, 255, 255)), OBJECT),
    case("bits beside 0 and 1", each(bit, gray(0, 1, 1)), "class 0=0 class 1=1 | 0 1 1"),
    case("one channel and three mixed", each(gray(0, 255, 255), rgb(BLACK, WHITE, WHITE)), OBJECT),
    case("some masks all background", each(gray(0, 0, 0), gray(0, 255, 255)), "background=0 object=255 | 0 0~ 0~"),
    case("0 and 65535", gray(0, 65535, 65535, kind=np.uint16), "background=0 object=65535 | 0 1 1"),
    case("0 and 255 as BMP", gray(0, 255, 255, suffix=".bmp"), OBJECT),
    case("0 and 255 as GIF", gray(0, 255, 255, suffix=".gif"), "background=#000000 object=#ffffff | 0 1 1"),
    case("0 and 255 as TIFF", gray(0, 255, 255, suffix=".tif"), OBJECT),
    case("0 and 255 as WebP without loss", gray(0, 255, 255, suffix=".webp", lossless=True), OBJECT),
    case("white masks named as DeepGlobe's", rgb(BLACK, WHITE, WHITE), OBJECT, beside=True),
    # -- indices
    case("indices", gray(0, 1, 2), THREE, says="Values from 0 on, none left out, are class indices."),
    case("indices and 255", gray(0, 1, 255), "class 0=0 class 1=1 | 0 1 -", says="255 above indices is ignored."),
    case("indices in three channels", rgb(BLACK, (1, 1, 1), (2, 2, 2)), THREE),
    case("indices in four channels", rgb((0, 0, 0, 255), (1, 1, 1, 255), (2, 2, 2, 255)), THREE),
    case("indices of 16 bits", gray(0, 1, 2, kind=np.uint16), THREE),
    case("indices of 32 bits", gray(0, 1, 2, kind=np.int32, suffix=".tif"), THREE),
    case("indices as floats", gray(0, 1, 2, kind=np.float32, suffix=".tif"), THREE),
    case("indices from 1", gray(1, 2, 3), "class 1=1 class 2=2 class 3=3 | 0 1 2"),
    case("indices with one left out", gray(0, 1, 3), "class 0=0 class 1=1 class 3=3 | 0 1 2"),
    case("few of VOC's and 255", gray(0, 15, 255), "class 0=0 class 15=15 | 0 1 -"),
    # -- values
    case("0, 128, 255", gray(0, 128, 255), "class 0=0 class 128=128 class 255=255 | 0 1 2", says="Classes by value."),
    case(
        "0, 128, 255 are said",
        gray(0, 128, 255),
        ["values, each a class: 0, 128, 255. If they mean something else, say it in data.palette"],
        told,
    ),
    case("indices are not", gray(0, 1, 2), [], told),
    case("10, 20, 30", gray(10, 20, 30), "class 10=10 class 20=20 class 30=30 | 0 1 2"),
    case("0, 100, 255", gray(0, 100, 255), "class 0=0 class 100=100 class 255=255 | 0 1 2"),
    case("85, 170, 255", gray(85, 170, 255), "class 85=85 class 170=170 class 255=255 | 0 1 2"),
    case(
        "0, 100, 200 in three channels",
        rgb(BLACK, (100,) * 3, (200,) * 3),
        "class 0=0 class 100=100 class 200=200 | 0 1 2",
    ),
    case("0, 1000, 2000", gray(0, 1000, 2000, kind=np.uint16), "class 0=0 class 1000=1000 class 2000=2000 | 0 1 2"),
    case(
        "floats 0, 1000, 70000",
        gray(0, 1000, 70000, kind=np.float32, suffix=".tif"),
        "class 0=0 class 1000=1000 class 70000=70000 | 0 1 2",
    ),
    case("floats 0 and 0.5", gray(0, 0.5, 1, kind=np.float32, suffix=".tif"), Refused("0.5", "whole numbers")),
    case("floats without a number", gray(0, 1, np.nan, kind=np.float32, suffix=".tif"), "class 0=0 class 1=1 | 0 1 -"),
    case("negative values", gray(-1, 0, 1, kind=np.int32, suffix=".tif"), Refused("-1", "nodata")),
    case("no data of a GeoTIFF", raster(0, 1, 2, kind="uint8", nodata=0), "class 1=1 class 2=2 | - 0 1"),
    case("no data −9999", raster(-9999, 0, 1, kind="int16", nodata=-9999), "class 0=0 class 1=1 | - 0 1"),
    case("no data 255", raster(0, 1, 255, kind="uint8", nodata=255), "class 0=0 class 1=1 | 0 1 -"),
    case("GeoTIFF of 32 bits without a sign", raster(0, 1, 2, kind="uint32"), THREE),
    case("GeoTIFF of 64-bit floats", raster(0, 1, 2, kind="float64"), THREE),
    case("GeoTIFF of signed bytes", raster(0, 1, 2, kind="int8"), THREE),
    # -- colors
    case("pure colors", rgb(BLACK, RED, GREEN), RGB3, says="Colors are classes by color; black is one of them."),
    case("black and green", rgb(BLACK, GREEN, GREEN), "#000000=#000000 #00ff00=#00ff00 | 0 1 1"),
    case(
        "any colors",
        rgb((1, 2, 3), (200, 100, 0), (128, 64, 128)),
        "#010203=#010203 #804080=#804080 #c86400=#c86400 | 0 2 1",
    ),
    case("opaque alpha", rgb((*BLACK, 255), (*RED, 255), (*GREEN, 255)), RGB3),
    case(
        "near colors",
        rgb((220, 20, 60), (220, 20, 80), (0, 0, 142)),
        "#00008e=#00008e #dc143c=#dc143c #dc1450=#dc1450 | 1 2 0",
    ),
    case(
        "colors and gray masks mixed",
        each(rgb(BLACK, RED, GREEN), gray(0, 0, 0)),
        "#000000=#000000 #00ff00=#00ff00 #ff0000=#ff0000 | 0 2~ 1~",
    ),
    case("colors without a common format", each(rgb(BLACK, RED, GREEN), rgb(BLACK, RED, GREEN, suffix=".bmp")), RGB3),
    # -- DeepGlobe
    case(
        "DeepGlobe",
        rgb(CYAN, YELLOW, BLUE),
        f"{DEEPGLOBE} | 0 1 4",
        beside=True,
        says="By file names and three colors.",
    ),
    case("DeepGlobe with unknown", rgb(BLACK, YELLOW, BLUE), f"{DEEPGLOBE} | - 1 4", beside=True),
    case(
        "DeepGlobe's colors, other names",
        rgb(CYAN, YELLOW, BLUE),
        "#0000ff=#0000ff #00ffff=#00ffff #ffff00=#ffff00 | 1 2 0",
    ),
    case(
        "DeepGlobe's names, two colors",
        rgb(BLACK, GREEN, GREEN),
        "#000000=#000000 #00ff00=#00ff00 | 0 1 1",
        beside=True,
    ),
    case("DeepGlobe's names, red among them", rgb(BLACK, RED, GREEN), RGB3, beside=True),
    case("DeepGlobe's names, indices", gray(0, 1, 2), THREE, beside=True),
    case("DeepGlobe asked for", rgb(BLACK, GREEN, BLUE), f"{DEEPGLOBE} | - 3 4", read("deepglobe")),
    case("DeepGlobe asked for, red in it", rgb(BLACK, GREEN, RED), f"{DEEPGLOBE} | - 3 - | 60 off", read("deepglobe")),
    case("DeepGlobe with fringes", rgb((3, 250, 251), (252, 255, 9), (7, 2, 240)), f"{DEEPGLOBE} | 0 1 4", beside=True),
    # -- palette files
    case(
        "palette files", indices((0, 1, 2), BLACK, RED, GREEN), THREE, says="Palette files of one palette hold indices."
    ),
    case("palette files as GIF", indices((0, 1, 2), BLACK, RED, GREEN, suffix=".gif"), THREE),
    case("palette files as TIFF", indices((0, 1, 2), BLACK, RED, GREEN, suffix=".tif"), THREE),
    case("palette files, 255 ignored", indices((0, 1, 255), BLACK, RED, *[BLUE] * 254), "class 0=0 class 1=1 | 0 1 -"),
    case(
        "palette files that differ",
        each(indices((0, 1, 2), BLACK, RED, GREEN), indices((2, 1, 0), GREEN, RED, BLACK)),
        RGB3,
        says="Palette files whose palettes differ are read by color.",
    ),
    case("palette files beside colors", each(indices((0, 1, 2), BLACK, RED, GREEN), rgb(BLACK, RED, GREEN)), RGB3),
    case("palette files beside indices", each(indices((0, 1, 2), BLACK, RED, GREEN), gray(0, 1, 2)), THREE),
    case(
        "palette files that differ unseen",
        each(indices((0, 1, 2), BLACK, RED, GREEN), indices((0, 1, 2), BLACK, RED, GREEN, BLUE)),
        THREE,
    ),
    # -- blended borders and loss
    case("smooth 0 and 255", smooth(0, 255, 255), OBJECT, scale=8, says="Shades at borders: the nearest class."),
    case(
        "smooth colors", smooth(BLACK, RED, GREEN), "#000000=#000000 #00ff00=#00ff00 #ff0000=#ff0000 | 0 2 1", scale=8
    ),
    case("smooth 0, 128, 255", smooth(0, 128, 255), "class 0=0 class 128=128 class 255=255 | 0~ 1 2~", scale=8),
    case("blurred all over", smooth(0, 255, 255, sigma=3), Refused("blurred", "data.palette"), scale=2),
    case("JPEG 0 and 255", gray(0, 255, 255, suffix=".jpg", quality=90), "background=0 object=255 | 0 1 1", scale=8),
    case(
        "JPEG colors",
        rgb(BLACK, RED, BLUE, suffix=".jpg", quality=92, subsampling=0),
        "#000000=#000000 #0000ff=#0000ff #ff0000=#ff0000 | 0 2 1",
        scale=8,
    ),
    case("JPEG of indices", gray(0, 1, 2, suffix=".jpg"), Refused("JPEG", "PNG"), scale=8),
    case("photographs", photo, Refused("photographs", "PNG"), scale=4),
    case("noise", noise, Refused("saved with", "PNG")),
    case("gray ramps", shallow(0, 255), Refused("PNG", "data.palette"), scale=4),
    # -- alpha
    case("drawn on transparent", rgb((0, 0, 0, 0), (*RED, 255), (*GREEN, 255)), RGB3),
    case("alpha alone", rgb((*WHITE, 0), (*WHITE, 255), (*WHITE, 255)), OBJECT),
    case(
        "black on transparent black",
        rgb((0, 0, 0, 0), (0, 0, 0, 255), (*RED, 255)),
        Refused("transparent", "without alpha"),
    ),
    case("half transparent", rgb((*BLACK, 200), (*RED, 200), (*GREEN, 200)), RGB3),
    # -- files
    case("mask turned by EXIF", turned, THREE),
    case("stacks", stack, Refused("holds 2 pictures")),
    case("CMYK", cmyk, Refused("CMYK")),
    case("empty files", raw(b""), Refused("empty file")),
    case("no pictures", raw(b"not a picture"), Refused("not an image")),
    case("cut short", raw(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), Refused("damaged")),
    # -- asked for
    case(
        "names and values",
        gray(0, 1, 2),
        "land=0 road=1 house=2 | 0 1 2",
        read(NAMED),
        says="data.palette: {land: 0, road: 1, house: 2}",
    ),
    case(
        "names in another order",
        gray(0, 1, 2),
        "house=2 land=0 road=1 | 1 2 0",
        read({"house": 2, "land": 0, "road": 1}),
    ),
    case("names and values, 0 and 255", gray(0, 255, 255), "land=0 road=255 | 0 1 1", read({"land": 0, "road": 255})),
    case("one value left out", gray(0, 1, 2), "land=0 road=1 | 0 1 - | 60 off", read({"land": 0, "road": 1})),
    case("a value to ignore", gray(0, 1, 2), "land=0 road=1 | 0 1 -", read({"land": 0, "road": 1, "ignore": 2})),
    case("values to ignore", gray(0, 1, 2), "land=0 | 0 - -", read({"land": 0, "void": [1, 2]})),
    case(
        "names and colors",
        rgb(BLACK, RED, GREEN),
        "land=#000000 road=#ff0000 house=#00ff00 | 0 1 2",
        read({"land": [0, 0, 0], "road": "#ff0000", "house": "#0f0"}),
    ),
    case(
        "a color to ignore",
        rgb(BLACK, RED, GREEN),
        "road=#ff0000 house=#00ff00 | - 0 1",
        read({"ignore": [0, 0, 0], "road": "#ff0000", "house": "#00ff00"}),
    ),
    case(
        "colors for palette files",
        indices((0, 1, 2), BLACK, RED, GREEN),
        "road=#ff0000 house=#00ff00 | - 0 1",
        read({"ignore": [0, 0, 0], "road": "#ff0000", "house": "#00ff00"}),
    ),
    case(
        "values for palette files", indices((0, 1, 2), BLACK, RED, GREEN), "land=0 road=1 house=2 | 0 1 2", read(NAMED)
    ),
    case(
        "values for indices in three channels",
        rgb(BLACK, (1, 1, 1), (2, 2, 2)),
        "land=0 road=1 house=2 | 0 1 2",
        read(NAMED),
    ),
    case("values for colors", rgb(BLACK, RED, GREEN), Refused("gives values", "#00ff00"), read(NAMED)),
    case("values of bits", bit, "land=0 road=1 | 0 1 1", read({"land": 0, "road": 1})),
    case("VOC by index", gray(0, 15, 255), f"{VOC} | 0 15 -", read("voc")),
    case(
        "smooth, with names", smooth(0, 255, 255), "land=0 road=255 | 0 1 1", read({"land": 0, "road": 255}, 8), scale=8
    ),
    case("a wrong value", gray(0, 1, 2), Refused("road = 'one'", "value"), read({"land": 0, "road": "one"})),
    case("a value too large", gray(0, 1, 2), Refused("road = 70000"), read({"land": 0, "road": 70000})),
    case(
        "a color too bright",
        gray(0, 1, 2),
        Refused("road = [0, 0, 256]"),
        read({"land": [0, 0, 0], "road": [0, 0, 256]}),
    ),
    case("a value that is true", gray(0, 1, 2), Refused("road = True"), read({"land": 0, "road": True})),
    case("one value twice", gray(0, 1, 2), Refused("land and road are both 0"), read({"land": 0, "road": 0})),
    case(
        "values and colors",
        gray(0, 1, 2),
        Refused("land has a value and road a color"),
        read({"land": 0, "road": "#ff0000"}),
    ),
    case("no class", gray(0, 1, 2), Refused("names 0 classes"), read({})),
    case("a name near a known one", gray(0, 1, 2), Refused("deepglobe"), read("deepglob")),
    # -- palettes from files
    case("palette of JSON", gray(0, 1, 2), "land=0 road=1 house=2 | 0 1 2", read("p.json"), p_json=json.dumps(NAMED)),
    case(
        "palette of YAML",
        gray(0, 1, 2),
        "land=0 road=1 house=2 | 0 1 2",
        read("p.yaml"),
        p_yaml="land: 0\nroad: 1\nhouse: 2\n",
    ),
    case("a list of names", gray(0, 1, 2), "land=0 road=1 house=2 | 0 1 2", read("p.txt"), p_txt="land\nroad\nhouse\n"),
    case(
        "names with numbers",
        gray(0, 1, 2),
        "land=0 road=1 house=2 | 0 1 2",
        read("p.txt"),
        p_txt="0 land\n1 road\n2 house\n",
    ),
    case(
        "class_dict.csv",
        rgb(BLACK, RED, GREEN),
        "road=#ff0000 house=#00ff00 | - 0 1",
        read("p.csv"),
        p_csv="name,r,g,b\nunknown,0,0,0\nroad,255,0,0\nhouse,0,255,0\n",
    ),
    case(
        "CSV with semicolons",
        gray(0, 1, 2),
        "land=0 road=1 house=2 | 0 1 2",
        read("p.csv"),
        p_csv="Name;Value\nland;0\nroad;1\nhouse;2\n",
    ),
    case(
        "CamVid's label colors",
        rgb(BLACK, RED, GREEN),
        "road=#ff0000 house=#00ff00 | - 0 1",
        read("p.txt"),
        p_txt="0 0 0\tVoid\n255 0 0\troad\n0 255 0\thouse\n",
    ),
    case(
        "CVAT's label map",
        rgb(BLACK, RED, GREEN),
        "background=#000000 road=#ff0000 house=#00ff00 | 0 1 2",
        read("p.txt"),
        p_txt="# label:color_rgb:parts:actions\nbackground:0,0,0::\nroad:255,0,0::\nhouse:0,255,0::\n",
    ),
    case(
        "JSON of rows",
        gray(0, 1, 2),
        "land=0 road=1 house=2 | 0 1 2",
        read("p.json"),
        p_json='[{"name": "land", "id": 0}, {"name": "road", "id": 1}, {"name": "house", "id": 2}]',
    ),
    case(
        "YOLO's names",
        gray(0, 1, 2),
        "land=0 road=1 house=2 | 0 1 2",
        read("p.yaml"),
        p_yaml="names:\n  0: land\n  1: road\n  2: house\n",
    ),
    case("no such file", gray(0, 1, 2), Refused("p.json", "cannot be read"), read("p.json")),
    case("JSON cut short", gray(0, 1, 2), Refused("p.json"), read("p.json"), p_json='{"land": '),
    case("an entry twice", gray(0, 1, 2), Refused("road stands twice"), read("p.txt"), p_txt="land\nroad\nroad\n"),
    case(
        "YAML with a character that is none",
        gray(0, 1, 2),
        Refused("p.yaml", "not valid YAML"),
        read("p.yaml"),
        p_yaml='land: 0\n"\\UFFFFFFFF": 1\n',
    ),
    case(
        "a name that no file can hold",
        gray(0, 1, 2),
        Refused("p.json", "not UTF-8 text"),
        read("p.json"),
        p_json='{"land": 0, "\\ud800": 1}',
    ),
    # -- what can be learned
    case("all ignored", gray(1, 1, 1), Refused("every pixel", "--sheet"), learnable({"land": 0})),
    case("one class", gray(0, 0, 0), Refused("one class", "--sheet"), learnable()),
    case("one class and 255", gray(0, 0, 0), Refused("one class", "--sheet"), learnable({"land": 0, "road": 255})),
    case("two classes", gray(0, 255, 255), [], learnable()),
    case(
        "a class in one mask",
        each(gray(0, 1, 1), gray(0, 0, 0), gray(0, 0, 0)),
        ["class 1 is in 1 of 3 masks"],
        learnable(),
    ),
    case("a class in no mask", gray(0, 1, 1), ["class 2 is in 0 of 3 masks"], learnable({"0": 0, "1": 1, "2": 2})),
    case("most ignored", gray(255, 0, 1), ["69% of the pixels are ignored"], learnable()),
]
