"""What the page keeps: a project folder that survives kills, adds up two tabs, and that `segment` reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from web_support import BASE, TOKEN, FloodEngine, app_of, discs, write_discs

from sightline.config import SegmentDataConfig
from sightline.data import list_pairs, load_masks
from sightline.data.masks.project import ProjectFolder
from sightline.errors import DataError, RunError
from sightline.run_lengths import decode_rle, run_lengths
from sightline.web.keeping import Keeper
from sightline.web.opening import Keeping, open_site

LEFT = discs()[..., 0] > 200
LEFT[:, 160:] = False
RIGHT = (discs()[..., 0] > 200) & ~LEFT


def put(key: str, mask: np.ndarray, value: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": key, "value": value, "counts": run_lengths(mask), **more}


class Page:
    """A browser at a server of the pictures in a folder."""

    def __init__(self, pictures: Path, *, classes: str | None = None) -> None:
        self.site = open_site(str(pictures), None, Keeping(None, classes))
        self.app = app_of(self.site, FloodEngine())
        self.client = TestClient(self.app, base_url=BASE, raise_server_exceptions=False)
        self.client.__enter__()
        self.client.get(f"/?token={TOKEN}")

    def get(self, path: str) -> Any:
        return self.client.get(path).json()

    def post(self, path: str, body: Any, status: int = 200) -> Any:
        answer = self.client.post(path, json=body, headers={"origin": BASE})
        assert answer.status_code == status, answer.text
        return answer.json()

    def close(self) -> None:
        self.client.__exit__(None, None, None)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    write_discs(tmp_path / "photos" / "sub", 3)
    return tmp_path / "photos"


@pytest.fixture
def project(pictures: Path) -> ProjectFolder:
    return ProjectFolder(pictures.with_name("photos-project"))


def test_who_only_looks_leaves_nothing(pictures: Path, project: ProjectFolder):
    page = Page(pictures)
    assert page.get("/api/project") == {
        "name": "photos-project",
        "classes": [{"value": 1, "name": "object", "color": "#3478d4"}],
        "states": {},
    }
    assert page.get("/api/pictures/f0/work") == {"revision": 0, "state": "untouched", "objects": []}
    page.close()
    assert not project.path.exists()


def test_what_is_kept_is_an_open_form_and_a_data_set(pictures: Path, project: ProjectFolder):
    page = Page(pictures)
    moon = page.post("/api/project/classes", {"name": "moon", "color": "#ff8800"})["classes"][-1]
    clicked = {"points": [[80.5, 120.5, 1]], "score": 0.9}
    page.post("/api/pictures/f0/work", {"put": [put("a" * 16, LEFT, **clicked), put("b" * 16, RIGHT, moon["value"])]})
    page.post("/api/pictures/f0/work", {"since": 1, "state": "done"})
    page.post("/api/pictures/f1/work", {"put": [put("c" * 16, LEFT), put("d" * 16, RIGHT, 0)]})
    page.post("/api/pictures/f2/work", {"state": "skipped"})
    page.close()

    stored = json.loads((project.path / "objects" / "sub" / "discs0.png.json").read_text())
    assert (stored["version"], stored["state"], stored["picture"]) == (1, "done", "sub/discs0.png")
    assert stored["objects"][0]["points"] == [[80.5, 120.5, 1]]
    assert (decode_rle(stored["objects"][0]["mask"]) == LEFT).all()
    with Image.open(project.path / "masks" / "sub" / "discs0.png.png") as mask:
        assert mask.mode == "P"
        assert (np.asarray(mask) == LEFT * 1 + RIGHT * 2).all()
        assert mask.convert("RGB").getpixel((240, 120)) == (255, 136, 0)
    with Image.open(project.path / "masks" / "sub" / "discs1.png.png") as mask:
        begun = np.where(LEFT, 1, np.where(RIGHT, 0, 255))
        assert (np.asarray(mask) == begun).all(), "what nobody has looked at is unlabelled"
    assert not (project.path / "masks" / "sub" / "discs2.png.png").exists()

    found = load_masks(
        SegmentDataConfig(source=str(project.path)), cache_dir=project.path.parent / "cache", split=False
    )
    assert found.ids == ["sub/discs0.png", "sub/discs1.png"]
    assert found.palette.classes == ("background", "object", "moon")
    assert (found.mask(0) == LEFT * 1 + RIGHT * 2).all()
    assert (found.mask(1) == begun).all()
    assert (found.image(0) == discs()).all()


def test_another_server_goes_on_where_the_first_was_killed(pictures: Path, project: ProjectFolder):
    keeper = Keeper(project.path, pictures, [("object", "#3478d4")])
    page = Page(pictures)
    page.post("/api/pictures/f0/work", {"put": [put("a" * 16, LEFT)]})
    with pytest.raises(RunError, match="in use by process"):
        keeper.change("sub/discs0.png", LEFT.shape, state="done")
    page.close()
    project.mask_file("sub/discs0.png").unlink()  # as if killed before it was written
    page = Page(pictures)
    (entry,) = page.get("/api/pictures/f0/work")["objects"]
    assert entry["mask"]["counts"] == run_lengths(LEFT)
    assert entry["mask"]["box"] == [40, 80, 81, 81]
    assert entry["mask"]["area"] == int(LEFT.sum())
    assert page.get("/api/project")["states"] == {"f0": {"state": "begun", "objects": 1}}
    page.close()
    assert project.mask_file("sub/discs0.png").is_file()
    assert not (project.path / ".lock").exists()


def test_two_tabs_add_up(pictures: Path):
    page = Page(pictures)
    page.post("/api/pictures/f0/work", {"put": [put("a" * 16, LEFT)], "order": ["a" * 16]})
    second = page.post("/api/pictures/f0/work", {"put": [put("b" * 16, RIGHT)], "order": ["b" * 16]})
    assert [entry["id"][0] for entry in second["objects"]] == ["a", "b"], "told of what it did not know"
    again = page.post("/api/pictures/f0/work", {"since": 2, "put": [put("b" * 16, RIGHT)]})
    assert (again["count"], "objects" in again) == (2, False), "a change sent twice does no harm"
    page.post("/api/pictures/f0/work", {"since": 3, "drop": ["a" * 16, "never there"]})
    assert [entry["id"][0] for entry in page.get("/api/pictures/f0/work")["objects"]] == ["b"]
    page.close()


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"put": [{"id": "../../x", "value": 1, "counts": [0]}]}, 400, "id"),
        ({"put": [{"id": "a" * 16, "value": 1, "counts": [5]}]}, 400, "do not fill"),
        ({"put": [{"id": "a" * 16, "value": 1, "counts": [2**63, 2**63, 240 * 320]}]}, 400, "do not fill"),
        ({"put": [{"id": "a" * 16, "value": 9, "counts": [320 * 240]}]}, 400, "no class of value 9"),
        ({"state": "finished"}, 400, "state"),
        ({"path": "/etc/passwd"}, 400, "path"),
    ],
)
def test_what_a_browser_may_not_write(
    pictures: Path, project: ProjectFolder, body: dict[str, Any], status: int, said: str
):
    page = Page(pictures)
    assert said in page.post("/api/pictures/f0/work", body, status)["error"]
    assert "error" in page.post("/api/pictures/..%2f..%2fx/work", {}, 404)
    page.close()
    assert not list(project.path.glob("objects/**/*"))


def test_the_project_is_behind_the_guard(pictures: Path, project: ProjectFolder):
    page = Page(pictures)
    stranger = TestClient(page.app, base_url=BASE)
    for path in ("/api/project", "/api/project/export/coco", "/api/pictures/f0/work"):
        assert stranger.get(path).status_code == 401, path
        cross = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
        assert page.client.get(path, headers=cross).status_code == 403, path
    for path in ("/api/project/classes", "/api/pictures/f0/work"):
        assert stranger.post(path, json={}, headers={"origin": BASE}).status_code == 401, path
        for origin in ({}, {"origin": "http://elsewhere.example"}):
            assert page.client.post(path, json={"name": "x"}, headers=origin).status_code == 403, path
    page.close()
    assert not project.path.exists()


def test_classes_keep_their_values(pictures: Path, project: ProjectFolder):
    page = Page(pictures)
    first = page.get("/api/project")["classes"][0]
    page.post("/api/project/classes", {"name": "moon"})
    page.post("/api/project/classes", first | {"name": "sun", "color": "#102030"})
    assert "two of one name" in page.post("/api/project/classes", first | {"name": "moon"}, 409)["error"]
    page.close()
    assert [(c.value, c.name, c.color) for c in project.settings.classes] == [
        (1, "sun", "#102030"),
        (2, "moon", "#d1702a"),
    ]
    other = Page(pictures.parent / "photos", classes=None)
    assert [c["name"] for c in other.get("/api/project")["classes"]] == ["sun", "moon"]
    other.close()


def test_classes_from_a_file_and_from_a_project(pictures: Path, tmp_path: Path):
    (tmp_path / "classes.csv").write_text("name,color\nbackground,#000000\nroad,#ff0000\nsea,#0000ff\n")
    page = Page(pictures, classes=str(tmp_path / "classes.csv"))
    assert [c["name"] for c in page.get("/api/project")["classes"]] == ["road", "sea"]
    page.post("/api/pictures/f0/work", {"state": "done"})
    page.close()
    write_discs(tmp_path / "more", 1)
    page = Page(tmp_path / "more", classes=str(tmp_path / "photos-project"))
    assert [c["color"] for c in page.get("/api/project")["classes"]] == ["#ff0000", "#0000ff"]
    page.close()


def test_a_project_opens_by_itself_and_strange_folders_are_refused(pictures: Path, project: ProjectFolder):
    page = Page(pictures)
    page.post("/api/pictures/f0/work", {"state": "done"})
    page.close()
    page = Page(project.path)
    assert page.get("/api/project")["states"]["f0"]["state"] == "done"
    assert len(page.get("/api/pictures")["pictures"]) == 3
    page.close()
    write_discs(pictures.with_name("others"), 1)
    with pytest.raises(DataError, match="another --project"):
        open_site(str(pictures.with_name("others")), None, Keeping(project.path))
    with pytest.raises(DataError, match="is no project"):
        open_site(str(pictures.with_name("others")), None, Keeping(pictures))
    project.objects_file("sub/discs0.png").write_text("{")
    with pytest.raises(DataError, match=r"discs0\.png\.json: is not as Sightline writes it"):
        open_site(str(project.path), None, Keeping())


def test_a_picture_that_changed_its_size_is_told_of(pictures: Path):
    page = Page(pictures)
    page.post("/api/pictures/f0/work", {"put": [put("a" * 16, LEFT)]})
    page.close()
    Image.fromarray(discs(64, 48)).save(pictures / "sub" / "discs0.png")
    page = Page(pictures)
    error = page.post("/api/pictures/f0/work", {"state": "done"}, 409)["error"]
    assert "64 × 48 pixels now" in error
    assert str(pictures.parent) not in error
    page.close()


def test_segment_refuses_a_project_without_work(pictures: Path, project: ProjectFolder):
    page = Page(pictures)
    page.post("/api/pictures/f0/work", {"state": "skipped"})
    page.close()
    with pytest.raises(DataError, match="no picture of this project is begun or done"):
        list_pairs(SegmentDataConfig(source=str(project.path)))
