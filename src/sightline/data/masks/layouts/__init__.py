"""Layouts of images with masks: each is one file here and one line in `MASK_LAYOUTS`."""

from __future__ import annotations

from pathlib import Path

from sightline.data.masks.layouts.base import IMAGE_ENDS, MASK_ENDS, Files, Found, Layout, Pair, stripped
from sightline.data.masks.layouts.beside import beside
from sightline.data.masks.layouts.beside import sides as sides_beside
from sightline.data.masks.layouts.coco import coco
from sightline.data.masks.layouts.folders import folders
from sightline.data.masks.layouts.folders import sides as sides_of_folders
from sightline.data.masks.layouts.labelme import labelme
from sightline.data.masks.layouts.project import project
from sightline.data.masks.layouts.yolo import yolo

# Name, as `data.layout` has it, and finder, in the order in which auto tries them.
MASK_LAYOUTS: dict[str, Layout] = {
    "project": project,
    "folders": folders,
    "pairs": beside,
    "labelme": labelme,
    "coco": coco,
    "yolo": yolo,
}


def masks_among(root: Path, files: Files) -> set[Path]:
    """Return which image files of a folder are masks of others there, so that they are no photographs."""
    images, masks = sides_of_folders(root, files)
    if not (images and masks):
        images, masks = ([(str(path.parent), path) for path in side] for side in sides_beside(files))
    names = {(place, stem) for place, path in images for stem in (path.stem, stripped(path.stem, IMAGE_ENDS))}
    partners = [{(place, path.stem), (place, stripped(path.stem, MASK_ENDS))} & names for place, path in masks]
    return {path for _, path in masks} if any(partners) else set()


__all__ = ["MASK_LAYOUTS", "Found", "Pair", "masks_among"]
