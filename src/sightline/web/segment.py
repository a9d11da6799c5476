"""The segment page's requests: pictures in, questions to the engine, masks out."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sightline.errors import DataError
from sightline.files import json_text
from sightline.prompts import ImageState, PromptEngine, Prompts
from sightline.run_lengths import box_of, from_run_lengths, run_lengths
from sightline.web import masks
from sightline.web.answers import Json
from sightline.web.live import Superseded, Worker
from sightline.web.messages import Ask, Export, read
from sightline.web.pictures import Picture, Pictures
from sightline.web.problem import Problem
from sightline.web.sessions import ByteLRU, Session, bytes_held
from sightline.web.settings import MEGA, Settings

THUMBNAIL_BYTES = 32 * MEGA  # of memory; about five thousand thumbnails
HALF = 0.5  # from a drawing's coordinates to those of pixel centres
MAX_OUTLINE_RUNS = 2_000_000  # of an export's outlines: about a minute, and 400 MB in memory
MAX_MASKS = 400  # of one "everything"; beyond it a page is no help


class SegmentDesk:
    """Answers the segment page.

    Args:
        pictures: what can be segmented.
        make_engine: builds the engine; called once, in the engine's thread, when it is first needed.
        settings: limits.
        classes: (name, "#rrggbb") that the page begins with, where it has no project.
    """

    def __init__(
        self,
        pictures: Pictures,
        make_engine: Callable[[], PromptEngine],
        settings: Settings,
        classes: tuple[tuple[str, str], ...],
    ) -> None:
        self.pictures, self._make, self._settings, self._classes = pictures, make_engine, settings, classes
        self._engine: PromptEngine | None = None
        self._worker = Worker(settings.max_waiting)
        self.states = ByteLRU(settings.state_bytes)
        self._thumbnails = ByteLRU(THUMBNAIL_BYTES)
        self._exporting = threading.Lock()  # one at a time: what an export holds in memory is then bounded

    def routes(self) -> list[Route]:
        """Return the routes."""
        base = "/api/pictures/{id}"
        return [
            Route("/api/engine", self.engine),
            Route("/api/pictures", self.listing),
            Route("/api/pictures", self.upload, methods=["POST"]),
            Route(f"{base}/image", self.image),
            Route(f"{base}/thumbnail", self.thumbnail),
            Route(f"{base}/predict", self.predict, methods=["POST"]),
            Route(f"{base}/everything", self.everything, methods=["POST"]),
            Route(f"{base}/export", self.export, methods=["POST"]),
        ]

    def stop(self) -> None:
        """Stop the thread of the engine; calls that wait for it end."""
        self._worker.stop()

    def forget(self, session: Session) -> None:
        """Drop what belonged to a session that has ended."""
        session.ended = True
        for key in session.uploads:
            self._forget_picture(key)
        session.uploads.clear()

    def _forget_picture(self, key: str) -> None:
        self.pictures.remove(key)
        self.states.drop(key)
        self._thumbnails.drop(key)

    # -- pictures
    async def engine(self, request: Request) -> Response:
        """Tell what the engine is and accepts."""
        engine = await self._worker.call(self._ready)
        return Json(
            {
                "name": engine.name,
                "model": engine.model_id,
                "device": engine.device,
                "accepts": sorted(engine.accepts),
                "classes": [{"name": name, "color": color} for name, color in self._classes],
                "max_upload_mb": self._settings.max_upload_bytes / MEGA,
                "max_megapixels": self._settings.max_pixels / 1e6,
            }
        )

    async def listing(self, request: Request) -> Response:
        """List the pictures of the session."""
        return Json({"pictures": [_named(p) for p in self.pictures.shown_to(_session(request))]})

    async def upload(self, request: Request) -> Response:
        """Take a picture: the body is the file, `?name=` its name for people."""
        session = _session(request)
        declared = request.headers.get("content-length", "")
        length = int(declared) if declared.isdigit() else None
        name = request.query_params.get("name", "")
        picture = await self.pictures.add(session, name, length, request.stream())
        try:
            pixels = await asyncio.to_thread(self.pictures.pixels, picture)
        except BaseException:  # whatever it is, a picture that cannot be opened is not kept
            session.uploads[:] = [key for key in session.uploads if key != picture.id]
            self._forget_picture(picture.id)
            raise
        return Json(_named(picture) | {"width": pixels.shape[1], "height": pixels.shape[0]}, 201)

    async def image(self, request: Request) -> Response:
        """Send a picture as it is shown."""
        content, kind = await asyncio.to_thread(self.pictures.shown, self._picture(request))
        return Response(content, media_type=kind, headers={"Cache-Control": "private, max-age=600"})

    async def thumbnail(self, request: Request) -> Response:
        """Send a small version of a picture."""
        picture = self._picture(request)
        content = self._thumbnails.get(picture.id)
        if content is None:
            content = await asyncio.to_thread(self.pictures.thumbnail, picture)
            self._thumbnails.put(picture.id, content, len(content))
        return Response(content, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=600"})

    # -- questions
    async def predict(self, request: Request) -> Response:
        """Answer a question about a picture with masks, best first."""
        session, picture = _session(request), self._picture(request)
        body = await read(request, Ask, self._settings.max_request_bytes)
        ticket = _next_ticket(session)

        def work() -> dict[str, Any]:
            engine = self._ready()
            state, encoding = self._state(engine, picture)
            answer = engine.offer(state, _prompts(body, engine, picture, session), multimask=body.multimask)
            session.low_res = None if answer.low_res is None else (picture.id, answer.low_res)
            sent = [_sent(mask, score) for mask, score in zip(answer.masks, answer.scores, strict=True)]
            return _answer(sent, state, answer.seconds, encoding, engine)

        return Json(await self._worker.call(work, lambda: session.ticket != ticket))

    async def everything(self, request: Request) -> Response:
        """Return masks of all that the engine finds."""
        session, picture = _session(request), self._picture(request)
        ticket = _next_ticket(session)

        def give_way(done: int, steps: int) -> None:
            if session.ticket != ticket:  # a click came, which should not wait for the rest
                raise Superseded

        def work() -> dict[str, Any]:
            engine = self._ready()
            if "everything" not in engine.accepts:
                raise Problem(400, f"{engine.name} has no way to find everything; click or draw a box instead.")
            state, encoding = self._state(engine, picture)
            began = time.perf_counter()
            sent = []
            for region in engine.everything(state, progress=give_way)[:MAX_MASKS]:
                give_way(len(sent), MAX_MASKS)
                sent.append(_sent(region.mask(), region.score))
            return _answer(sent, state, time.perf_counter() - began, encoding, engine)

        return Json(await self._worker.call(work, lambda: session.ticket != ticket))

    async def export(self, request: Request) -> Response:
        """Return kept objects as a file."""
        picture = self._picture(request)
        export = await read(request, Export, self._settings.max_export_bytes)
        content, kind, suffix = await asyncio.to_thread(self._export, picture, export)
        name = picture.name.rpartition(".")[0] or picture.name
        disposition = f"attachment; filename*=UTF-8''{quote(name + suffix, safe='')}"
        return Response(content, media_type=kind, headers={"Content-Disposition": disposition})

    def _export(self, picture: Picture, export: Export) -> tuple[bytes, str, str]:
        classes = [(c.name, c.color) for c in export.classes]
        with self._exporting:
            shape = self.pictures.pixels(picture).shape[:2]
            objects = _decoded_objects(export, shape)
            if export.format == "palette":
                return masks.palette_png(shape, classes, objects), "image/png", "_mask.png"
            if export.format == "coco":
                return _json(masks.coco(picture.name, shape, classes, objects)), "application/json", "_coco.json"
            _check_outlines(export)
            if export.format == "polygons":
                content = masks.polygons(picture.name, shape, classes, objects)
                return _json(content), "application/json", "_polygons.json"
            try:
                content = masks.geojson(picture.path, classes, objects)
            except DataError as error:
                # The error names the file, which is none of a browser's business.
                raise Problem(422, str(error).replace(str(picture.path), picture.name)) from None
            return _json(content), "application/geo+json", ".geojson"

    # -- parts
    def _picture(self, request: Request) -> Picture:
        return self.pictures.find(request.path_params["id"], _session(request))

    def _ready(self) -> PromptEngine:
        """Return the engine, built on first need; only the engine's thread comes here."""
        if self._engine is None:
            self._engine = self._make()
        return self._engine

    def _state(self, engine: PromptEngine, picture: Picture) -> tuple[ImageState, float]:
        """Return what the engine made of a picture, and the seconds it took now."""
        state = self.states.get(picture.id)
        if state is not None:
            return state, 0.0
        pixels = self.pictures.pixels(picture)
        began = time.perf_counter()
        state = engine.set_image(pixels)
        seconds = time.perf_counter() - began
        self.states.put(picture.id, state, bytes_held(state))
        return state, seconds


def _session(request: Request) -> Session:
    return request.state.session


def _next_ticket(session: Session) -> int:
    session.ticket += 1
    return session.ticket


def _named(picture: Picture) -> dict[str, Any]:
    return {"id": picture.id, "name": picture.name, "uploaded": bool(picture.owner)}


def _prompts(body: Ask, engine: PromptEngine, picture: Picture, session: Session) -> Prompts:
    """Return what was asked in pixels whose centers are integers; the engine checks it against the picture."""
    refine = None
    if body.refine is not None and "mask_input" in engine.accepts and session.low_res:
        key, low_res = session.low_res
        if key == picture.id and body.refine < len(low_res):
            refine = np.asarray(low_res[body.refine])
    points = tuple((x - HALF, y - HALF, inside) for x, y, inside in body.points)
    box = None
    if body.box:
        x0, y0, x1, y1 = (value - HALF for value in body.box)
        box = (x0, y0, x1, y1)
    return Prompts(points, box, body.text, refine)


def _check_outlines(export: Export) -> None:
    runs = sum(len(item.counts) for item in export.objects)
    if runs > MAX_OUTLINE_RUNS:
        raise Problem(
            413,
            f"The masks are too ragged for polygons: {runs:,} run lengths, and the limit is "
            f"{MAX_OUTLINE_RUNS:,}. COCO holds them as they are.",
        )


def _decoded_objects(export: Export, shape: tuple[int, int]) -> Iterator[masks.Kept]:
    """Yield the objects, each decoded when its turn comes: two thousand masks of a large picture are 80 GB."""
    for number, item in enumerate(export.objects, start=1):
        if item.label >= len(export.classes) and item.label != masks.UNLABELLED:
            raise Problem(400, f"Object {number} has class {item.label}, and there are {len(export.classes)} classes.")
        try:
            yield masks.Kept(item.label, from_run_lengths(item.counts, *shape))
        except DataError as error:
            raise Problem(400, f"Object {number}: {error}.") from None


def _sent(mask: np.ndarray, score: float) -> dict[str, Any]:
    area, box = int(mask.sum()), box_of(mask)
    return {"counts": run_lengths(mask), "score": round(float(score), 4), "area": area, "box": box}


def _answer(
    sent: list[dict[str, Any]], state: ImageState, seconds: float, encoding: float, engine: PromptEngine
) -> dict[str, Any]:
    return {
        "size": [state.height, state.width],
        "masks": sent,
        "seconds": round(seconds, 4),
        "encode_seconds": round(encoding, 4),
        "engine": engine.name,
        "device": engine.device,
    }


def _json(content: dict[str, Any]) -> bytes:
    return (json_text(content) + "\n").encode()
