"""Masks as pictures: in their palette, over their image, their errors, and how they changed over training."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sightline.config import IGNORE_INDEX
from sightline.data.masks.formats import palette_png
from sightline.files.atomic import write_bytes

OPACITY = 0.5  # the image and the colours are then equally easy to see
WRONG, RIGHT = np.array((208, 45, 60), np.uint8), np.array((225, 229, 235), np.uint8)
GAP, BAND = 6, 22  # pixels between the pictures of a strip, and above them for their titles
FRAME_MS, LAST_MS = 700, 2500


def paint(mask: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Return class indices uint8 (H, W) in their colours, uint8 (H, W, 3); ignored pixels black.

    Args:
        mask: class indices, 255 ignored.
        colors: uint8 (K, 3).
    """
    table = np.zeros((256, 3), np.uint8)
    table[: len(colors)] = colors
    table[IGNORE_INDEX] = 0
    return table[mask]


def overlay(image: np.ndarray, mask: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Return the image uint8 (H, W, 3) with the mask's colours laid over it; ignored pixels show the image alone."""
    blended = (image * (1 - OPACITY) + paint(mask, colors) * OPACITY).astype(np.uint8)
    return np.where((mask == IGNORE_INDEX)[..., None], image, blended)


def error_map(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return where the prediction is wrong, uint8 (H, W, 3): red wrong, light grey right, black ignored."""
    picture = np.where((truth == predicted)[..., None], RIGHT, WRONG)
    return np.where((truth == IGNORE_INDEX)[..., None], np.uint8(0), picture)


def save_palette_png(path: Path, mask: np.ndarray, colors: np.ndarray) -> None:
    """Write class indices as a palette PNG."""
    write_bytes(path, palette_png(mask, colors))


def save_png(path: Path, pixels: np.ndarray) -> None:
    """Write pixels, uint8 (H, W, 3)."""
    write_bytes(path, _encoded(Image.fromarray(pixels), "PNG", optimize=True))


def strip(pictures: Sequence[tuple[str, np.ndarray]], side: int = 192) -> np.ndarray:
    """Return titled pictures side by side on white, each fitted to `side` pixels of height, uint8 (H, W, 3)."""
    fitted = [(title, _fitted(pixels, side)) for title, pixels in pictures]
    width = sum(picture.width for _, picture in fitted) + GAP * (len(fitted) + 1)
    sheet = Image.new("RGB", (width, side + BAND + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    left = GAP
    for title, picture in fitted:
        draw.text((left, 3), title, fill=(27, 31, 36), font=font)
        sheet.paste(picture, (left, BAND))
        left += picture.width + GAP
    return np.asarray(sheet)


def sheet(
    rows: Sequence[Sequence[tuple[str, np.ndarray]]], legend: Sequence[str], colors: np.ndarray, side: int = 192
) -> np.ndarray:
    """Return strips two abreast above a legend, uint8 (H, W, 3).

    Args:
        rows: of each strip its titled pictures.
        legend: a line for each color.
        colors: uint8 (K, 3).
        side: height of each picture in pixels.
    """
    strips = [strip(row, side) for row in rows]
    columns = [strips[::2], strips[1::2]]
    widths = [max((s.shape[1] for s in column), default=0) for column in columns]
    top = sum(s.shape[0] for s in columns[0])
    picture = Image.new("RGB", (max(sum(widths), side * 2), top + BAND * (len(legend) + 1)), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    for left, column in zip((0, widths[0]), columns, strict=True):
        for number, one in enumerate(column):
            picture.paste(Image.fromarray(one), (left, number * (side + BAND + GAP)))
    for number, (line, color) in enumerate(zip(legend, colors.tolist(), strict=True)):
        y = top + BAND * number + GAP
        draw.rectangle((GAP, y, GAP + 14, y + 14), fill=tuple(color), outline=(27, 31, 36))
        draw.text((GAP + 22, y), line, fill=(27, 31, 36), font=font)
    return np.asarray(picture)


def save_gif(path: Path, frames: Sequence[np.ndarray]) -> None:
    """Write frames, uint8 (H, W, 3), as an endless GIF that rests on the last."""
    images = [Image.fromarray(frame).quantize(64) for frame in frames]
    durations = [FRAME_MS] * (len(images) - 1) + [LAST_MS]
    options: dict[str, Any] = {"save_all": True, "append_images": images[1:], "duration": durations, "loop": 0}
    write_bytes(path, _encoded(images[0], "GIF", **options))


def _fitted(pixels: np.ndarray, side: int) -> Image.Image:
    image = Image.fromarray(pixels)
    return image.resize((max(1, round(image.width * side / image.height)), side), Image.Resampling.LANCZOS)


def _encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()
