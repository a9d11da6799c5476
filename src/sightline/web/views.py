"""Requests of the map and the progress pages; pictures are asked for by number only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from sightline.data import UnreadableImage, decode
from sightline.errors import DataError
from sightline.web.answers import Json
from sightline.web.embedding import MapData
from sightline.web.pictures import small_jpeg
from sightline.web.problem import Problem
from sightline.web.progress import ProgressData
from sightline.web.sessions import ByteLRU
from sightline.web.settings import MEGA
from sightline.web.site import Site

Item = TypeVar("Item")
THUMBNAIL_BYTES = 64 * MEGA  # of memory; about ten thousand thumbnails
SHORTER = 128  # pixels
PRIVATE = {"Cache-Control": "private, max-age=600"}


def view_routes(site: Site) -> list[Route]:
    """Return the routes of both pages."""
    return [*_map_routes(site.maps), *_progress_routes(site.progress)]


def _map_routes(maps: Sequence[MapData]) -> list[Route]:
    thumbnails = ByteLRU(THUMBNAIL_BYTES)

    def listing(request: Request) -> Response:
        return Json({"maps": [{"title": m.title, "points": len(m)} for m in maps]})

    async def points(request: Request) -> Response:
        return Json(await asyncio.to_thread(_pick(maps, request, "map").describe))

    async def thumbnail(request: Request) -> Response:
        chosen, number, index = _pick(maps, request, "map"), request.path_params["number"], request.path_params["index"]
        key = f"{number}/{index}"
        content = thumbnails.get(key)
        if content is None:
            content = await asyncio.to_thread(_thumbnail, chosen, index)
            thumbnails.put(key, content, len(content))
        return Response(content, media_type="image/jpeg", headers=PRIVATE)

    return [
        Route("/api/maps", listing),
        Route("/api/maps/{number:int}", points),
        Route("/api/maps/{number:int}/thumbnail/{index:int}", thumbnail),
    ]


def _thumbnail(chosen: MapData, index: int) -> bytes:
    path = chosen.file(index)
    if path is None:
        raise Problem(404, "There is no picture for this point.")
    try:
        return small_jpeg(decode(path, at_least=SHORTER), SHORTER)
    except UnreadableImage as error:
        raise Problem(415, f"{chosen.ids[index]}: {error.reason}") from None


def _progress_routes(runs: Sequence[ProgressData]) -> list[Route]:
    def listing(request: Request) -> Response:
        return Json({"runs": [run.described for run in runs]})

    async def picture(request: Request) -> Response:
        path = _pick(runs, request, "run").files.get((request.path_params["image"], request.path_params["kind"]))
        if path is None:
            raise Problem(404, "The run kept no such picture.")
        if isinstance(path, Path):
            return FileResponse(path, headers=PRIVATE)
        try:
            return Response(await asyncio.to_thread(path), media_type="image/png", headers=PRIVATE)
        except DataError:
            raise Problem(415, "The tile or its mask cannot be read any more.") from None

    return [
        Route("/api/progress", listing),
        Route("/api/progress/{number:int}/{image:int}/{kind}", picture),
    ]


def _pick(items: Sequence[Item], request: Request, what: str) -> Item:
    number = request.path_params["number"]
    if number >= len(items):
        raise Problem(404, f"There is no such {what} here.")
    return items[number]
