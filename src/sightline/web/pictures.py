"""Pictures by id: those named at the start and those uploaded. No path ever comes from a browser."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from sightline.data import UnreadableImage, decode, image_size, shrink
from sightline.data.images.folder import name_below
from sightline.data.images.reading import Reading
from sightline.data.images.reading import picture as seen
from sightline.web.problem import Problem
from sightline.web.sessions import Session
from sightline.web.settings import MEGA, Settings
from sightline.web.uploads import UploadFolder

# What may be opened: formats that Pillow decodes itself, MPO by way of JPEG. Another, EPS, would start Ghostscript.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
THUMBNAIL = 160  # pixels of the shorter side: an 80-pixel tile on a screen of double density
LOSSLESS = 2_000_000  # pixels up to which a picture is shown as PNG; a larger one as JPEG, ten times faster to send
JPEG_QUALITY = 92
JPEG_LONGEST = 65_500  # pixels of a side that a JPEG can have
NAME_LENGTH = 120


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        id: as the browser knows it.
        name: for people.
        path: of its file.
        owner: key of the session that uploaded it; "" for one named at the start.
        place: its path below the folder of the project's pictures; "" for an upload, which is in no project.
        stored: bytes of an upload on disk.
    """

    id: str
    name: str
    path: Path
    owner: str = ""
    stored: int = 0
    place: str = ""


class Pictures:
    """All pictures of a server.

    Args:
        paths: those named at the start, shown to every session.
        settings: limits.
        root: the folder that those are below; None for one name each.
        reading: bands and scale that pictures are shown with; by default as each file says.
    """

    def __init__(
        self, paths: Sequence[Path], settings: Settings, root: Path | None = None, reading: Reading | None = None
    ) -> None:
        self._settings, self._reading = settings, reading
        self._given = {f"f{i}": _given(i, path, root) for i, path in enumerate(paths)}
        self._uploads: OrderedDict[str, Picture] = OrderedDict()
        self._stored = 0
        self._folder = UploadFolder()
        self._decoding = threading.BoundedSemaphore(2)  # pictures in hand at a time, each of up to 120 MB

    @property
    def stored(self) -> int:
        """Bytes of uploads on disk."""
        return self._stored

    def close(self) -> None:
        """Remove all uploads."""
        self._folder.close()
        self._uploads.clear()
        self._stored = 0

    @property
    def given(self) -> list[Picture]:
        """Those named at the start."""
        return list(self._given.values())

    def shown_to(self, session: Session) -> list[Picture]:
        """Return the pictures of a session: its uploads, newest first, then those named at the start."""
        uploads = [self._uploads[key] for key in reversed(session.uploads) if key in self._uploads]
        return uploads + list(self._given.values())

    def find(self, key: str, session: Session) -> Picture:
        """Return a picture by its id.

        Raises:
            Problem: there is none, or it is another session's.
        """
        picture = self._given.get(key) or self._uploads.get(key)
        if picture is None or picture.owner not in ("", session.key):
            raise Problem(404, "There is no such picture here any more; choose another or upload it again.")
        return picture

    def pixels(self, picture: Picture) -> np.ndarray:
        """Return a picture, uint8 (H, W, 3) RGB.

        Raises:
            Problem: its file is no image, or has too many pixels.
        """
        with self._decoding:
            return self._decode(picture)

    def shown(self, picture: Picture) -> tuple[bytes, str]:
        """Return a picture as a browser shows it, upright, and its media type."""
        with self._decoding:
            pixels = cv2.cvtColor(self._decode(picture), cv2.COLOR_RGB2BGR)
            if pixels.shape[0] * pixels.shape[1] <= LOSSLESS or max(pixels.shape) > JPEG_LONGEST:
                return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes(), "image/png"
            return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes(), "image/jpeg"

    def thumbnail(self, picture: Picture) -> bytes:
        """Return a small JPEG."""
        with self._decoding:
            return small_jpeg(self._decode(picture, at_least=THUMBNAIL))

    def _decode(self, picture: Picture, at_least: int | None = None) -> np.ndarray:
        try:
            width, height = image_size(picture.path, FORMATS)
            self._check_pixels(picture.name, width * height)
            reading = None if picture.owner else self._reading
            return seen(decode(picture.path, reading=reading, at_least=at_least))
        except UnreadableImage as error:
            raise Problem(415, f"{picture.name}: {error.reason}") from None

    async def add(self, session: Session, name: str, declared: int | None, chunks: AsyncIterator[bytes]) -> Picture:
        """Store an upload, cut off where it is too large.

        Args:
            session: whose it is.
            name: as the browser gave it, for people only.
            declared: its Content-Length, if any.
            chunks: its bytes.

        Raises:
            Problem: too large, or empty, or the session ended meanwhile.
        """
        limit = self._settings.max_upload_bytes
        if declared is not None and declared > limit:
            raise Problem(413, _too_large(limit))
        key = "u" + secrets.token_hex(12)
        path, size = self._folder.path / key, 0
        try:
            with path.open("xb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > limit:
                        raise Problem(413, _too_large(limit))
                    file.write(chunk)
            if not size:
                raise Problem(400, "The upload is empty.")
            if session.ended:
                raise Problem(401, "The session ended meanwhile; open the address that the terminal shows.")
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._make_room(session, size)
        picture = Picture(key, _clean(name), path, session.key, size)
        self._uploads[key] = picture
        self._stored += size
        session.uploads.append(key)
        return picture

    def remove(self, key: str) -> None:
        """Forget an upload; one that is not there is passed over."""
        picture = self._uploads.pop(key, None)
        if picture is not None:
            self._stored -= picture.stored
            picture.path.unlink(missing_ok=True)

    def _make_room(self, session: Session, size: int) -> None:
        session.uploads[:] = [key for key in session.uploads if key in self._uploads]
        while len(session.uploads) >= self._settings.max_pictures:
            self.remove(session.uploads.pop(0))
        while self._uploads and self._stored + size > self._settings.max_stored_bytes:
            self.remove(next(iter(self._uploads)))

    def _check_pixels(self, name: str, pixels: int) -> None:
        if pixels > self._settings.max_pixels:
            raise Problem(
                413,
                f"{name}: {pixels / 1e6:,.1f} megapixels, over this page's limit of "
                f"{self._settings.max_pixels / 1e6:g}; cut it into tiles, or start with a higher --max-megapixels.",
            )


def _given(number: int, path: Path, root: Path | None) -> Picture:
    place = name_below(root, path) if root is not None else ""
    return Picture(f"f{number}", place or path.name, path, place=place)


def small_jpeg(pixels: np.ndarray, shorter: int = THUMBNAIL) -> bytes:
    """Return RGB pixels as a small JPEG; of a long strip the middle, so that no thumbnail is large."""
    height, width = pixels.shape[:2]
    side = 3 * min(height, width)
    top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
    part = shrink(np.ascontiguousarray(pixels[top : top + side, left : left + side]), shorter)
    return cv2.imencode(".jpg", cv2.cvtColor(part, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def _too_large(limit: int) -> str:
    return f"The file is over this page's limit of {limit / MEGA:g} MB; start with a higher --max-upload-mb."


def _clean(name: str) -> str:
    """Keep what can be shown of a file's name; it is never used as a path."""
    shown = "".join(c for c in name.replace("\\", "/").rpartition("/")[2] if c.isprintable()).strip()
    return shown[:NAME_LENGTH] or "picture"
