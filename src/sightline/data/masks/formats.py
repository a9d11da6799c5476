"""Masks to files: PNG, palette PNG, COCO run lengths, an overlay to look at. Polygons are in `outlines`. No torch."""

from __future__ import annotations

import colorsys
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from PIL import Image, PngImagePlugin

from sightline.files.atomic import atomic_path, write_bytes
from sightline.run_lengths import box_of, encode_rle

# Most masks of a palette PNG; index 0 is where no mask is.
MOST_INDICES = 255
# An overlay's color in the mask, and its contour's width in pixels.
VEIL, LINE = 0.45, 2
# Turns of hue between neighbors: any few masks in a row get colors far apart.
GOLDEN = 0.618034


def coco(
    image: str,
    size: tuple[int, int],
    categories: Sequence[dict[str, Any]],
    objects: Iterable[tuple[np.ndarray, dict[str, Any]]],
) -> dict[str, Any]:
    """Return a COCO data set of one image, segmentations as compressed run lengths.

    Args:
        image: its file name.
        size: height and width.
        categories: what is known of each, `name` at least; they are numbered from 1.
        objects: masks, bool (H, W), and what is known of each beside box and area: `category_id`, if not 1, and others
            such as `score`. Read once, so that no more than one mask need be in memory.
    """
    annotations = [
        {
            "id": number,
            "image_id": 1,
            "category_id": 1,
            "iscrowd": 0,
            "area": int(mask.sum()),
            "bbox": list(box_of(mask)),
            "segmentation": encode_rle(mask),
            **fields,
        }
        for number, (mask, fields) in enumerate(objects, start=1)
    ]
    return {
        "images": [{"id": 1, "file_name": image, "height": size[0], "width": size[1]}],
        "categories": [{"id": i, **category} for i, category in enumerate(categories, start=1)],
        "annotations": annotations,
    }


def palette_png(
    index: np.ndarray,
    colors: np.ndarray | Sequence[tuple[int, ...]],
    names: Sequence[str] = (),
    optimize: bool = True,
    chunks: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """Return indices as a palette PNG: small, exact, and in color in any viewer.

    Args:
        index: uint8 (H, W).
        colors: up to 256 RGB colors, the first of index 0; black beyond.
        names: of the indices, for the text chunk "classes", as JSON; () writes none.
        optimize: smaller, and slower.
        chunks: further text chunks.
    """
    table = np.zeros((256, 3), np.uint8)
    table[: len(colors)] = colors
    picture = Image.frombytes("P", index.shape[::-1], np.ascontiguousarray(index, np.uint8).tobytes())
    picture.putpalette(table.ravel().tolist())
    info = PngImagePlugin.PngInfo()
    if names:
        info.add_itxt("classes", json.dumps(list(names), ensure_ascii=False))
    for key, text in chunks.items():
        info.add_text(key, text)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=info, optimize=optimize)
    return buffer.getvalue()


def color(index: int) -> tuple[int, int, int]:
    """Return the color of mask `index`, RGB."""
    red, green, blue = colorsys.hsv_to_rgb((index * GOLDEN) % 1, 0.85, 1.0 if index % 2 else 0.85)
    return round(red * 255), round(green * 255), round(blue * 255)


def write_mask(path: Path, mask: np.ndarray) -> None:
    """Write bool (H, W) as a one-channel PNG, 255 inside and 0 outside."""
    _save(path, Image.fromarray(mask.astype(np.uint8) * np.uint8(255)))


def indexed(masks: Iterable[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Return uint8 (H, W): 0 where no mask is, i + 1 in mask i; where masks overlap the first counts."""
    index = np.zeros(size, np.uint8)
    for i, mask in enumerate(masks):
        if i == MOST_INDICES:
            break
        index[mask & (index == 0)] = i + 1
    return index


def write_palette(path: Path, masks: Iterable[np.ndarray], size: tuple[int, int]) -> None:
    """Write up to MOST_INDICES masks as one palette PNG; see `indexed`."""
    colors = [(0, 0, 0), *(color(i) for i in range(MOST_INDICES))]
    write_bytes(path, palette_png(indexed(masks, size), colors, optimize=False))


def write_overlay(path: Path, image: np.ndarray, masks: Iterable[np.ndarray]) -> None:
    """Write the image, uint8 (H, W, 3), with each mask as a colored veil and contour."""
    picture = image.copy()
    for i, mask in enumerate(masks):
        shade = np.array(color(i), np.float32)
        picture[mask] = (picture[mask] * (1 - VEIL) + shade * VEIL).astype(np.uint8)
        lines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, lines, -1, color(i), LINE)
    _save(path, Image.fromarray(picture))


def _save(path: Path, picture: Image.Image) -> None:
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG")
