"""Generated pictures to time things on: JPEG-like statistics, no download."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

QUALITY = 90  # of the JPEGs: what cameras and data sets commonly use


def pictures(count: int, side: int, seed: int = 0) -> list[np.ndarray]:
    """Return smooth random images with some noise, uint8 (side, side, 3)."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(count):
        coarse = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.int16)
        images.append(np.clip(image + rng.integers(-12, 13, image.shape), 0, 255).astype(np.uint8))
    return images


def picture_folder(folder: Path, count: int, side: int) -> Path:
    """Return `folder` holding `count` JPEGs of `side` pixels; written when they are not there yet."""
    if not (folder / "whole").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            Image.fromarray(pictures(1, side, index)[0]).save(folder / f"{index:06d}.jpg", quality=QUALITY)
        (folder / "whole").touch()
    return folder
