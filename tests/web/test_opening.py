"""What a target on the command line opens, and the data behind the map and progress pages."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from starlette.testclient import TestClient
from web_support import BASE, TOKEN, app_of, write_discs

from conftest import write_classes
from sightline.config import DataConfig, EmbedConfig
from sightline.errors import RunError, UserError
from sightline.web.embedding import read_map
from sightline.web.opening import Keeping, open_site
from sightline.web.progress import read_progress


def write_embedding(folder: Path, pictures: Path | None, *, points: bool = True) -> Path:
    """Two classes of ten, far apart; the first of each lies, and has the features, of the other."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = [f"class{label}/{index:03d}.png" for label in (0, 1) for index in range(10)]
    side = np.array([1] + [0] * 9 + [0] + [1] * 9)
    rng = np.random.default_rng(0)
    features = (np.eye(2)[side] * 10 + rng.normal(0, 0.2, (20, 2))).astype(np.float32)
    table = {
        "id": pa.array(ids),
        "label": pa.array([key.split("/")[0] for key in ids]),
        "features": pa.FixedSizeListArray.from_arrays(pa.array(features.ravel()), 2),
    }
    if points:
        table |= {"x": pa.array(side * 10 + rng.normal(0, 1, 20)), "y": pa.array(rng.normal(0, 2, 20))}
    pq.write_table(pa.table(table), folder / "embedding.parquet")
    if pictures is not None:
        config = EmbedConfig(run="none", data=DataConfig(source=str(pictures)))
        (folder / "config.yaml").write_text(yaml.safe_dump(config.to_dict()))
    return folder


def write_progress(run: Path, epochs: tuple[int, ...] = (1, 2, 4)) -> Path:
    """One picture whose mask grows to the truth."""
    folder = run / "progress"
    folder.mkdir(parents=True, exist_ok=True)
    colors = np.array([[0, 0, 255], [255, 255, 0], [0, 0, 0]], np.uint8)  # the last of what is unknown
    truth = np.zeros((40, 60), int)
    truth[10:30, 10:50] = 1
    stages = []
    for number, epoch in enumerate(epochs):
        mask = truth.copy()
        mask[:, : 50 - 50 * (number + 1) // len(epochs)] = 0
        Image.fromarray(colors[mask]).save(folder / f"0-e{epoch:03d}.png")
        stages.append({"epoch": epoch, "mask": f"0-e{epoch:03d}.png"})
    truth[:, -2:] = 2
    Image.fromarray(colors[truth]).save(folder / "0-truth.png")
    Image.fromarray(np.full((40, 60, 3), 120, np.uint8)).save(folder / "0-image.png")
    palette = {"names": ["water", "field"], "colors": colors.tolist()}
    entry = {"id": "0", "name": "tile", "stages": stages, "image": "0-image.png", "truth": "0-truth.png"}
    (folder / "progress.json").write_text(json.dumps({"palette": palette, "images": [entry]}))
    return run


# -- maps
def test_a_map_with_neighbors_votes_and_pictures(tmp_path: Path):
    pictures = write_classes(tmp_path / "pictures", classes=2, each=10)
    found = read_map(write_embedding(tmp_path / "embedding", pictures))
    assert found is not None
    told = found.describe()
    assert told["classes"] == ["class0", "class1"]
    assert "neighbours" in told["predicted_by"]
    wrong = [i for i in range(20) if told["labels"][i] != told["predictions"][i]]
    assert wrong == [0, 10], "those that lie among the others"
    assert told["thumbnails"] is True
    assert str(tmp_path) not in json.dumps(told)
    assert found.file(3) == pictures / "class0" / "003.png"
    assert found.file(20) is None
    assert found.file(-1) is None


def test_predictions_of_the_run_come_first(tmp_path: Path):
    folder = write_embedding(tmp_path / "embedding", None)
    run = tmp_path / "run"
    run.mkdir()
    table = pa.table({"id": ["class0/000.png", "class1/009.png"], "predicted": ["class1", "class1"]})
    pq.write_table(table, run / "predictions.parquet")
    (run / "run.json").write_text("{}")
    config = EmbedConfig(run=str(run), data=DataConfig(source=str(tmp_path / "gone")))
    (folder / "config.yaml").write_text(yaml.safe_dump(config.to_dict()))
    found = read_map(folder)
    assert found is not None
    told = found.describe()
    assert told["predicted_by"] == "the classifier of run"
    assert [p for p in told["predictions"] if p >= 0] == [1, 1]
    assert told["thumbnails"] is False
    assert "not found" in told["notes"][0]
    assert "--data" in told["notes"][0]


def test_without_a_map_the_principal_axes(tmp_path: Path):
    found = read_map(write_embedding(tmp_path / "embedding", None, points=False))
    assert found is not None
    assert [stage.title for stage in found.stages] == ["Principal axes"]


def test_damaged_tables(tmp_path: Path):
    assert read_map(tmp_path) is None
    (tmp_path / "embedding.parquet").write_bytes(b"no parquet")
    with pytest.raises(RunError, match="damaged"):
        read_map(tmp_path)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "embedding.parquet")
    with pytest.raises(RunError, match="no columns id and label"):
        read_map(tmp_path)
    pq.write_table(pa.table({"id": ["a"], "label": [""]}), tmp_path / "embedding.parquet")
    with pytest.raises(RunError, match="--tsne"):
        read_map(tmp_path)


# -- progress
def test_progress_names_no_file_and_opens_only_its_own(tmp_path: Path):
    found = read_progress(write_progress(tmp_path / "run"))
    assert found is not None
    assert ".png" not in json.dumps(found.described)
    assert found.described["images"][0]["epochs"] == [1, 2, 4]
    assert set(found.files) == {(0, "image"), (0, "truth"), (0, "0"), (0, "1"), (0, "2")}


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "sub/0.png", "", 5])
def test_progress_that_points_elsewhere_is_refused(tmp_path: Path, name: object):
    run = write_progress(tmp_path / "run")
    (tmp_path / "run" / "secret.png").write_bytes(b"")
    index = run / "progress" / "progress.json"
    content = json.loads(index.read_text())
    content["images"][0]["stages"][0]["mask"] = name
    index.write_text(json.dumps(content))
    with pytest.raises(RunError):
        read_progress(run)


def test_the_legend_is_the_run_s_palette(tmp_path: Path):
    found = read_progress(write_progress(tmp_path / "run"))
    assert found is not None
    assert found.described["classes"] == [
        {"name": "water", "color": "#0000ff"},
        {"name": "field", "color": "#ffff00"},
    ]


def test_a_stage_that_is_announced_but_not_yet_written_is_left_out(tmp_path: Path):
    run = write_progress(tmp_path / "run")
    (run / "progress" / "0-e004.png").unlink()
    found = read_progress(run)
    assert found is not None
    assert found.described["images"][0]["epochs"] == [1, 2]


# -- targets
def test_pictures_and_folders(tmp_path: Path):
    paths = write_discs(tmp_path / "pictures", 3)
    assert open_site(str(tmp_path / "pictures")).pictures == tuple(paths)
    assert open_site(str(paths[1])).pictures == (paths[1],)
    assert open_site(str(paths[1])).first == "segment"


def test_what_is_not_there(tmp_path: Path):
    with pytest.raises(UserError):
        open_site(str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no images"):
        open_site(str(tmp_path / "empty"))
    write_discs(tmp_path / "pictures")
    with pytest.raises(UserError, match="--data"):
        open_site(str(tmp_path / "pictures"), "elsewhere")


def test_an_embed_folder_opens_its_map(tmp_path: Path):
    site = open_site(str(write_embedding(tmp_path / "embedding", None)))
    assert (site.first, len(site.maps), site.report) == ("map", 1, None)


def test_a_run_folder_finds_maps_below_it_and_its_report(tmp_path: Path):
    run = write_progress(tmp_path / "run")
    write_embedding(run / "features", None)
    (run / "report.html").write_text("<!doctype html><html><body><p>numbers</p></body></html>")
    (run / "figures").mkdir()
    (run / "figures" / "a.png").write_bytes(b"png")
    (run / "figures" / "secret.txt").write_text("x")
    site = open_site(str(run))
    assert (site.first, len(site.maps), len(site.progress)) == ("report", 1, 1)
    client = TestClient(app_of(site), base_url=BASE)
    client.get(f"/?token={TOKEN}")
    page = client.get("/report/page")
    assert "numbers" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "script" not in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "SAMEORIGIN"
    assert client.get("/report/figures/a.png").status_code == 200
    assert client.get("/report/figures/secret.txt").status_code == 404
    for path in ("/report", "/map", "/progress", "/segment"):
        assert client.get(path).status_code == 200
    assert client.get("/api/maps/0").json()["ids"][0] == "class0/000.png"
    assert client.get("/api/maps/0/thumbnail/0").status_code == 404
    assert client.get("/api/progress/0/0/2").status_code == 200
    assert client.get("/api/progress/0/0/3").status_code == 404


def test_the_demo_shows_scenes_and_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("SIGHTLINE_DATA", str(tmp_path))
    monkeypatch.setattr("sightline.data.sets.demo.UNLABELLED", 2)  # a few pictures are enough
    monkeypatch.setattr("sightline.data.sets.demo.PER_CLASS_AND_STYLE", 3)
    site = open_site("demo")
    assert "drawing" in capsys.readouterr().err
    open_site("demo")
    assert capsys.readouterr().err == "", "they are there now"
    assert len(site.pictures) == 8 + 2 * 8
    assert all(path.is_file() for path in site.pictures)


def test_pictures_beside_which_no_project_can_be_made_ask_for_another_place(tmp_path: Path, monkeypatch):
    write_discs(tmp_path / "photos", 1)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(UserError, match=r"photos-project: may not be written.*give another place as --project"):
        open_site(str(tmp_path / "photos"), None, Keeping())
    (tmp_path / "mine").mkdir()
    open_site(str(tmp_path / "photos"), None, Keeping(folder=tmp_path / "mine" / "project"))
