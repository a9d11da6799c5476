"""What the terminal shows of results: nothing is cut, whatever its width."""

from __future__ import annotations

import json

import pytest

from sightline.cli.common import show

PATH = "runs/a/very/long/folder/of/results/that/nobody/wants/to/see/cut/weights.safetensors"
ROWS = [{"wrote": PATH, "open with": "timm.create_model('resnet50', checkpoint_path=...)", "score": 0.123456}] * 2


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_path_is_cut_at_any_width(capsys, monkeypatch, width: int):
    monkeypatch.setenv("COLUMNS", str(width))
    show(ROWS, as_json=False, title="export")
    out = capsys.readouterr().out
    assert out.count(PATH) == 2
    assert out.count("0.1235") == 2
    assert ("│" in out) == (width == 200)


def test_spare_columns_are_left_out_as_far_as_a_table_needs(capsys, monkeypatch):
    rows = [{"run": "runs/" + "a" * 30, "score": "59.2 %", "size": "1.6 MB", "changed": "2 h ago"}]
    for width, heads in (
        (100, ("run", "score", "size", "changed")),
        (60, ("run", "score", "changed")),
        (50, ("run", "score")),
        (20, None),
    ):
        monkeypatch.setenv("COLUMNS", str(width))
        show(rows, as_json=False, spare=("size", "changed"))
        said = capsys.readouterr().out
        if heads is None:
            assert "  changed: 2 h ago" in said, "too narrow for any table: nothing is left out"
        else:
            assert tuple(said.splitlines()[1].replace("┃", " ").split()) == heads


def test_two_columns_wider_than_the_terminal_are_one_line_a_row(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    show([{"what": "device", "value": "cpu"}, {"what": "wrote", "value": PATH}], as_json=False)
    assert capsys.readouterr().out == f"  device: cpu\n  wrote: {PATH}\n"


def test_what_has_which_value_is_one_line_a_row_with_all_that_is_known(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    rows = [{"what": "a class " * 6, "value": 3, "share": 0.5, "masks": 2}, {"what": "images", "value": 12}]
    show(rows, as_json=False)
    assert capsys.readouterr().out.splitlines()[1] == "  images: 12"
    show(rows, as_json=False)
    assert capsys.readouterr().out.splitlines()[0].endswith(": 3, share 0.5, masks 2")


def test_brackets_are_text(capsys):
    show([{"class": "[red]dog[/red]"}], as_json=False)
    assert "[red]dog[/red]" in capsys.readouterr().out


def test_json_is_rows(capsys):
    show(ROWS, as_json=True, title="export")
    assert json.loads(capsys.readouterr().out) == ROWS
