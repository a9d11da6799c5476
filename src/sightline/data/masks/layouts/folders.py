"""Images and masks in folders of their own: images/ + masks/, imgs/ + labels/, JPEGImages/ + SegmentationClass/ …"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sightline.data.masks.layouts.base import IMAGE_ENDS, MASK_ENDS, Files, Found, in_order, match, stripped

# In small letters; case does not matter.
IMAGE_FOLDERS = frozenset({"images", "image", "imgs", "img", "jpegimages", "photos", "pictures", "sat", "rgb"})
MASK_FOLDERS = frozenset(
    {"masks", "mask", "labels", "label", "annotations", "annotation", "gt", "gts", "segmentationclass", "segmentation"}
    | {"segmentations", "groundtruth", "ground_truth", "ground-truth"}
)
VOC_SETS = Path("ImageSets", "Segmentation")


def folders(source: str, root: Path, files: Files) -> Found | None:
    """Find images and masks in folders side by side, anywhere below the source; folders above it do not count."""
    images, masks = sides(root, files)
    if not (images and masks):
        return None
    if any(part.lower() == "segmentationclass" for _, path in masks for part in path.relative_to(root).parts):
        return _voc(source, root, images, masks)
    return Found(in_order(match(source, root, images, masks)), how="folders of images and masks")


def sides(root: Path, files: Files) -> tuple[list[tuple[str, Path]], list[tuple[str, Path]]]:
    """Return images and masks, each with the place that it has in common with its partner; partners or not."""
    images: list[tuple[str, Path]] = []
    masks: list[tuple[str, Path]] = []
    for path in files:
        parts = path.relative_to(root).parts[:-1]
        names = [part.lower() for part in parts]
        at = max((i for i, name in enumerate(names) if name in IMAGE_FOLDERS | MASK_FOLDERS), default=None)
        if at is not None:
            place = "/".join((*parts[:at], "*", *parts[at + 1 :]))
            (images if names[at] in IMAGE_FOLDERS else masks).append((place, path))
    return images, masks


def _voc(source: str, root: Path, images: list[tuple[str, Path]], masks: list[tuple[str, Path]]) -> Found:
    """Find Pascal VOC's masks: only some of its images have one, and lists say which part they are in."""
    named = {(place, stem) for place, path in masks for stem in (path.stem, stripped(path.stem, MASK_ENDS))}
    labelled = [
        (place, path)
        for place, path in images
        if {(place, path.stem), (place, stripped(path.stem, IMAGE_ENDS))} & named
    ]
    parts: dict[str, str] = {}
    for file in root.rglob(str(VOC_SETS / "*.txt")):
        if file.stem in ("train", "val", "test"):
            parts |= dict.fromkeys(file.read_text(encoding="utf-8", errors="replace").split(), file.stem)
    pairs = match(source, root, labelled, masks)
    rest = len(images) - len(labelled)
    return Found(
        in_order(replace(pair, part=parts.get(pair.image.stem, pair.part)) for pair in pairs),
        how="folders of Pascal VOC",
        remarks=(f"{rest} images have no mask and are left out, as usual in Pascal VOC",) if rest else (),
    )
