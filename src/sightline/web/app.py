"""The web application: pages, requests, and errors as JSON."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from sightline.errors import ConfigError, SightlineError
from sightline.prompts import PromptEngine
from sightline.web.answers import Json
from sightline.web.guard import Guard, plain_page
from sightline.web.live import Busy, Stopping, Superseded
from sightline.web.pictures import Pictures
from sightline.web.problem import Problem
from sightline.web.project import ProjectDesk
from sightline.web.report_view import report_routes
from sightline.web.segment import SegmentDesk
from sightline.web.sessions import Sessions
from sightline.web.settings import Settings
from sightline.web.site import Site
from sightline.web.uploads import sweep as sweep_uploads
from sightline.web.views import view_routes

SWEEP_SECONDS = 60  # between looks for expired sessions
PAGES = {"report": "Report", "map": "Map", "progress": "Progress", "segment": "Segment"}
logger = logging.getLogger("sightline.web")


def make_app(
    site: Site,
    make_engine: Callable[[], PromptEngine],
    *,
    token: str,
    served: Callable[[str], bool],
    settings: Settings | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Guard:
    """Return the application, guarded.

    Args:
        site: what it shows.
        make_engine: builds the engine of the segment page, when that is first needed.
        token: the secret that begins a session.
        served: whether a host name is ours.
        settings: limits.
        clock: seconds by which sessions expire.
    """
    settings = settings or Settings()
    pictures = Pictures(site.pictures, settings, site.root, site.reading)
    desk = SegmentDesk(pictures, make_engine, settings, site.classes)
    project = ProjectDesk(site.keeper, pictures, settings)
    sessions = Sessions(settings.session_seconds, settings.max_sessions, desk.forget, clock)
    pages = _pages(site)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(sweep_uploads)  # of servers that were killed
        sweeper = asyncio.create_task(_sweep(sessions))
        try:
            yield
        finally:
            sweeper.cancel()
            sessions.end_all()
            desk.pictures.close()
            project.close()

    routes = [
        Route("/", _to(f"/{site.first}")),
        Route("/favicon.ico", _to("/static/icon.svg")),
        *(Route(f"/{name}", _page(name, pages, site)) for name in pages),
        *desk.routes(),
        *project.routes(),
        *view_routes(site),
        *report_routes(site.report),
        Mount("/static", StaticFiles(directory=Path(str(files("sightline.web") / "static")))),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={
            Problem: _problem,
            ConfigError: _wrong,
            SightlineError: _known,
            Superseded: _superseded,
            Busy: _busy,
            ClientDisconnect: _gone,
            Stopping: _stopping,
            HTTPException: _http,
            Exception: _unexpected,
        },
    )
    app.state.desk, app.state.sessions = desk, sessions  # for those who test it
    # Around all of it: an answer to what broke is guarded too.
    return Guard(app, token=token, sessions=sessions, served=served, stop=desk.stop)


async def _sweep(sessions: Sessions) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        sessions.sweep()


# -- pages
def _pages(site: Site) -> dict[str, str]:
    available = {"report": site.report, "map": site.maps, "progress": site.progress, "segment": True}
    return {name: title for name, title in PAGES.items() if available[name]}


def _page(name: str, pages: dict[str, str], site: Site) -> Callable[[Request], Response]:
    environment = Environment(loader=PackageLoader("sightline.web"), autoescape=True, undefined=StrictUndefined)
    content = environment.get_template(f"{name}.html.j2").render(page=name, pages=pages, title=site.title)

    def answer(request: Request) -> Response:
        return HTMLResponse(content)

    return answer


def _to(address: str) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        return RedirectResponse(address, 307)

    return answer


# -- what is wrong
def _error_response(status: int, message: str) -> Response:
    return Json({"error": message}, status)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _error_response(error.status, error.message)


async def _wrong(request: Request, error: Exception) -> Response:
    return _error_response(400, str(error))


async def _known(request: Request, error: Exception) -> Response:
    return _error_response(422, str(error))


async def _superseded(request: Request, error: Exception) -> Response:
    return _error_response(409, "A newer click took this one's place.")


async def _busy(request: Request, error: Exception) -> Response:
    return _error_response(503, "The engine has more to do than it can; try again in a moment.")


async def _gone(request: Request, error: Exception) -> Response:
    return _error_response(400, "The upload broke off.")


async def _stopping(request: Request, error: Exception) -> Response:
    return _error_response(503, "The server stops.")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if request.url.path.startswith("/api/") or request.url.path.startswith("/static/"):
        return _error_response(error.status_code, error.detail)
    return plain_page(error.status_code, "There is no such page here.", '<p><a href="/">Go to the first page</a></p>')


async def _unexpected(request: Request, error: Exception) -> Response:
    logger.error("%s %s", request.method, request.url.path, exc_info=error)
    return _error_response(
        500, f"Something broke: {type(error).__name__}. The terminal that runs the server says more."
    )
