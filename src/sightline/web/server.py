"""Running the application: a socket, the printed address, and a quick stop."""

from __future__ import annotations

import logging
import secrets
import socket
import sys
import webbrowser
from collections.abc import Callable

import uvicorn

from sightline.errors import ConfigError
from sightline.prompts import PromptEngine
from sightline.web.app import make_app
from sightline.web.guard import EVERYWHERE, LOOPBACK, served_hosts
from sightline.web.settings import Settings
from sightline.web.site import Site


class _Server(uvicorn.Server):
    """uvicorn, telling once it listens and before it stops."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready, self._stopping = ready, stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the server, then call `ready`."""
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Call `stopping`, then stop the server."""
        self._stopping()
        await super().shutdown(sockets=sockets)


def serve(
    site: Site,
    make_engine: Callable[[], PromptEngine],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    open_browser: bool = True,
    allow_hosts: tuple[str, ...] = (),
    settings: Settings | None = None,
) -> None:
    """Serve until Ctrl-C.

    Args:
        site: what is shown.
        make_engine: builds the engine of the segment page, when that is first needed.
        host: address to listen on; this machine alone by default.
        port: TCP port; 0 takes a free one.
        open_browser: open the address in the person's browser.
        allow_hosts: further host names to answer to, for a machine behind a name.
        settings: limits.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    settings = settings or Settings()
    listening = listen(host, port)
    token = secrets.token_urlsafe(32)
    app = make_app(site, make_engine, token=token, served=served_hosts(host, allow_hosts), settings=settings)
    address = f"http://{_shown(host)}:{listening.getsockname()[1]}/?token={token}"

    def ready() -> None:
        print(f"{site.title}: {address}", flush=True)
        if host not in LOOPBACK:
            print(f"Listening on {host}: whoever has this address and can reach this machine may use it.",
                  file=sys.stderr, flush=True)  # fmt: skip
        print("Ctrl-C stops.", file=sys.stderr, flush=True)
        if open_browser:
            webbrowser.open(address)

    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app,
        access_log=False,  # it would write the token down
        log_config=None,
        server_header=False,
        proxy_headers=False,  # nobody else may say who asks
        ws="none",
        timeout_graceful_shutdown=settings.stop_seconds,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=32 * 1024,
    )
    try:
        _Server(config, ready, app.stop).run(sockets=[listening])
    except KeyboardInterrupt:
        pass  # uvicorn raises Ctrl-C again once all is stopped, unless it came while stopping: how a server ends
    finally:
        listening.close()
    print("Stopped.", file=sys.stderr)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        ConfigError: the address is taken, or is not this machine's.
    """
    refused = f"--host {host} --port {port}: cannot listen there ({{}}); --port 0 takes a free port"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(refused.format(error)) from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise ConfigError(refused.format(error)) from None
    return listening


def _shown(host: str) -> str:
    if host in EVERYWHERE:
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
