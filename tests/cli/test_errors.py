"""Errors that nobody foresaw, and those of the machine: one message with the way out, and no traceback."""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module
from pathlib import Path

import pytest
from safetensors import SafetensorError

from sightline.cli.main import run
from sightline.files import atomic_path


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    # `sightline.report` is the function of the API too.
    monkeypatch.setattr(import_module("sightline.report"), "write", fail)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(errno.ENOSPC, "full", "/runs/x"), 1, ("/runs/x: there is no room left", "make room")),
        (OSError(errno.EROFS, "read-only", "/runs/x"), 2, ("/runs/x: may not be read or written", "another place")),
        (PermissionError(errno.EACCES, "no", "/runs/x"), 2, ("/runs/x: may not be read or written",)),
        (OSError(errno.EIO, "broken", "/runs/x"), 1, ("/runs/x: the disk, or the network drive", "tries again")),
        (OSError("what a library says"), 1, ("what a library says",)),
        (MemoryError(), 1, ("not enough memory", "batch_size")),
        (SafetensorError("Error while serializing: I/O error: No space (os error 28)"), 1, ("no room left",)),
    ],
)
def test_errors_of_the_machine(monkeypatch, capsys, error, code, words):
    failing(monkeypatch, error)
    assert run(["report", "x"]) == code
    text = capsys.readouterr().err
    assert all(word in text for word in words), text
    assert "Traceback" not in text
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [(KeyboardInterrupt(), "give the same command again"), (KeyboardInterrupt("--resume"), "--resume")],
)
def test_ctrl_c_tells_what_to_do(monkeypatch, capsys, error, words):
    failing(monkeypatch, error)
    assert run(["report", "x"]) == 130
    assert capsys.readouterr().err == f"sightline: interrupted; {words}\n"


@pytest.mark.parametrize("target", ["file", "file/below", "x" * 300])
def test_a_folder_that_cannot_be_made(tmp_path: Path, capsys, target: str):
    (tmp_path / "file").write_text("theirs")
    assert run(["data", "demo", str(tmp_path / target)]) == 2
    text = capsys.readouterr().err
    assert str(tmp_path) in text
    assert "Traceback" not in text
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "theirs"


def test_the_cache_tells_of_its_variable(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path))
    failing(monkeypatch, PermissionError(errno.EACCES, "no", str(tmp_path / "pixels")))
    assert run(["report", "x"]) == 2
    assert "SIGHTLINE_CACHE" in capsys.readouterr().err


def test_an_unforeseen_error_is_ours_and_its_traceback_is_kept(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path))
    failing(monkeypatch, ValueError("batch of one"))
    assert run(["report", "x"]) == 1
    text = capsys.readouterr().err
    (kept,) = tmp_path.glob("logs/*/traceback.txt")
    assert f"this is a fault of Sightline: ValueError: batch of one. The traceback is in {kept}" in text
    assert "Traceback" not in text
    assert "batch of one" in kept.read_text()
    with pytest.raises(ValueError, match="batch of one"):
        run(["report", "x", "--debug"])


def test_a_cache_that_cannot_be_written_hides_no_error(monkeypatch, capsys, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "file"))
    failing(monkeypatch, ValueError("batch of one"))
    assert run(["report", "x"]) == 1
    assert "batch of one. The traceback could not be written" in capsys.readouterr().err


def test_a_writer_that_knows_no_path_gets_one(tmp_path):
    def write(error: Exception) -> None:
        with atomic_path(tmp_path / "a"):
            raise error

    for error in (OSError(errno.ENOSPC, "full"), SafetensorError("I/O error (os error 28)")):
        with pytest.raises(OSError, match=r"No space|full") as caught:
            write(error)
        assert caught.value.filename == str(tmp_path / "a")
        assert caught.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take no such names")
def test_names_that_are_not_utf8_are_printed(monkeypatch, capfd, tmp_path):
    failing(monkeypatch, FileNotFoundError(errno.ENOENT, "no", os.fsdecode(b"/x/\xff.png")))
    assert run(["report", "x"]) == 2
