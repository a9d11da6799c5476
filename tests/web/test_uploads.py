"""Nothing that was uploaded stays on disk: not after a stop, not after an exit, not after a kill."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from web_support import BASE, TOKEN, app_of, write_discs

from sightline.web.site import Site
from sightline.web.uploads import PREFIX, UploadFolder, sweep


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def process(code: str, temporary: Path) -> subprocess.CompletedProcess[str]:
    """Run code that finds `folder`, an UploadFolder with a file in it."""
    script = (
        "import os, signal\nfrom sightline.web.uploads import UploadFolder\nfolder = UploadFolder()\n"
        f"(folder.path / 'x').write_bytes(b'x')\nprint(folder.path, flush=True)\n{code}"
    )
    environment = os.environ | {"TMPDIR": str(temporary)}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, env=environment
    )


def folder_of(pid: int, temporary: Path) -> Path:
    folder = temporary / f"{PREFIX}{pid}-abc_1"
    folder.mkdir()
    (folder / "x").write_bytes(b"x")
    return folder


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_uploads_go_with_the_server(tmp_path: Path, temporary: Path):
    picture = write_discs(tmp_path / "pictures", 1)[0]
    app = app_of(Site("pictures", (picture,)))
    with TestClient(app, base_url=BASE) as client:
        client.get(f"/?token={TOKEN}")
        assert not list(temporary.iterdir()), "nothing before the first upload"
        made = client.post("/api/pictures", content=picture.read_bytes(), headers={"origin": BASE})
        assert made.status_code == 201
        (folder,) = temporary.iterdir()
        assert list(folder.iterdir())
        assert folder.stat().st_mode & 0o077 == 0
    assert not list(temporary.iterdir())


def test_a_folder_goes_with_its_object(temporary: Path):
    folder = UploadFolder()
    (folder.path / "x").write_bytes(b"x")
    del folder
    gc.collect()
    assert not list(temporary.iterdir())


def test_a_closed_folder_can_be_used_again(temporary: Path):
    folder = UploadFolder()
    first = folder.path
    folder.close()
    folder.close()
    assert not first.exists()
    assert folder.path.is_dir()
    folder.close()
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("end", ["", "raise SystemExit(3)", "raise KeyboardInterrupt"])
def test_a_folder_goes_at_exit(end: str, temporary: Path):
    assert process(end, temporary).stdout.startswith(str(temporary / PREFIX))
    assert not list(temporary.iterdir())


def test_a_fork_leaves_the_folder_to_its_parent(temporary: Path):
    done = process("if os.fork():\n    os.wait()\n    assert folder.path.is_dir()", temporary)
    assert done.returncode == 0, done.stderr
    assert not list(temporary.iterdir())


def test_what_a_killed_server_left_is_swept_by_the_next(tmp_path: Path, temporary: Path):
    left = Path(process("os.kill(os.getpid(), signal.SIGKILL)", temporary).stdout.strip())
    assert (left / "x").is_file()
    with TestClient(app_of(Site("pictures", tuple(write_discs(tmp_path / "pictures", 1)))), base_url=BASE):
        assert not left.exists()


def test_what_lives_or_is_not_ours_is_not_swept(temporary: Path, dead: int, monkeypatch: pytest.MonkeyPatch):
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x").write_bytes(b"x")
    (temporary / f"{PREFIX}{dead}-link").symlink_to(elsewhere)
    (temporary / f"{PREFIX}{dead}-file").write_bytes(b"x")
    (temporary / f"{PREFIX}notes").mkdir()
    kept = sorted([folder_of(os.getpid(), temporary), *temporary.iterdir()])
    assert sweep() == []
    assert sorted(set(kept)) == sorted(temporary.iterdir())
    assert (elsewhere / "x").is_file()

    gone = folder_of(dead, temporary)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert sweep() == [], "another user's"
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    assert sweep() == [gone]
    assert not gone.exists()
