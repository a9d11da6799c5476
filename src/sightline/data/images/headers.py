"""Sizes and modes of all images of a data set, from their headers: no pixel is decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.data.images.decode import opened
from sightline.data.images.quiet import quiet
from sightline.files.places import open_place

THREADS = 4  # reading waits for the disk


@dataclass(frozen=True)
class Header:
    """What a file says of its image: width and height in pixels, and Pillow's mode with the bits that it hides."""

    width: int
    height: int
    mode: str


def read_headers(paths: Sequence[Path]) -> list[Header | None]:
    """Return the header of each file; None where Pillow does not know it: the decoder says why, or GDAL reads it."""
    with ThreadPoolExecutor(THREADS, thread_name_prefix="headers") as pool:
        return list(pool.map(_header, paths))


def _header(path: Path) -> Header | None:
    try:
        with quiet(), opened(path) as image:
            width, height, mode = *image.size, image.mode
            if image.format == "PNG" and mode in ("LA", "RGB", "RGBA"):
                # Of 16-bit colors Pillow's mode says nothing, and the file does.
                with open_place(path) as file:
                    mode += ", 16 bits" if file.read(25)[24:] == b"\x10" else ""
            return Header(width, height, mode)
    except Exception:  # a damaged file meets nearly any exception there is, and the decoder names it
        return None


def header_rows(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return rows (what, value) of the modes and of the smallest, the median and the largest size."""
    known = [header for header in read_headers(paths) if header is not None]
    if not known:
        return []
    modes = Counter(header.mode for header in known)
    rows: list[dict[str, Any]] = [{"what": f"mode {mode}", "value": count} for mode, count in sorted(modes.items())]
    order = sorted(known, key=lambda header: (header.width * header.height, header.width))
    shapes = {(header.width, header.height) for header in known}
    if len(shapes) == 1:
        return [*rows, {"what": "size of all", "value": _size(order[0])}]
    sides = np.median([min(header.width, header.height) for header in known])
    return [
        *rows,
        {"what": "different sizes", "value": len(shapes)},
        {"what": "smallest size", "value": _size(order[0])},
        {"what": "largest size", "value": _size(order[-1])},
        {"what": "median of the shorter side", "value": f"{sides:g} px"},
    ]


def _size(header: Header) -> str:
    return f"{header.width} × {header.height}"
