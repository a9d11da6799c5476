"""Files beside a user's own: theirs are neither replaced nor removed, and no two are of one name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sightline.errors import DataError
from sightline.files import Outputs, explained, is_output, write_text


def write(source: Path, target: Path, text: str, of: str = "") -> None:
    with Outputs([(source, target)]).writing(of=of):
        write_text(target, text)


def test_an_output_never_replaces_an_input(tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    image.write_bytes(b"pixels")
    (tmp_path / "link").symlink_to(tmp_path)
    Outputs([(image, tmp_path / "out" / "a.png")], [image])
    for target in (image, tmp_path / "x" / ".." / "a.png", tmp_path / "link" / "a.png"):
        with pytest.raises(DataError, match=r"a\.png, which is an input; nothing was written\. Give another --out"):
            Outputs([(image, target)], [image])


def test_an_input_is_safe_from_the_output_of_another(tmp_path: Path) -> None:
    first, second = tmp_path / "a.tif", tmp_path / "a.png"
    with pytest.raises(DataError, match=r"the output for .*a\.tif would replace .*a\.png"):
        Outputs([(first, second)], [first, second])


def test_two_inputs_of_one_output_are_refused(tmp_path: Path) -> None:
    first, second, target = tmp_path / "a.jpg", tmp_path / "a.png", tmp_path / "out" / "a.png"
    assert Outputs([(first, target)]).sources == {target: first}
    with pytest.raises(DataError, match=r"a\.jpg and .*a\.png would both be written to .*out/a\.png"):
        Outputs([(first, target), (second, target)])


def test_ones_own_file_is_replaced_until_somebody_changes_it(tmp_path: Path) -> None:
    target = tmp_path / "out" / "a.txt"
    for text in ("one", "two", "two"):
        write(tmp_path / "in", target, text)
        assert is_output(target)
    target.write_text("an hour of work")
    assert not is_output(target)
    with pytest.raises(DataError, match="Sightline did not write it; nothing was changed"):
        write(tmp_path / "in", target, "three")
    assert target.read_text() == "an hour of work"


def test_what_a_crash_left_is_ones_own_and_what_was_never_written_is_not(tmp_path: Path) -> None:
    outputs = Outputs([(tmp_path / "in", tmp_path / name) for name in ("a", "b")])

    def crash() -> None:
        with outputs.writing():
            (tmp_path / "a").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        crash()
    Outputs([(tmp_path / "in", tmp_path / "a")])
    (tmp_path / "b").write_text("theirs")
    with pytest.raises(DataError, match="did not write it"):
        Outputs([(tmp_path / "in", tmp_path / "b")])


def test_of_an_answer_only_what_was_written_for_it_is_removed(tmp_path: Path) -> None:
    write(tmp_path / "in", tmp_path / "x_0.txt", "ours", of="x")
    write(tmp_path / "in", tmp_path / "y_0.txt", "another's", of="y")
    (tmp_path / "x_7.txt").write_text("theirs")
    write(tmp_path / "in", tmp_path / "x_1.txt", "ours", of="x")
    assert sorted(path.name for path in tmp_path.glob("*.txt")) == ["x_1.txt", "x_7.txt", "y_0.txt"]


def test_a_damaged_record_makes_nothing_ones_own(tmp_path: Path) -> None:
    write(tmp_path / "in", tmp_path / "a", "text")
    for content in (b"\0" * 50, b"[]", b'{"name": 3}', b"[" * 5000, b'{"name": "a"'):
        (tmp_path / ".sightline-outputs").write_bytes(content)
        with pytest.raises(DataError, match="did not write it"):
            Outputs([(tmp_path / "in", tmp_path / "a")])


def test_a_folder_that_may_not_be_written_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    # As for a user who is not root, whom nothing is closed to.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed)
    Outputs([(tmp_path / "a", tmp_path / "new" / "a.csv")])
    for target in (closed / "a.csv", closed / "new" / "deep" / "a.csv"):
        with pytest.raises(PermissionError) as caught:
            Outputs([(tmp_path / "a", target)])
        words, code = explained(caught.value) or ("", 0)
        assert words.startswith(f"{target.parent}: may not be read or written here; give another place")
        assert code == 2
    assert not list(closed.iterdir())
