"""Who may ask, what may come in, what is forgotten."""

from __future__ import annotations

import io
import json
import re
import struct
import tempfile
import tracemalloc
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from web_support import BASE, TOKEN, FloodEngine, app_of, discs, write_discs

from sightline.web.guard import host_name, served_hosts
from sightline.web.sessions import ByteLRU, Sessions, bytes_held
from sightline.web.settings import Settings
from sightline.web.site import Site

ORIGIN = {"origin": BASE}


def browser(app, *, welcome: bool = True) -> TestClient:
    client = TestClient(app, base_url=BASE, raise_server_exceptions=False)
    if welcome:
        assert client.get(f"/?token={TOKEN}").status_code == 200
    return client


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that states a huge size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where uploads go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site("pictures", tuple(write_discs(tmp_path / "pictures")))


# -- token and session
def test_nothing_without_a_token(site: Site):
    client = browser(app_of(site), welcome=False)
    for path in ("/", "/segment", "/api/pictures", "/api/engine", "/api/pictures/f0/image", "/nowhere"):
        assert client.get(path).status_code == 401, path
    assert client.post("/api/pictures", content=b"x", headers=ORIGIN).status_code == 401
    assert "password" in client.get("/").text
    assert client.get("/static/base.css").status_code == 200


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", "é"])
def test_a_wrong_token_is_refused(site: Site, token: str):
    client = browser(app_of(site), welcome=False)
    assert client.get("/", params={"token": token}).status_code == 403
    assert not client.cookies


def test_the_token_gives_way_to_a_cookie(site: Site):
    client = browser(app_of(site), welcome=False)
    answer = client.get(f"/segment?token={TOKEN}")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie + answer.text
    assert 'url=/segment"' in answer.text
    assert client.get("/segment").status_code == 200


def test_the_address_opened_again_keeps_the_session(site: Site):
    app = app_of(site)
    client = browser(app)
    client.post("/api/pictures?name=a.png", content=png(discs()), headers=ORIGIN)
    client.get(f"/?token={TOKEN}")
    assert len(app.app.state.sessions) == 1
    assert len(client.get("/api/pictures").json()["pictures"]) == 3


def test_the_welcome_leads_nowhere_else(site: Site):
    client = browser(app_of(site), welcome=False)
    answer = client.get(f"{BASE}//elsewhere.example/x?token={TOKEN}")
    assert 'url=/elsewhere.example/x"' in answer.text


def test_sessions_expire_and_their_uploads_go(site: Site):
    clock = SimpleNamespace(now=0.0)
    app = app_of(site, clock=lambda: clock.now, settings=Settings(session_seconds=100))
    client = browser(app)
    made = client.post("/api/pictures?name=a.png", content=png(discs()), headers=ORIGIN)
    assert made.status_code == 201
    assert app.app.state.desk.pictures.stored > 0
    clock.now = 90
    assert client.get("/api/pictures").status_code == 200
    clock.now = 180
    assert client.get("/api/pictures").status_code == 200, "used since, so it lives"
    clock.now = 300
    assert client.get("/api/pictures").status_code == 401
    assert app.app.state.desk.pictures.stored == 0


def test_an_upload_that_outlives_its_session_is_not_kept(site: Site, temporary: Path):
    app = app_of(site)
    client, pictures = browser(app), app.app.state.desk.pictures

    def chunks():
        content = png(discs())
        yield content[:100]
        app.app.state.sessions.end_all()
        yield content[100:]

    assert client.post("/api/pictures", content=chunks(), headers=ORIGIN).status_code == 401
    assert pictures.stored == 0
    assert not [path for path in temporary.rglob("*") if path.is_file()]


def test_only_so_many_sessions():
    ended: list[str] = []
    sessions = Sessions(100, 2, lambda session: ended.append(session.key), clock=lambda: 0.0)
    first, second = sessions.begin(), sessions.begin()
    keys = {secret: session.key for secret in (first, second) if (session := sessions.find(secret))}
    sessions.begin()
    assert ended == [keys[first]]
    assert sessions.find(second) is not None


# -- host and origin
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "", "[::2]", "127.0.0.2"])
def test_another_host_is_refused(site: Site, host: str):
    client = browser(app_of(site))
    assert client.get("/segment", headers={"host": host}).status_code == 403
    assert client.get(f"/?token={TOKEN}", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:81", "localhost", "LOCALHOST:9", "[::1]:8000"])
def test_loopback_by_any_name_or_port(host: str):
    assert served_hosts("127.0.0.1")(host_name(host))


def test_everywhere_answers_to_numbers_but_not_to_names():
    served = served_hosts("0.0.0.0", ("lab.example",))
    assert served("192.168.1.7")
    assert served("lab.example")
    assert not served("evil.example")
    assert not served_hosts("127.0.0.1")("192.168.1.7")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:99", "http://127.0.0.1.evil.example"]
)
def test_another_origin_is_refused(site: Site, origin: str):
    client = browser(app_of(site))
    ask = {"points": [[80, 120, 1]]}
    assert client.post("/api/pictures/f0/predict", json=ask, headers={"origin": origin}).status_code == 403
    assert client.post("/api/pictures/f0/predict", json=ask).status_code == 403, "none at all"
    assert client.get("/api/pictures", headers={"origin": origin}).status_code == 403
    assert client.post("/api/pictures/f0/predict", json=ask, headers=ORIGIN).status_code == 200


def test_another_sites_page_may_link_here_but_not_embed(site: Site):
    client = browser(app_of(site))
    for site_of in ("cross-site", "same-site"):  # the second: another port of this machine
        other = {"sec-fetch-site": site_of}
        assert client.get("/segment", headers=other | {"sec-fetch-mode": "navigate"}).status_code == 200
        assert client.get("/api/pictures/f0/image", headers=other | {"sec-fetch-mode": "no-cors"}).status_code == 403
    own = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "no-cors"}
    assert client.get("/api/pictures/f0/image", headers=own).status_code == 200


def test_headers_of_every_answer(site: Site):
    client = browser(app_of(site))
    for path in ("/segment", "/api/pictures", "/static/segment.js", "/nowhere", "/api/nowhere"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers


def test_pages_name_no_address_outside():
    package = Path(__file__).parents[2] / "src" / "sightline" / "web"
    for path in [*package.glob("static/*.*s*"), *package.glob("templates/*")]:
        if path.suffix in (".js", ".css", ".j2", ".svg"):
            found = set(re.findall(r"https?://[\w.]+", path.read_text()))
            assert found <= {"http://www.w3.org"}, path  # the name space of SVG is a name, and nothing is fetched


# -- paths
@pytest.mark.parametrize(
    "path",
    [
        "/api/pictures/..%2f..%2fetc%2fpasswd/image",
        "/api/pictures/%2e%2e/image",
        "/api/pictures/f99/image",
        "/api/pictures/f-1/image",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2f..%2f..%2fpyproject.toml",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/report/page",
        "/report/figures/..%2freport.html",
        "/api/maps/0/thumbnail/0",
        "/api/progress/0/0/..%2fx",
    ],
)
def test_no_path_is_opened(site: Site, path: str):
    answer = browser(app_of(site)).get(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text
    assert "import" not in answer.text


def test_an_uploads_name_is_only_a_name(site: Site, tmp_path: Path):
    app = app_of(site)
    client = browser(app)
    for name in ("../../escape.png", "/etc/passwd", "..\\..\\x.png", "\x00\n.png", ""):
        made = client.post("/api/pictures", params={"name": name}, content=png(discs()), headers=ORIGIN)
        assert made.status_code == 201
        shown = made.json()["name"]
        assert "/" not in shown
        assert "\\" not in shown
        assert shown.isprintable()
    assert not list(tmp_path.rglob("escape*"))


def test_uploads_belong_to_their_session(site: Site):
    app = app_of(site)
    mine, other = browser(app), browser(app)
    key = mine.post("/api/pictures?name=a.png", content=png(discs()), headers=ORIGIN).json()["id"]
    assert mine.get(f"/api/pictures/{key}/image").status_code == 200
    assert other.get(f"/api/pictures/{key}/image").status_code == 404
    assert all(p["id"] != key for p in other.get("/api/pictures").json()["pictures"])


# -- what comes in
def test_an_upload_over_the_limit_is_cut_off(site: Site, temporary: Path):
    app = app_of(site, settings=Settings(max_upload_bytes=10_000))
    client, sent = browser(app), []

    def chunks():
        for _ in range(100):
            sent.append(1)
            yield b"x" * 1000

    declared = client.post("/api/pictures", content=b"x" * 20_000, headers=ORIGIN)
    streamed = client.post("/api/pictures", content=chunks(), headers=ORIGIN)
    assert (declared.status_code, streamed.status_code) == (413, 413)
    assert "--max-upload-mb" in streamed.json()["error"]
    assert app.app.state.desk.pictures.stored == 0
    assert not [path for path in temporary.rglob("*") if path.is_file()]


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (7000, 7000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(site: Site, width: int, height: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sightline.web.pictures.decode", lambda *a, **k: pytest.fail("a pixel was decoded"))
    app = app_of(site)
    answer = browser(app).post("/api/pictures?name=bomb.png", content=bomb(width, height), headers=ORIGIN)
    assert answer.status_code in (413, 415)
    assert "pixels" in answer.json()["error"]
    assert app.app.state.desk.pictures.stored == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no image",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"<svg onload='alert(1)'/>",
        png(discs())[:400],
    ],
)
def test_what_is_no_picture_is_refused(site: Site, content: bytes, temporary: Path):
    app = app_of(site)
    answer = browser(app).post("/api/pictures?name=x.png", content=content, headers=ORIGIN)
    assert answer.status_code in (400, 415)
    assert str(temporary) not in answer.text
    assert app.app.state.desk.pictures.stored == 0


@pytest.mark.parametrize("shape", [(40, 70_000, 3), (70_000, 40, 3)])
def test_a_picture_longer_than_a_jpeg_can_be_is_shown(site: Site, shape: tuple[int, ...]):
    client = browser(app_of(site))
    made = client.post("/api/pictures", content=png(np.full(shape, 77, np.uint8)), headers=ORIGIN).json()
    for what in ("image", "thumbnail"):
        answer = client.get(f"/api/pictures/{made['id']}/{what}")
        assert answer.status_code == 200
        assert np.asarray(Image.open(io.BytesIO(answer.content)))[0, 0].tolist() == [77, 77, 77]


def test_a_failure_while_a_picture_is_opened_leaves_nothing(site: Site, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("sightline.web.pictures.decode", fail)
    app = app_of(site)
    client = browser(app)
    assert client.post("/api/pictures", content=png(discs()), headers=ORIGIN).status_code == 500
    assert app.app.state.desk.pictures.stored == 0
    assert len(client.get("/api/pictures").json()["pictures"]) == 2


@pytest.mark.parametrize(
    "ask",
    [
        {},
        {"points": [[80, 120, 2]]},
        {"points": [[80, 120]]},
        {"points": [[999, 120, 1]]},
        {"points": [[80, 120, 1]] * 201},
        {"box": [50, 50, 10, 10]},
        {"box": [900, 0, 9999, 10]},
        {"text": "x" * 301},
        {"point": [[80, 120, 1]]},
        [],
        "x",
    ],
)
def test_a_question_that_breaks_a_rule(site: Site, ask: object):
    answer = browser(app_of(site)).post("/api/pictures/f0/predict", json=ask, headers=ORIGIN)
    assert answer.status_code == 400
    assert 10 < len(answer.json()["error"]) < 600


def test_no_json_and_too_much_json(site: Site):
    client = browser(app_of(site, settings=Settings(max_request_bytes=1000)))
    for body, status in ((b"{", 400), (b"\xff\xfe", 400), (b'{"points": [[NaN, 1, 1]]}', 400), (b" " * 2000, 413)):
        assert client.post("/api/pictures/f0/predict", content=body, headers=ORIGIN).status_code == status


def test_what_breaks_is_told_without_a_traceback(site: Site, caplog: pytest.LogCaptureFixture):
    engine = FloodEngine()
    engine.predict = lambda *a, **k: 1 / 0  # type: ignore[method-assign]
    answer = browser(app_of(site, engine)).post(
        "/api/pictures/f0/predict", json={"points": [[80, 120, 1]]}, headers=ORIGIN
    )
    assert answer.status_code == 500
    assert "ZeroDivisionError" in answer.json()["error"]
    assert "Traceback" not in answer.text
    assert "content-security-policy" in answer.headers
    assert json.dumps(caplog.text)


# -- memory
def test_states_are_kept_within_their_bytes(tmp_path: Path):
    size = discs().nbytes
    paths = write_discs(tmp_path / "many", 5)
    engine = FloodEngine()
    app = app_of(Site("many", tuple(paths)), engine, settings=Settings(state_bytes=2 * size + 100))
    client = browser(app)

    def click(key: str) -> None:
        answer = client.post(f"/api/pictures/{key}/predict", json={"points": [[80, 120, 1]]}, headers=ORIGIN)
        assert answer.status_code == 200

    for key in ("f0", "f1", "f0", "f2", "f3", "f4"):
        click(key)
        assert app.app.state.desk.states.held <= 2 * size + 100
    assert engine.encoded == 5
    click("f4")
    assert engine.encoded == 5, "still held"
    click("f0")
    assert engine.encoded == 6, "was let go, and made again"


def test_an_export_holds_one_mask_at_a_time(site: Site, tmp_path: Path):
    side, objects = 2000, 60
    path = tmp_path / "large.png"
    Image.fromarray(np.zeros((side, side, 3), np.uint8)).save(path)
    client = browser(app_of(Site("large", (path,))))
    classes = [{"name": "x", "color": "#ff0000"}]
    kept = [{"label": 0, "counts": [side * side - 5, 5]}] * objects
    for kind in ("palette", "coco", "polygons"):
        tracemalloc.start()
        try:
            body = {"format": kind, "classes": classes, "objects": kept}
            assert client.post("/api/pictures/f0/export", json=body, headers=ORIGIN).status_code == 200
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert most < 20 * side * side, f"{kind}: all masks at once are {objects} bytes a pixel"


def test_masks_too_ragged_for_outlines_are_told(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sightline.web.segment.MAX_OUTLINE_RUNS", 10)
    client = browser(app_of(site))
    body = {
        "classes": [{"name": "x", "color": "#ff0000"}],
        "objects": [{"label": 0, "counts": [1] * 10 + [320 * 240 - 10]}],
    }
    statuses = {}
    for kind in ("geojson", "polygons", "coco"):
        answer = client.post("/api/pictures/f0/export", json=body | {"format": kind}, headers=ORIGIN)
        statuses[kind] = answer.status_code
        if kind != "coco":
            assert "COCO" in answer.json()["error"]
    assert statuses == {"geojson": 413, "polygons": 413, "coco": 200}


def test_stored_uploads_are_bounded(site: Site):
    content = png(np.random.default_rng(0).integers(0, 255, (60, 60, 3), np.uint8))
    app = app_of(site, settings=Settings(max_stored_bytes=int(2.5 * len(content)), max_pictures=10))
    client = browser(app)
    keys = [client.post("/api/pictures", content=content, headers=ORIGIN).json()["id"] for _ in range(4)]
    assert app.app.state.desk.pictures.stored <= 2.5 * len(content)
    assert [client.get(f"/api/pictures/{key}/image").status_code for key in keys] == [404, 404, 200, 200]
    assert len(client.get("/api/pictures").json()["pictures"]) == 4


def test_lru_of_bytes():
    held = ByteLRU(100)
    held.put("a", 1, 60)
    held.put("b", 2, 40)
    assert held.get("a") == 1
    held.put("c", 3, 30)
    assert "b" not in held
    assert "a" in held
    held.put("huge", 4, 101)
    assert "huge" not in held
    held.put("a", 5, 10)
    held.drop("c")
    held.drop("c")
    assert held.held == 10


def test_bytes_held_looks_into_containers():
    array = np.zeros((10, 10), np.float32)
    assert bytes_held(SimpleNamespace(a=[array, {"b": array}], c="text")) == 800
    assert bytes_held(None) == 0
