"""The project's requests: what was done to a picture, what changes, its classes."""

from __future__ import annotations

import asyncio
import secrets
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from sightline.data.masks.project import PictureWork, ProjectClass, ProjectObject, Rle
from sightline.data.masks.project_formats import PROJECT_FORMATS, export_project
from sightline.errors import DataError, SightlineError
from sightline.run_lengths import check_runs, measure_runs, rle_of, runs_of
from sightline.web.answers import Json
from sightline.web.keeping import Keeper
from sightline.web.messages import Change, SavedClass, SavedObject, read
from sightline.web.pictures import Picture, Pictures
from sightline.web.problem import Problem
from sightline.web.sessions import ByteLRU
from sightline.web.settings import Settings
from sightline.web.uploads import UploadFolder

Value = TypeVar("Value")
SIZES_BYTES = 1 << 20  # of memory, for the sizes of some ten thousand pictures


class ProjectDesk:
    """Answers what the page asks of its project.

    Args:
        keeper: keeps the work; None: nothing is kept, and there are no routes.
        pictures: of the page.
        settings: limits.
    """

    def __init__(self, keeper: Keeper | None, pictures: Pictures, settings: Settings) -> None:
        self._keeper, self._pictures, self._settings = keeper, pictures, settings
        self._sizes = ByteLRU(SIZES_BYTES)
        self._folder = UploadFolder()  # of archives on their way
        self._exporting = threading.Lock()  # one at a time: what an export holds in memory is then bounded

    def routes(self) -> list[Route]:
        """Return the routes."""
        if self._keeper is None:
            return [Route("/api/project", self.none)]
        return [
            Route("/api/project", self.described),
            Route("/api/project/classes", self.classes, methods=["POST"]),
            Route("/api/project/export/{format}", self.export),
            Route("/api/pictures/{id}/work", self.work),
            Route("/api/pictures/{id}/work", self.change, methods=["POST"]),
        ]

    async def none(self, request: Request) -> Response:
        """Say that nothing is kept."""
        return Json({"name": None})

    async def described(self, request: Request) -> Response:
        """Say the project's name, its classes, and how far each picture is; no path."""
        return Json(self._described())

    async def classes(self, request: Request) -> Response:
        """Add a class or change one; answers with its value, and all classes."""
        body = await read(request, SavedClass, self._settings.max_request_bytes)
        value = await asyncio.to_thread(self._told, lambda: self._save_class(body))
        return Json({"value": value, "classes": self._classes()})

    async def work(self, request: Request) -> Response:
        """Send what was done to a picture."""
        picture = self._picture(request)
        return Json(await asyncio.to_thread(self._told, lambda: self._work(picture)))

    async def change(self, request: Request) -> Response:
        """Change what was done to a picture; it is on disk before this is answered."""
        picture = self._picture(request)
        body = await read(request, Change, self._settings.max_export_bytes)
        return Json(await asyncio.to_thread(self._told, lambda: self._change(picture, body)))

    async def export(self, request: Request) -> Response:
        """Send the whole project in a format, zipped."""
        name = request.path_params["format"]
        if name not in PROJECT_FORMATS:
            raise Problem(404, f"There is no such format; there are {', '.join(PROJECT_FORMATS)}.")
        path = await asyncio.to_thread(self._told, lambda: self._zipped(name))
        title = quote(f"{self.keeper.folder.path.name}-{name}.zip", safe="")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{title}"}
        return FileResponse(path, media_type="application/zip", headers=headers, background=BackgroundTask(path.unlink))

    def close(self) -> None:
        """Write what is still to be written, and let go of the project."""
        self._folder.close()
        if self._keeper is not None:
            self._keeper.close()

    # -- parts
    @property
    def keeper(self) -> Keeper:
        """The keeper, which is there wherever the routes are."""
        assert self._keeper is not None
        return self._keeper

    def _told(self, act: Callable[[], Value]) -> Value:
        """Return what `act` returns; its errors name no path, which is none of a browser's business.

        Raises:
            Problem: it is not kept.
        """
        folder = self.keeper.folder.path
        try:
            return act()
        except OSError as error:
            raise Problem(507, f"{folder.name}: {error.strerror or 'the disk'}; make room, or mend it") from None
        except SightlineError as error:
            said = str(error).replace(str(folder), folder.name)
            raise Problem(409, said.replace(f"{self.keeper.pictures}/", "")) from None

    def _picture(self, request: Request) -> Picture:
        picture = self._pictures.find(request.path_params["id"], request.state.session)
        if not picture.place:
            raise Problem(404, "An upload is in no project; export what you keep of it.")
        return picture

    def _described(self) -> dict[str, Any]:
        states = {}
        for picture in self._pictures.given:
            state, objects = self.keeper.state(picture.place)
            if state != "untouched":
                states[picture.id] = {"state": state, "objects": objects}
        return {"name": self.keeper.folder.path.name, "classes": self._classes(), "states": states}

    def _classes(self) -> list[dict[str, Any]]:
        return [item.model_dump() for item in self.keeper.settings.classes]

    def _save_class(self, body: SavedClass) -> int:
        if body.value is None:
            return self.keeper.add_class(body.name.strip() or "class", body.color).value
        known = {item.value: item for item in self.keeper.settings.classes}
        color = body.color or (known[body.value].color if body.value in known else "#000000")
        self.keeper.change_class(ProjectClass(value=body.value, name=body.name.strip() or "class", color=color))
        return body.value

    def _work(self, picture: Picture) -> dict[str, Any]:
        height, width = self._size(picture)
        work = self.keeper.work(picture.place) or PictureWork(picture=picture.place, height=height, width=width)
        return {"revision": work.revision, "state": work.state, "objects": _sent(work)}

    def _change(self, picture: Picture, body: Change) -> dict[str, Any]:
        size = self._size(picture)
        put = [_stored(item, size) for item in body.put]
        before, work = self.keeper.change(
            picture.place, size, put=put, drop=body.drop, order=body.order, state=body.state
        )
        answer = {"revision": work.revision, "state": work.state, "count": len(work.objects)}
        # Another tab has changed it meanwhile.
        return answer if before == body.since else answer | {"objects": _sent(work)}

    def _zipped(self, name: str) -> Path:
        path = self._folder.path / f"{secrets.token_hex(8)}.zip"
        with self._exporting, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for inner, content in export_project(self.keeper.folder, name):
                archive.writestr(inner, content)
        return path

    def _size(self, picture: Picture) -> tuple[int, int]:
        size = self._sizes.get(picture.id)
        if size is None:
            pixels: np.ndarray = self._pictures.pixels(picture)
            size = (pixels.shape[0], pixels.shape[1])
            self._sizes.put(picture.id, size, 100)
        return size


def _stored(item: SavedObject, size: tuple[int, int]) -> ProjectObject:
    try:
        check_runs(item.counts, *size)
    except DataError as error:
        raise Problem(400, f"Object {item.id}: {error}.") from None
    kept = item.model_dump(exclude={"counts"})
    return ProjectObject(**kept, mask=Rle(**rle_of(item.counts, *size)))


def _sent(work: PictureWork) -> list[dict[str, Any]]:
    """Return objects as the page draws them."""
    sent = []
    for item in work.objects:
        counts = runs_of(item.mask.model_dump())
        check_runs(counts, work.height, work.width)
        area, box = measure_runs(counts, work.height)
        mask = {"counts": counts, "score": item.score, "area": area, "box": box}
        sent.append(
            {
                "id": item.id,
                "value": item.value,
                "mask": mask,
                "points": item.points,
                "box": item.box,
                "text": item.text,
                "polygon": item.polygon,
            }
        )
    return sent
