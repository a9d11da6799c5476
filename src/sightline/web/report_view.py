"""The report inside the page: its file and its figures, and nothing else of the folder."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from sightline.runs import artifacts
from sightline.web.problem import Problem

# The report is one file without scripts; its drawings carry styles of their own.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'self'; base-uri 'none'"
FIGURE_SUFFIXES = frozenset({".png", ".svg", ".jpg"})


def report_routes(folder: Path | None) -> list[Route]:
    """Return the routes of a report; none without one."""
    if folder is None:
        return []
    figures = {
        path.name: path
        for path in sorted((folder / artifacts.FIGURES).glob("*"))
        if path.suffix in FIGURE_SUFFIXES and path.is_file()
    }

    def page(request: Request) -> Response:
        return FileResponse(
            folder / artifacts.REPORT,
            media_type="text/html",
            headers={"Content-Security-Policy": POLICY, "X-Frame-Options": "SAMEORIGIN", "Cache-Control": "no-store"},
        )

    def figure(request: Request) -> Response:
        path = figures.get(request.path_params["name"])
        if path is None:
            raise Problem(404, "The report has no such figure.")
        return FileResponse(path, headers={"Cache-Control": "private, max-age=600"})

    return [Route("/report/page", page), Route("/report/figures/{name}", figure)]
