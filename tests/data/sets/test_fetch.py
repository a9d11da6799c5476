from __future__ import annotations

import hashlib
import importlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.config import DataConfig
from sightline.data import fetch, list_images
from sightline.data.sets import catalog
from sightline.data.sets.catalog import CATALOG, Archive, Entry, catalog_rows
from sightline.data.sets.convert import cifar10, pets, stl10
from sightline.data.sets.fetch import download, unpack
from sightline.errors import DataError, NotAvailable
from sightline.files import data_home


class Server:
    """Serves one file with ranges; `cut` ends the first answers after so many bytes."""

    def __init__(self, content: bytes) -> None:
        self.content, self.cut, self.ranges = content, 0, []

    def handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                server.ranges.append(asked)
                begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
                if begin >= len(server.content):
                    self.send_error(416)
                    return
                body = server.content[begin:]
                self.send_response(206 if asked else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: server.cut] if server.cut else body)
                server.cut = 0

            def log_message(self, format: str, *args: object) -> None:
                """Keep the test's output clean."""

        return Handler


@pytest.fixture
def served() -> Iterator[tuple[Server, str]]:
    server = Server(packed({"set/cat/1.png": png(), "set/dog/1.png": png()}))
    http = ThreadingHTTPServer(("127.0.0.1", 0), server.handler())
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server, f"http://127.0.0.1:{http.server_port}/set.tar.gz"
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIGHTLINE_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


def png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 30, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as bundle:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            bundle.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def test_fetch_makes_a_source_of_the_name(served: tuple[Server, str], monkeypatch, capsys) -> None:
    server, url = served
    entry = Entry("two pictures", "CC0", (Archive(url, sha256(server.content)),), inside="set")
    monkeypatch.setitem(CATALOG, "pictures", entry)
    with pytest.raises(DataError, match="run `sightline data fetch pictures`"):
        list_images(DataConfig(source="pictures"))
    assert fetch("pictures") == data_home() / "pictures"
    assert "licence: CC0" in capsys.readouterr().err
    assert list_images(DataConfig(source="pictures")).classes == ("cat", "dog")
    fetch("pictures")
    assert len(server.ranges) == 1, "what is there is not fetched again"
    assert {row["name"]: row["here"] for row in catalog_rows()}["pictures"] == "yes"


def test_a_dropped_download_goes_on_where_it_stopped(served: tuple[Server, str], tmp_path: Path) -> None:
    server, url = served
    archive = Archive(url, sha256(server.content))
    server.cut = 500
    with pytest.raises(NotAvailable, match="ended after 500 of"):
        download(archive, tmp_path)
    assert (tmp_path / "set.tar.gz.part").stat().st_size == 500
    assert download(archive, tmp_path).read_bytes() == server.content
    assert server.ranges == [None, "bytes=500-"]


def test_a_whole_part_needs_no_more(served: tuple[Server, str], tmp_path: Path) -> None:
    server, url = served
    (tmp_path / "set.tar.gz.part").write_bytes(server.content)
    assert download(Archive(url, sha256(server.content)), tmp_path).read_bytes() == server.content


def test_a_wrong_checksum_is_refused_and_removed(served: tuple[Server, str], tmp_path: Path) -> None:
    _, url = served
    with pytest.raises(DataError, match="does not match its checksum"):
        download(Archive(url, sha256(b"else")), tmp_path)
    assert list(tmp_path.glob("set*")) == []


def test_no_server_is_not_available(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="goes on where it stopped"):
        download(Archive("http://127.0.0.1:9/set.zip", "md5:0"), tmp_path)


def test_sets_with_terms_say_what_a_person_must_do() -> None:
    for name in ("mini-imagenet", "office-home", "deepglobe-landcover"):
        with pytest.raises(DataError, match=rf"must be accepted by a person.*{name}"):
            fetch(name)
    with pytest.raises(DataError, match="Did you mean 'office-home'"):
        fetch("officehome")


@pytest.mark.parametrize("name", ["../out.png", "/tmp/out.png", "a/../../out.png"])
def test_paths_outside_are_refused(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "bad.tar.gz"
    archive.write_bytes(packed({name: b"x"}))
    with pytest.raises(DataError, match="path outside"):
        unpack(archive, tmp_path)
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as bundle:
        bundle.writestr(name, b"x")
    with pytest.raises(DataError, match="path outside"):
        unpack(tmp_path / "bad.zip", tmp_path)


def test_links_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "link.tar", "w") as bundle:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc"
        bundle.addfile(member)
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as bundle:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        bundle.writestr(info, "/etc")
    for name in ("link.tar", "link.zip"):
        with pytest.raises(DataError, match="holds a link"):
            unpack(tmp_path / name, tmp_path)


def test_bombs_and_damage_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # By its name in sys.modules: `sightline.data.sets.fetch` is the function of that name.
    monkeypatch.setattr(importlib.import_module("sightline.data.sets.fetch"), "SMALL", 1000)
    archive = tmp_path / "bomb.tar.gz"
    archive.write_bytes(packed({"zeros": bytes(1_000_000)}))
    with pytest.raises(DataError, match="as a bomb does"):
        unpack(archive, tmp_path)
    whole = packed({f"{i}.png": png() for i in range(20)})
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="is damaged"):
        unpack(archive, tmp_path)
    archive.write_bytes(b"no archive")
    with pytest.raises(DataError, match="neither a zip nor a tar"):
        unpack(archive, tmp_path)


def test_the_demo_is_made_on_first_use(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(folder: Path) -> None:
        for kind in ("star", "ring"):
            (folder / "objects" / kind).mkdir(parents=True)
            (folder / "objects" / kind / "1.png").write_bytes(png())
        (folder / "pool.csv").write_text("id,filename\n")

    monkeypatch.setattr(catalog, "write_demo", write)
    assert list_images(DataConfig(source="demo/objects")).classes == ("ring", "star")
    assert list_images(DataConfig(source="demo")).ids == list_images(DataConfig(source="demo/objects")).ids


def test_cifar_records_become_class_folders(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    (folder / "batches.meta.txt").write_text("cat\ndog\n\n")
    picture = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    record = bytes([1]) + picture.transpose(2, 0, 1).tobytes()
    for name in ("data_batch_1", "data_batch_2", "test_batch"):
        (folder / f"{name}.bin").write_bytes(record * 2)
    cifar10(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("train/dog/*")) == [f"{i:05d}.png" for i in range(4)]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "test/dog/00001.png")), picture)
    assert not folder.exists()


def test_stl_is_stored_by_columns(tmp_path: Path) -> None:
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    (folder / "class_names.txt").write_text("cat\ndog\n")
    picture = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    for part in ("unlabeled", "train", "test"):
        (folder / f"{part}_X.bin").write_bytes(picture.transpose(2, 1, 0).tobytes())
        (folder / f"{part}_y.bin").write_bytes(bytes([2]))
    stl10(tmp_path)
    for name in ("unlabelled/000000.png", "train/dog/00000.png", "test/dog/00000.png"):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / name)), picture)
    (tmp_path / "stl10_binary").mkdir()
    (tmp_path / "stl10_binary/class_names.txt").write_text("cat\n")
    with pytest.raises(DataError, match="missing, or not a whole number"):
        stl10(tmp_path)


def test_breeds_are_read_from_names(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("great_pyrenees_12", "Bengal_3"):
        (tmp_path / "images" / f"{name}.jpg").write_bytes(png())
    pets(tmp_path)
    found = list_images(DataConfig(source=str(tmp_path / "labels.csv")))
    assert found.classes == ("Bengal", "great_pyrenees")


def test_the_catalogue_is_whole() -> None:
    for entry in CATALOG.values():
        assert entry.licence
        assert bool(entry.archives) != bool(entry.by_hand)
        for archive in entry.archives:
            algorithm, _, digits = archive.digest.partition(":")
            assert len(digits) == {"md5": 32, "sha256": 64}[algorithm]
