"""Masks beside their images: NAME_sat.jpg with NAME_mask.png (DeepGlobe), or NAME.jpg with NAME_mask, _label, _gt …"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sightline.data.masks.layouts.base import IMAGE_ENDS, MASK_ENDS, Files, Found, in_order, match, stripped

IMAGE_END, MASK_END = "_sat", "_mask"
# Share of the images that must have a mask beside them: one file named NAME_mask says nothing of a folder.
MOSTLY = 0.5


def beside(source: str, root: Path, files: Files) -> Found | None:
    """Find masks beside their images."""
    images, masks = sides(files)
    if not (images and masks):
        return None
    return Found(in_order(match(source, root, _placed(images), _placed(masks))), how="masks beside images")


def sides(files: Files) -> tuple[list[Path], list[Path]]:
    """Return images and masks, partners or not; two empty lists where masks are not beside images."""
    masks = [path for path in files if path.stem.endswith(MASK_END)]
    images = [path for path in files if path.stem.endswith(IMAGE_END)]
    if images and _shared(images, masks):
        return images, masks
    masks = [path for path in files if stripped(path.stem, MASK_ENDS) != path.stem]
    folders, named = {path.parent for path in masks}, set(masks)
    images = [path for path in files if path.parent in folders and path not in named]
    return (images, masks) if images and _shared(images, masks) >= MOSTLY * len(images) else ([], [])


def _shared(images: Files, masks: Files) -> int:
    names = {(path.parent, stripped(path.stem, MASK_ENDS)) for path in masks}
    return sum(
        bool(names & {(path.parent, path.stem), (path.parent, stripped(path.stem, IMAGE_ENDS))}) for path in images
    )


def _placed(paths: Files) -> Iterable[tuple[str, Path]]:
    return [(str(path.parent), path) for path in paths]
