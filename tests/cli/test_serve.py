"""`sightline serve`: what it refuses, and what it hands to the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.cli.main import run
from sightline.prompts import Prompts


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.full((60, 80, 3), (40, 120, 70), np.uint8)
    pixels[20:40, 30:50] = (220, 40, 40)
    Image.fromarray(pixels).save(tmp_path / "square.png")
    return tmp_path / "square.png"


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--port", "70000"], "--port"),
        (["--max-upload-mb", "0"], "--max-upload-mb"),
        (["--session-hours", "-1"], "--session-hours"),
        (["--engine", "graphcat"], "graphcut"),
        (["--data", "somewhere"], "--data"),
        (["--host", "203.0.113.7"], "--host"),
    ],
)
def test_wrong_use_is_told(picture: Path, flags: list[str], named: str, capsys: pytest.CaptureFixture[str]):
    assert run(["serve", str(picture), "--no-open", *flags]) == 2
    assert named in capsys.readouterr().err


def test_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["serve", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_flags_reach_the_page_and_the_engine_answers(picture: Path, monkeypatch: pytest.MonkeyPatch):
    seen: dict[str, Any] = {}
    monkeypatch.setattr("sightline.web.serve", lambda site, make, **rest: seen.update(site=site, make=make, **rest))
    flags = ["--port", "8123", "--no-open", "--allow-host", "lab.example", "--max-megapixels", "2", "--memory-mb", "3"]
    assert run(["serve", str(picture), *flags]) == 0
    assert (seen["host"], seen["port"], seen["open_browser"]) == ("127.0.0.1", 8123, False)
    assert seen["allow_hosts"] == ("lab.example",)
    assert (seen["settings"].max_pixels, seen["settings"].state_bytes) == (2_000_000, 3 * 1024 * 1024)
    assert seen["site"].pictures == (picture,)
    engine = seen["make"]()
    state = engine.set_image(np.asarray(Image.open(picture)))
    answer = engine.predict(state, Prompts(points=((40.0, 30.0, 1),)))
    assert (engine.name, engine.device) == ("graphcut", "cpu")
    assert answer.masks[:, 30, 40].all()
    assert answer.masks.shape[1:] == (60, 80)
    assert sum(region.area for region in engine.everything(state)) > 1000
