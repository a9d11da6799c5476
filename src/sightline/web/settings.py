"""Limits of the page: sizes, times, memory. Every default has its reason here."""

from __future__ import annotations

from dataclasses import dataclass

MEGA = 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """Limits of one server.

    Attributes:
        max_upload_bytes: of one uploaded file; 64 MB holds a 40-megapixel PNG or any phone's photo.
        max_pixels: of one picture, uploaded or not; 40 megapixels are a good camera's, and 120 MB decoded.
        max_stored_bytes: of all uploads together, on disk; beyond it the oldest goes.
        max_pictures: uploads of one session; beyond it its oldest goes.
        state_bytes: memory for pixels and what the engine made of them; beyond it the least used goes and is made
            again on the next click. SAM's features of an image are about 4 MB, the pixels of a 12-megapixel one 36.
        max_request_bytes: of a prompt; a hundred points are 4 kB.
        max_export_bytes: of the masks that come back for an export.
        session_seconds: without a request, after which a session ends and its uploads go; a working day.
        max_sessions: at a time; beyond it the least used ends. A person has a few browsers.
        max_waiting: calls that may wait for the engine.
        stop_seconds: for requests to end after Ctrl-C.
    """

    max_upload_bytes: int = 64 * MEGA
    max_pixels: int = 40_000_000
    max_stored_bytes: int = 1024 * MEGA
    max_pictures: int = 200
    state_bytes: int = 1024 * MEGA
    max_request_bytes: int = 256 * 1024
    max_export_bytes: int = 32 * MEGA
    session_seconds: float = 8 * 3600
    max_sessions: int = 32
    max_waiting: int = 16
    stop_seconds: int = 1
