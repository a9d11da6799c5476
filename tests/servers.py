"""Servers of files on this machine: HTTP of a folder, and S3 by moto, in memory. Both tell what was asked of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from wsgiref.types import StartResponse, WSGIEnvironment

Requests = list[tuple[str, str]]


class _Handler(SimpleHTTPRequestHandler):
    """Sends a folder's files, each in two halves with a pause between them."""

    def __init__(self, *arguments, requests: Requests, pause: float, **more) -> None:
        self.requests, self.pause = requests, pause
        super().__init__(*arguments, **more)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if code == HTTPStatus.OK:
            self.requests.append((self.command, self.path))

    def log_message(self, format: str, *args: object) -> None:
        pass

    def copyfile(self, source, outputfile) -> None:
        content = source.read()
        outputfile.write(content[: len(content) // 2])
        time.sleep(self.pause)
        outputfile.write(content[len(content) // 2 :])


@contextmanager
def http_server(folder: Path, pause: float = 0.0) -> Iterator[tuple[str, Requests]]:
    """Yield the URL of a folder, and the list of (method, path) that grows with each answer."""
    requests: Requests = []
    handler = partial(_Handler, requests=requests, pause=pause, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", requests
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def s3_server() -> Iterator[tuple[str, Requests]]:
    """Yield the address of an S3 server in memory, and the list of (method, path) that grows with each request."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    requests: Requests = []
    moto = DomainDispatcherApplication(create_backend_app)

    class Quiet(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: object) -> None:
            pass

    def counted(environ: WSGIEnvironment, respond: StartResponse) -> Iterable[bytes]:
        requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        return moto(environ, respond)

    server = make_server("127.0.0.1", 0, counted, threaded=True, request_handler=Quiet)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()
