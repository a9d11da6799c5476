"""Answers as JSON, by the one writer of all JSON: NaN and infinity are null."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from sightline.files import json_text


class Json(JSONResponse):
    """An answer as JSON."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json_text(content).encode()
