"""Which files of a folder are images: one rule for training, prediction, prompting and the page."""

from __future__ import annotations

import os
from pathlib import Path

from sightline.data.images.decode import IMAGE_SUFFIXES
from sightline.errors import DataError


def is_image(path: Path) -> bool:
    """Return whether a path is a regular file with an image's suffix, and no hidden one.

    macOS gives each file of an archive a note with a leading dot: ._photo.jpg holds no photo. A FIFO of that name would
    block whoever opens it.
    """
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def images_below(folder: Path) -> list[Path]:
    """Return the images in and below a folder, sorted by path.

    Hidden folders are passed over, and so are links to folders, for they may lead in circles.
    """
    images = []
    for place, inner, names in os.walk(folder):
        inner[:] = [name for name in inner if not name.startswith(".")]
        images += [path for name in names if is_image(path := Path(place, name))]
    return sorted(images)


def images_in(path: Path) -> list[Path]:
    """Return the image that a path names, or all images in and below the folder that it names.

    Raises:
        DataError: nothing there, or a folder without images.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder; give an image or a folder of images")
    images = images_below(path)
    if not images:
        raise DataError(f"{path}: no images in this folder; known are {', '.join(sorted(IMAGE_SUFFIXES))}")
    return images
