from __future__ import annotations

from pathlib import Path

import pytest

from sightline.errors import DataError
from sightline.files import check_outputs, one_name_each


def test_an_output_never_replaces_an_input(tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    image.write_bytes(b"pixels")
    (tmp_path / "link").symlink_to(tmp_path)
    check_outputs({tmp_path / "out" / "a.png": image}, [image])
    for target in (image, tmp_path / "x" / ".." / "a.png", tmp_path / "link" / "a.png"):
        with pytest.raises(DataError, match=r"a\.png, which is an input; nothing was written\. Give another --out"):
            check_outputs({target: image}, [image])


def test_an_input_is_safe_from_the_output_of_another(tmp_path: Path) -> None:
    first, second = tmp_path / "a.tif", tmp_path / "a.png"
    with pytest.raises(DataError, match=r"the output for .*a\.tif would replace .*a\.png"):
        check_outputs({second: first}, [first, second])


def test_two_inputs_of_one_output_are_refused(tmp_path: Path) -> None:
    first, second, target = tmp_path / "a.jpg", tmp_path / "a.png", tmp_path / "out" / "a.png"
    assert one_name_each([(first, target)]) == {target: first}
    with pytest.raises(DataError, match=r"a\.jpg and .*a\.png would both be written to .*out/a\.png"):
        one_name_each([(first, target), (second, target)])
