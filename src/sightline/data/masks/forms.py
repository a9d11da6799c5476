"""Forms in which predicted masks are written: colors, values or palette files, each stating its palette.

A mask that states its palette is read back as the same classes, whatever its pixels would mean by themselves.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from sightline.config.types import MaskForm
from sightline.data.masks.palette import Palette
from sightline.data.masks.planes import CHUNK
from sightline.files.atomic import write_bytes


@dataclass(frozen=True)
class Form:
    """How the masks of one palette are written.

    Attributes:
        palette: of what is written.
        name: rgb, index or palette.
    """

    palette: Palette
    name: MaskForm

    @classmethod
    def of(cls, palette: Palette, name: MaskForm | None) -> Form:
        """Return a form of a run's palette, None for that of its masks: values of an indexed palette, or colors.

        Classes without a value of 8 bits are numbered in palette files.
        """
        name = name or ("index" if palette.indexed else "rgb")
        if name == "rgb":
            return cls(palette.as_colors(), name)
        values = palette.as_values()
        if name == "palette" and max(values.values, default=0) > 255:
            values = replace(values, values=tuple(range(len(values.classes))), ignored_values=(255,))
        return cls(values, name)

    def pixels(self, indices: np.ndarray) -> np.ndarray:
        """Return what is written of class indices uint8 (H, W): uint8 (H, W, 3), or uint8 or uint16 (H, W)."""
        return self.palette.decode(indices) if self.name == "rgb" else self.palette.decode_values(indices)

    @property
    def stated(self) -> str:
        """The palette, as the file states it."""
        return json.dumps(self.palette.to_dict())

    @property
    def table(self) -> np.ndarray:
        """Colors of values, uint8 (256, 3), of a palette file."""
        colors = np.zeros((256, 3), np.uint8)
        colors[list(self.palette.values)] = self.palette.colors
        colors[self.palette.void] = self.palette.void_color
        return colors

    @property
    def nodata(self) -> int | None:
        """The value of pixels without data in a GeoTIFF; None where every color may be of a class."""
        return self.palette.void_gray if self.name == "rgb" else self.palette.void

    def save(self, path: Path, indices: np.ndarray) -> None:
        """Write class indices, uint8 (H, W), as a PNG."""
        pixels = self.pixels(indices)
        picture = Image.fromarray(pixels)
        if self.name == "palette":
            picture = Image.frombytes("P", pixels.shape[::-1], np.ascontiguousarray(pixels).tobytes())
            picture.putpalette(self.table.ravel().tolist())
        info, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
        info.add_itxt(CHUNK, self.stated)
        picture.save(buffer, "PNG", pnginfo=info, optimize=True)
        write_bytes(path, buffer.getvalue())

    def raster(self) -> dict[str, Any]:
        """Return what `write_raster` is told of a GeoTIFF of this form."""
        if self.name == "rgb":
            return {"description": self.stated}
        kind = "uint16" if max([self.palette.void, *self.palette.values]) > 255 else "uint8"
        table = {i: (*color, 255) for i, color in enumerate(self.table.tolist())} if self.name == "palette" else None
        return {"description": self.stated, "bands": 1, "kind": kind, "colormap": table}
