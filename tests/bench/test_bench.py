"""The benchmarks run, account for all of what they time, and write a page that says where its numbers are from."""

from __future__ import annotations

import json
import sys

import pytest

from sightline.bench import segment, step, transfer
from sightline.bench.page import Page, number, table, write
from sightline.bench.pictures import picture_folder
from sightline.bench.timer import PARTS
from sightline.cli.main import run

TINY = {
    "backbone": "timm/test_resnet",
    "batch_size": 8,
    "views": {"global_size": 24, "local_size": 16, "local_crops": 1},
    "method": {"prototypes": 16, "hidden": 16, "bottleneck": 8},
}


@pytest.fixture
def tiny_step(monkeypatch):
    monkeypatch.setattr(step, "SETTING", TINY)
    monkeypatch.setattr(step, "PICTURES", 24)  # three steps an epoch: epochs end while it is timed


def test_parts_of_a_step_make_up_the_whole(tiny_step):
    page = step.run(steps=5, batch=8, precision="32-true", device="cpu", workers=0)
    whole, *parts = page.tables["One step"]
    assert [row["part"] for row in parts] == list(PARTS)
    assert sum(row["share"] for row in parts) == pytest.approx(1)
    assert all(row["ms"] > 0 for row in parts)
    assert whole["images/s"] == pytest.approx(8e3 / whole["ms"])
    assert page.facts["steps"] == "5, medians"


def test_parts_of_a_segmentation_step_make_up_the_whole(monkeypatch):
    monkeypatch.setitem(segment.SETTING, "backbone", "timm/test_resnet")
    monkeypatch.setitem(segment.SETTING, "crop", 32)
    page = segment.run(steps=3, batch=4, precision="32-true", device="cpu")
    whole, *parts = page.tables["One step"]
    assert [row["part"] for row in parts] == list(PARTS)
    assert whole["images/s"] == pytest.approx(4e3 / whole["ms"])
    assert page.facts["steps"] == "3, medians"


def test_transfer_compares_the_same_work(class_folder, monkeypatch):
    monkeypatch.setattr(
        transfer, "SETTING", {"backbone": "timm/test_resnet", "train": "head", "precision": "32-true", "input_size": 24}
    )
    page = transfer.run(seeds=1, epochs=2, source=str(class_folder))
    cached, plain = page.tables["Whole runs"]
    assert cached["how"] == "features cached"
    assert plain["faster by"] == 1.0
    assert 0 <= cached["test accuracy"] <= 1
    assert page.facts["n"] == 9


def test_a_page_says_where_its_numbers_come_from(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmarks/x.py", "--rounds", "3"])
    page = Page("A title", "About it.", {"Speed": [{"who": "a", "rate": 1234.5}, {"who": "b"}]}, {"goal": "2×"})
    write(page, tmp_path / "pages" / "x.md")
    text = (tmp_path / "pages" / "x.md").read_text()
    assert text.startswith("# A title\n\nAbout it.\n\n## Speed\n\n| who | rate |\n| --- | --- |\n")
    assert "| a | 1234 |\n| b |  |\n" in text
    assert "- command: `python benchmarks/x.py --rounds 3`\n" in text
    assert all(word in text for word in ("- date: 20", "- machine: ", "torch 2.", "- goal: 2×"))


def test_numbers_and_tables():
    assert [number(value) for value in (0.0123456, 12.3456, 1234.5, 7, "x")] == ["0.0123", "12.3", "1234", "7", "x"]
    assert table([]).startswith("|")


def test_generated_pictures_are_made_once(tmp_path):
    folder = picture_folder(tmp_path / "p", 3, 16)
    before = [path.stat().st_mtime_ns for path in sorted(folder.glob("*.jpg"))]
    assert len(before) == 3
    picture_folder(folder, 3, 16)
    assert [path.stat().st_mtime_ns for path in sorted(folder.glob("*.jpg"))] == before


def test_the_command_prints_json_and_writes_the_page(tiny_step, tmp_path, capsys):
    page = tmp_path / "step.md"
    arguments = ["bench", "step", "--steps", "2", "--batch", "8", "--device", "cpu", "--precision", "32-true"]
    assert run([*arguments, "--write", str(page), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["tables"]["One step"][0]["part"] == "whole step"
    assert page.read_text().startswith("# Where a DINO step's time goes")
