"""Read other packages' test images by the decoder and the mask reader, and write what came out to docs/real-files.md.

    uv run --with tifffile --with imagecodecs python docs/real_files.py NAME=FOLDER…

Of each file: an image of the right shape and type, equal to what another library reads of it (or the rule by which it
is not), or a refusal that names the reason. Nothing else may come of it; what does is printed last. Sections of the
page that have other names stay as they are.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from sightline.data import UnreadableImage, decode
from sightline.data.images.decode import open_image
from sightline.data.images.folder import known_suffixes
from sightline.data.images.reading import Reading
from sightline.data.masks.planes import read_plane
from sightline.errors import DataError

PAGE = Path(__file__).parent / "real-files.md"
COLORS = 3
CHROMA = 0.5  # levels, in the mean, by which decoders differ that spread JPEG's halved colors in another way
SHOWN = 3
HEAD = (
    "# Real files\n\nTest images that come with other packages, each read by the one decoder and by the mask reader, "
    "and compared\nwith what another library reads of it. Written by `docs/real_files.py`, which says how to run it.\n"
)
MARKS = ("OTHER", "WHICH", "WITHOUT")  # words of an outcome that none should have


@contextmanager
def silent() -> Iterator[None]:
    """Keep the remarks of libraries away."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def by_pillow(path: Path) -> np.ndarray | None:
    """Return what Pillow alone sees of a file, uint8 (H, W, 3) upright on white; None where it is not of 8 bits."""
    with silent(), Image.open(path) as image:
        if image.mode not in ("1", "L", "P", "PA", "LA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB"):
            return None
        if image.format in ("PNG", "TIFF") and _deep(path, image):
            return None
        upright = ImageOps.exif_transpose(image)
        if upright.has_transparency_data:
            upright = upright.convert("RGBA")
            white = Image.new("RGBA", upright.size, "white")
            return np.asarray(Image.alpha_composite(white, upright).convert("RGB"))
        return np.asarray(upright.convert("RGB"))


def by_tifffile(path: Path) -> np.ndarray | None:
    """Return the numbers of a TIFF's first page as tifffile reads them, (H, W, 1 or 3); None where colors are coded."""
    import tifffile

    with silent(), tifffile.TiffFile(path) as file:
        page = file.pages.first
        numbers = page.asarray()
        if page.photometric.name not in ("MINISBLACK", "RGB") or page.imagedepth > 1 or 274 in page.tags:
            return None
        if numbers.ndim == 3 and page.planarconfig.name == "SEPARATE":
            numbers = numbers.transpose(1, 2, 0)
    numbers = numbers[..., None] if numbers.ndim == 2 else numbers
    if numbers.ndim != 3 or numbers.dtype.kind not in "buif":
        return None
    return numbers[..., :COLORS] if numbers.shape[2] >= COLORS else numbers[..., :1]


def _deep(path: Path, image: Image.Image) -> bool:
    if image.format == "TIFF":
        bits = image.tag_v2.get(258, (8,))  # pyright: ignore[reportAttributeAccessIssue]
        return max(bits) > 8 or image.mode == "LAB"
    with path.open("rb") as file:
        return file.read(26)[24] == 16


def outcome(path: Path) -> str:
    """Return what came of a file as an image, in a few words that many files share."""
    try:
        with silent():
            pixels = decode(path)
    except (UnreadableImage, DataError) as error:
        return f"refused: {kind_of(str(error), path)}{', WHICH PILLOW READS' if pillow_reads(path) else ''}"
    if (pixels.dtype, pixels.ndim, pixels.shape[-1]) != (np.uint8, 3, COLORS) or not pixels.size:
        return f"OTHER shape or type: {pixels.dtype} {pixels.shape}"
    return "read: " + compared(path, pixels)


def pillow_reads(path: Path) -> bool:
    """Return whether Pillow alone reads a file to its end."""
    try:
        with silent(), Image.open(path) as image:
            image.load()
    except Exception:
        return False
    return True


def compared(path: Path, pixels: np.ndarray) -> str:
    """Return which other library reads the same pixels; where none does, what Sightline's rules make of the file."""
    tiff = path.suffix.lower() in (".tif", ".tiff")
    others: list[str] = []
    for name, read in (("Pillow", by_pillow), ("tifffile", by_tifffile))[: 2 if tiff else 1]:
        try:
            other = read(path)
        except Exception:
            others.append(f"not read by {name}")
            continue
        if other is None:
            others.append(f"nothing to compare from {name}")
        elif (said := agreement(path, pixels, other)) is not None:
            return f"as by {name}{said}"
        else:
            others.append(f"other than {name}")
    with silent(), open_image(path) as raster:
        if raster.remarks:
            return "a soft fourth band, taken for a band and said so"
        if raster.kind != np.uint8:
            return f"{', '.join(others)}; scaled {raster.kind}"
        if raster.count > COLORS:
            return "the first three of several bands"
    return ", ".join(others).replace("other", "OTHER")


def agreement(path: Path, pixels: np.ndarray, other: np.ndarray) -> str | None:
    """Return "" where the pixels are what another library reads, how near they are; None where they differ."""
    low, high = float(other.min()), float(other.max())
    if other.dtype != np.uint8:
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            return None
        # Between the same two values, for the check alone.
        with silent():
            pixels = decode(path, reading=Reading(scale=((low, high),)))
        other = np.rint((other.astype(np.float64) - low) * (255 / (high - low)))
    other = np.repeat(other, COLORS, axis=2) if other.shape[2] == 1 else other
    if other.shape != pixels.shape:
        return None
    difference = np.abs(pixels.astype(int) - other.astype(int))
    if not difference.any():
        return ""
    if difference.max() <= 1:
        return " within 1"
    return " but for the colors of JPEG's blocks" if float(difference.mean()) < CHROMA else None


def kind_of(reason: str, path: Path) -> str:
    """Return the reason of a refusal without what is of this file alone."""
    if path.name not in reason:
        return "WITHOUT ITS NAME"
    text = reason.replace(str(path), "").strip(": ")
    return text.split("(")[0].split(";")[0].strip()[:90]


def mask_outcome(path: Path) -> str:
    """Return what came of a file as a mask."""
    try:
        with silent():
            plane = read_plane(path)
    except (UnreadableImage, DataError) as error:
        return "refused" if path.name in str(error) else "refused WITHOUT ITS NAME"
    if plane.pixels.ndim not in (2, 3) or not plane.pixels.size:
        return f"OTHER shape: {plane.pixels.shape}"
    colors = "indices of a palette" if plane.table is not None else "colors" if plane.pixels.ndim == 3 else "values"
    return f"{colors}, {plane.pixels.dtype}"


def _sections(page: str) -> dict[str, str]:
    """Return the text of each section of the page, from its name on, by its name."""
    return {text.partition("\n")[0]: text for text in page.split("\n## ")[1:]}


def main() -> None:
    """Read every file of the folders, and write the page."""
    wrong: list[str] = []
    sections = {} if not PAGE.is_file() else _sections(PAGE.read_text(encoding="utf-8"))
    for given in sys.argv[1:]:
        name, _, folder = given.partition("=")
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        images = [path for path in files if path.suffix.lower() in known_suffixes()]
        rows: dict[str, list[str]] = defaultdict(list)
        masks: Counter[str] = Counter()
        for path in images:
            for read in (outcome, mask_outcome):
                try:
                    said = read(path)
                except Exception as error:
                    said = f"OTHER than an answer: {type(error).__name__}: {error}"
                if any(mark in said for mark in MARKS):
                    wrong.append(f"{path}: {said}")
                if read is outcome:
                    rows[said].append(path.name)
                else:
                    masks[said] += 1
        page = io.StringIO()
        page.write(f"{name}\n{len(images)} files whose suffix Sightline reads, of {len(files)}.\n\n")
        page.write("| as an image | files | such as |\n|---|---|---|\n")
        for said, names in sorted(rows.items(), key=lambda row: (-len(row[1]), row[0])):
            page.write(f"| {said} | {len(names)} | {', '.join(f'`{each}`' for each in names[:SHOWN])} |\n")
        page.write("\n| as a mask | files |\n|---|---|\n")
        for said, count in masks.most_common():
            page.write(f"| {said} | {count} |\n")
        sections[name] = page.getvalue()
        print(page.getvalue())
    PAGE.write_text("\n## ".join([HEAD, *sections.values()]), encoding="utf-8")
    print("\n".join(wrong), file=sys.stderr)


if __name__ == "__main__":
    main()
