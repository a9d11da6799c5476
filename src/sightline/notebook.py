"""What results show in a notebook: a small table, a picture, a link. HTML without scripts, every text escaped."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MOST = 10  # rows that are shown; the rest is counted
WIDTH = 640  # pixels of a picture, at most


def table(rows: Sequence[Mapping[str, Any]], title: str = "", total: int | None = None) -> str:
    """Return rows as an HTML table, the first `MOST` of them.

    Args:
        rows: column → value.
        title: above it.
        total: how many rows there are, where not all were handed over.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    head = "".join(f"<th>{escape(str(column))}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_text(row.get(column, '')))}</td>" for column in columns) + "</tr>"
        for row in rows[:MOST]
    )
    left = (total or len(rows)) - min(len(rows), MOST)
    more = f"<p>and {left} more</p>" if left > 0 else ""
    caption = f"<caption>{escape(title)}</caption>" if title else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def picture(pixels: np.ndarray, title: str = "") -> str:
    """Return an image as HTML that needs no file: pixels uint8 (H, W) or (H, W, 3)."""
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    image.thumbnail((WIDTH, WIDTH))
    image.save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    words = escape(title, quote=True)
    return f'<img alt="{words}" title="{words}" src="data:image/png;base64,{data}">'


def figure(path: Path) -> str:
    """Return a picture file as HTML that needs no file."""
    import numpy as np
    from PIL import Image

    with Image.open(path) as image:
        return picture(np.asarray(image.convert("RGB")), path.stem)


def link(path: Path) -> str:
    """Return a link to a local file or folder."""
    return f'<p><a href="{escape(path.absolute().as_uri(), quote=True)}">{escape(str(path))}</a></p>'


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
