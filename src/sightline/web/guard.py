"""Access control: every request passes here first.

A page on the open web can make a browser send requests to this machine. So: the Host must be one that we serve (DNS
rebinding), what changes something must come from our own page (Origin), and everything but the public style sheet,
scripts and fonts needs a session, which begins with the secret token of the printed address.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Callable
from html import escape

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Message, Receive, Scope, Send

from sightline.web.answers import Json
from sightline.web.sessions import Sessions

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
EVERYWHERE = frozenset({"0.0.0.0", "::"})
SAFE = frozenset({"GET", "HEAD"})
POLICY = (
    "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'"
)
TOKEN_FORM = (
    '<form action="/" method="get"><label for="token">Token</label>'
    '<input id="token" name="token" type="password" autocomplete="off" required>'
    '<button class="button primary">Open</button></form>'
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


def served_hosts(host: str, more: tuple[str, ...] = ()) -> Callable[[str], bool]:
    """Return whether a Host's name is one that a server bound to `host` answers to.

    Bound to every address, it answers to any address given as numbers, for rebinding needs a name; and to this
    machine's own name.
    """
    names = {host.lower(), *LOOPBACK, *(name.lower() for name in more)}
    if host in EVERYWHERE:
        names |= {socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}

    def served(name: str) -> bool:
        return name in names or (host in EVERYWHERE and _is_address(name))

    return served


class Guard:
    """ASGI middleware: Host, Origin, token, session, and the headers of every answer.

    Args:
        app: what is guarded; finds the session in `request.state.session`.
        token: the secret of the printed address.
        sessions: those that have shown it.
        served: whether a host name is ours.
        stop: to be called when the server is about to stop.
    """

    def __init__(
        self,
        app: Starlette,
        *,
        token: str,
        sessions: Sessions,
        served: Callable[[str], bool],
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        self.app, self._token, self._sessions, self._served, self.stop = app, token, sessions, served, stop
        # Cookies are shared by all ports of a host: two servers must not overwrite each other's.
        self.cookie = "sightline-" + hashlib.sha256(token.encode()).hexdigest()[:12]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the request through."""
        if scope["type"] == "websocket":  # there is none
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = self._check(Request(scope))

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/static/"):
                    headers["Cache-Control"] = "no-cache"  # kept, but asked about each time: the package may change
            await send(message)

        await (answer or self.app)(scope, receive, send_guarded)

    def _check(self, request: Request) -> Response | None:
        """Return why not, or None for a request that may pass, its session then in its state."""
        hosts = request.headers.getlist("host")
        if len(hosts) != 1 or not self._served(host_name(hosts[0])):
            return _refuse(request, 403, "This server does not answer to that host name; use the address it printed.")
        if not _same_origin(request, hosts[0]):
            return _refuse(request, 403, "This request comes from another site's page.")
        if request.url.path.startswith("/static/"):
            return None  # the package's own files, no secret
        if request.method == "GET" and "token" in request.query_params:
            if self._is_token(request.query_params["token"]):
                return self._welcome(request)
            return _refuse(request, 403, "That token is not this server's; each start has a new one.")
        session = self._sessions.find(request.cookies.get(self.cookie, ""))
        if session is None:
            return _refuse(request, 401, "Open the address that the terminal shows, or paste its token here.")
        request.state.session = session
        return None

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _welcome(self, request: Request) -> Response:
        """Begin a session and go on to the page, the token no longer in the address.

        By a page of our own and no redirect: a cookie that is SameSite=Strict is not sent along a redirect that
        began on another site, such as a mail or a terminal in the browser.
        """
        path = "/" + request.url.path.lstrip("/")  # "//elsewhere" would be another site
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Sightline</title>'
            f'<meta http-equiv="refresh" content="0;url={escape(path, quote=True)}">'
            f'<p><a href="{escape(path, quote=True)}">Go on</a></p></html>'
        )
        response = HTMLResponse(page)
        if self._sessions.find(request.cookies.get(self.cookie, "")) is None:  # else it goes on, with its uploads
            secret = self._sessions.begin()
            response.set_cookie(self.cookie, secret, httponly=True, samesite="strict", path="/")
        return response


def host_name(host: str) -> str:
    """Return the name of a Host header, without its port and brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _same_origin(request: Request, host: str) -> bool:
    origin = request.headers.get("origin")
    if request.method in SAFE and request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        # A link to here is followed; a picture or script put into another page is not. "same-site" is another port of
        # this machine, a notebook say, to which the browser sends our cookie as well.
        return origin is None and request.headers.get("sec-fetch-mode") == "navigate"
    if origin is None:
        return request.method in SAFE
    return origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")


def _refuse(request: Request, status: int, why: str) -> Response:
    if request.url.path.startswith("/api/") or request.method not in SAFE:
        return Json({"error": why}, status)
    return plain_page(status, why, TOKEN_FORM)


def plain_page(status: int, message: str, more: str = "") -> Response:
    """Return a page of one message; `more` is HTML of our own."""
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sightline</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="stylesheet" href="/static/base.css"></head><body class="gate"><main><h1>Sightline</h1>'
        f"<p>{escape(message)}</p>{more}</main></body></html>"
    )
    return HTMLResponse(page, status)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
