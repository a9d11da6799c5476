"""A contact sheet: some images of each class, to look at before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from sightline.config import DataConfig
from sightline.data.images.decode import UnreadableImage, decode
from sightline.data.labelled.listing import ImageSet, Sample, list_images
from sightline.data.masks.pictures import save_png, strip
from sightline.files import Outputs

# Images a row, each cut to a square of SIDE pixels: a row fits a screen of 1000 pixels.
ACROSS, SIDE = 8, 112
WHITE = 255


def write_contact_sheet(config: DataConfig, path: Path, rows: int = 2) -> int:
    """Write a PNG with images of each class, evenly spaced in its list; return how many it shows.

    Args:
        config: the images; without labels they are one class.
        path: the file.
        rows: of each class, at most.

    Raises:
        DataError: no images, or the file is one of them, or is there and Sightline did not write it.
    """
    listing = list_images(config)
    inputs = [sample.path for sample in listing.samples]
    outputs = Outputs([(Path(listing.name), path)], inputs)
    strips, shown = list[np.ndarray](), 0
    for title, samples in _groups(listing):
        places = np.unique(np.linspace(0, len(samples) - 1, min(len(samples), rows * ACROSS)).astype(int))
        pictures = [picture for i in places if (picture := _square(samples[i].path)) is not None]
        shown += len(pictures)
        for begin in range(0, len(pictures), ACROSS):
            titles = [f"{title}: {len(samples)} images" if begin == 0 else "", *[""] * (ACROSS - 1)]
            strips.append(strip(list(zip(titles, pictures[begin : begin + ACROSS], strict=False)), SIDE))
    width = max((picture.shape[1] for picture in strips), default=1)
    padded = [np.pad(s, ((0, 0), (0, width - s.shape[1]), (0, 0)), constant_values=WHITE) for s in strips]
    with outputs.writing():
        save_png(path, np.concatenate(padded) if padded else np.full((1, 1, 3), WHITE, np.uint8))
    return shown


def _groups(listing: ImageSet) -> list[tuple[str, Sequence[Sample]]]:
    if not listing.classes:
        return [(Path(listing.name).name, listing.samples)]
    labels = listing.labels
    return [
        (name, [listing.samples[i] for i in np.flatnonzero(labels == number)])
        for number, name in enumerate(listing.classes)
        if (labels == number).any()
    ]


def _square(path: Path) -> np.ndarray | None:
    """Return the middle of an image, uint8 (SIDE, SIDE, 3); None where it cannot be read, as `data check` tells."""
    try:
        pixels = decode(path, at_least=SIDE)
    except UnreadableImage:
        return None
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(np.ascontiguousarray(pixels[top : top + side, left : left + side, :3]))
    return np.asarray(square.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
