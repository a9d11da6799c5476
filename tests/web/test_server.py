"""A real process: the address it prints, its socket, and Ctrl-C."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from web_support import write_discs

from sightline.errors import ConfigError
from sightline.web.server import listen

SCRIPT = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from web_support import FloodEngine
from sightline.web import Site, serve
engine = FloodEngine()
predict = engine.predict
def slow(*a, **k):
    print("working", flush=True)
    time.sleep(30)
    return predict(*a, **k)
engine.predict = slow
serve(Site("pictures", (Path(sys.argv[2]),)), lambda: engine, open_browser=False)
assert "torch" not in sys.modules
"""


def test_ctrl_c_stops_at_once_even_while_the_engine_works(tmp_path: Path):
    (picture,) = write_discs(tmp_path, 1)
    command = [sys.executable, "-W", "error", "-c", SCRIPT, str(Path(__file__).parent), str(picture)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.fullmatch(r"pictures: (http://127\.0\.0\.1:(\d+))/\?token=([\w-]{43})\n", line)
        assert match, line
        base, port, token = match.groups()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with pytest.raises(urllib.error.HTTPError, match="401"):
            opener.open(f"{base}/segment", timeout=5)
        opener.open(f"{base}/?token={token}", timeout=5).read()
        assert b"Segment" in opener.open(f"{base}/segment", timeout=5).read()
        ask = urllib.request.Request(
            f"{base}/api/pictures/f0/predict", b'{"points": [[80, 120, 1]]}', {"Origin": base}, method="POST"
        )
        with pytest.raises((TimeoutError, urllib.error.URLError)):
            opener.open(ask, timeout=0.7)
        assert process.stdout.readline() == "working\n"
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=25)
        assert time.monotonic() - began < 10, "a second or two on a machine that is not busy; the engine takes thirty"
        assert process.returncode == 0, err
        assert "Traceback" not in err
        assert token not in out + err, "printed once, logged never"
        assert "Stopped." in err
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", int(port)), timeout=1):
            pass
    finally:
        process.kill()


def test_a_taken_port_is_told():
    first = listen("127.0.0.1", 0)
    try:
        with pytest.raises(ConfigError, match="--port 0"):
            listen("127.0.0.1", first.getsockname()[1])
        with pytest.raises(ConfigError):
            listen("203.0.113.7", 0)
    finally:
        first.close()
