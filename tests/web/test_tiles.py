"""A segmenter's run on the page: its classes, its test tiles with truth and mask, its bands and scale."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from starlette.testclient import TestClient
from web_support import BASE, TOKEN, app_of

from sightline.data import Palette
from sightline.data.masks.formats import palette_png
from sightline.runs import StudyFolder
from sightline.runs.info import Provenance
from sightline.runs.results import Init, SegmentDetails
from sightline.runs.study_result import ArmResult, ArmScore, Reference, StudyResult
from sightline.study.arms import parse_arm
from sightline.web.opening import Keeping, open_site
from sightline.web.tiles import read_tiles

TRUTH = np.zeros((12, 16), np.uint8)
TRUTH[3:9, 4:12] = 1
DRAWN = np.roll(TRUTH, 1, axis=1)
PALETTE = Palette(("background", "roof"), ((0, 0, 0), (200, 40, 40)), indexed=True, values=(0, 1))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder on four tiles of 12 bits, two of them in its test part."""
    for name in ("images", "masks"):
        (tmp_path / "data" / name).mkdir(parents=True)
    for index in range(4):
        Image.fromarray(TRUTH.astype(np.uint16) * 4000).save(tmp_path / "data" / "images" / f"{index}.png")
        Image.fromarray(TRUTH).save(tmp_path / "data" / "masks" / f"{index}.png")
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    (run / "config.yaml").write_text(yaml.safe_dump({"data": {"source": str(tmp_path / "data")}}))
    reading = {"bands": None, "scale": [[0, 8000]], "bytes_too": False}
    (run / "model.json").write_text(json.dumps({"palette": PALETTE.to_dict(), "reading": reading}))
    drawn = palette_png(DRAWN, PALETTE.colors)
    table = {"id": ["images/1.png", "images/3.png"], "mask": pa.array([drawn, drawn], pa.binary())}
    pq.write_table(pa.table(table), run / "predictions.parquet")
    (run / "report.html").write_text("<!doctype html><html lang='en'><title>Report</title></html>")
    return run


def test_a_run_shows_its_test_tiles_and_opens_them(run: Path, tmp_path: Path):
    site = open_site(str(run), None, Keeping())
    assert [path.name for path in site.pictures] == ["1.png", "3.png"]
    assert site.classes == (("roof", "#c82828"),)
    client = TestClient(app_of(site), base_url=BASE)
    client.get(f"/?token={TOKEN}")

    def shown(path: str) -> np.ndarray:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))

    (entry,) = client.get("/api/progress").json()["runs"]
    assert [image["name"] for image in entry["images"]] == ["images/1.png", "images/3.png"]
    assert str(tmp_path) not in json.dumps(entry)
    assert (shown("/api/progress/0/0/truth") == PALETTE.decode(TRUTH)).all()
    assert (shown("/api/progress/0/0/0") == PALETTE.decode(DRAWN)).all()
    half = np.repeat(TRUTH[..., None] * np.uint8(128), 3, axis=2)
    assert (shown("/api/progress/0/1/image") == half).all(), "by the run's scale, not the tile's own"
    assert (shown("/api/pictures/f1/image") == half).all()
    assert client.get("/api/project").json()["name"] == "run-project"
    assert client.get("/segment").status_code == client.get("/progress").status_code == 200


def test_a_study_shows_the_test_tiles_of_its_first_runs(run: Path, tmp_path: Path):
    study = StudyFolder(tmp_path / "study")
    study.run_path("unet-1").parent.mkdir(parents=True)
    run.rename(study.run_path("unet-1"))
    (study.path / "study.yaml").write_text("{}")
    (study.path / "report.html").write_text("<!doctype html><html lang='en'><title>Report</title></html>")
    arm = parse_arm("unet")
    score = ArmScore(mean=0.5, low=0.4, high=0.6, n=2, seeds=(0.5, 0.5), per_class={}, seconds=1.0, images_seen=4)
    details = SegmentDetails(init=Init(source="none", matched=""), parameters=9, pixel_accuracy=0.9, boundary_iou=0.5)
    done = ArmResult(
        arm="unet", name=arm.title, task="segment", metric="mean_iou", parts=arm.parts((1, 2)), status="done",
        reason="", score=score, details=details,
    )  # fmt: skip
    study.write_result(StudyResult(
        name="tiles", notes="", arms=(done,), comparisons=(), questions=(), embedding=None, pretrain=None,
        reference=Reference(name="none", trained_here=False), data={},
        provenance=Provenance(versions={}, hardware=None),
    ))  # fmt: skip
    site = open_site(str(study.path), None, Keeping())
    assert [shown.described["title"] for shown in site.progress] == ["unet-1: test tiles"]
    assert [path.name for path in site.pictures] == ["1.png", "3.png"]
    assert site.classes == (("roof", "#c82828"),)


def test_a_run_whose_images_are_gone_still_opens(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    assert read_tiles(run) is None
    assert "its test tiles are not shown" in capsys.readouterr().err
    assert open_site(str(run), None, Keeping()).first == "report"
