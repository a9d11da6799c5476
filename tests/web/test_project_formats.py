"""A project leaves in every format, and each comes back as the same pixels."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_project import LEFT, RIGHT, Page, put
from web_support import discs, write_discs

from sightline.config import SegmentDataConfig
from sightline.data import load_masks
from sightline.data.masks.project import ProjectFolder
from sightline.data.masks.project_formats import PROJECT_FORMATS
from sightline.errors import DataError
from sightline.run_lengths import decode_rle
from sightline.web.opening import Keeping, open_site

RING = LEFT.copy()
RING[110:130, 70:90] = False  # a hole
PARTS = RIGHT.copy()
PARTS[:, 235:240] = False  # two parts
TRUTH = np.where(RING, 1, np.where(PARTS, 2, 0)).astype(np.uint8)
BEGUN = np.where(LEFT, 1, np.where(RIGHT, 0, 255)).astype(np.uint8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures, one done and one begun, and a project beside them."""
    folder = tmp_path_factory.mktemp("formats") / "photos"
    write_discs(folder / "sub", 2)
    page = Page(folder)
    page.post("/api/project/classes", {"name": "moon", "color": "#ff8800"})
    # The second lies on the first, in whose hole it shows nothing.
    page.post("/api/pictures/f0/work", {"put": [put("a" * 16, RING | PARTS), put("b" * 16, PARTS, 2)], "state": "done"})
    page.post("/api/pictures/f1/work", {"put": [put("c" * 16, LEFT), put("d" * 16, RIGHT, 0)]})
    page.close()
    return folder


@pytest.fixture
def exported(photos: Path, tmp_path: Path):
    """Unpack a format that the page sends."""

    def unpack(name: str) -> Path:
        page = Page(photos)
        answer = page.client.get(f"/api/project/export/{name}")
        assert answer.status_code == 200, answer.text
        assert f"photos-project-{name}.zip" in answer.headers["content-disposition"]
        page.close()
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            archive.extractall(tmp_path / name)
        return tmp_path / name

    return unpack


def again(photos: Path, masks: Path, project: Path) -> dict[str, np.ndarray]:
    """Take masks into a new project, and return the class values of each picture."""
    site = open_site(str(photos), None, Keeping(project, None, masks))
    assert site.keeper is not None
    names = {item.value: item.name for item in site.keeper.settings.classes}
    site.keeper.close()
    value = {"object": 1, "moon": 2}
    table = np.arange(256, dtype=np.uint8)
    for old, name in names.items():
        table[old] = value[name]
    return {work.picture: table[work.index()] for work in ProjectFolder(project).works()}


@pytest.mark.parametrize("name", [name for name in PROJECT_FORMATS if not name.startswith("geo")])
def test_each_format_comes_back_as_the_same_pixels(photos: Path, exported, tmp_path: Path, name: str):
    found = again(photos, exported(name), tmp_path / "project")
    assert (found["sub/discs0.png"] == TRUTH).all()
    if name in ("index", "palette", "labelme"):
        assert (found["sub/discs1.png"] == BEGUN).all(), "these forms know what is unlabelled"
    else:
        assert (found["sub/discs1.png"] == LEFT).all()


def test_coco_has_instances_and_names(exported):
    content = json.loads((exported("coco") / "annotations.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["sub/discs0.png", "sub/discs1.png"]
    assert {c["name"]: c["id"] for c in content["categories"]} == {"object": 1, "moon": 2}
    first = content["annotations"][0]
    assert (decode_rle(first["segmentation"]) == RING).all(), "what is seen of it"
    assert isinstance(json.loads((exported("coco-polygons") / "annotations.json").read_text())["annotations"][1]
                      ["segmentation"], list)  # fmt: skip


@pytest.mark.parametrize("name", ["coco", "coco-polygons", "labelme", "yolo"])
def test_objects_stay_the_objects_that_they_were(tmp_path: Path, name: str):
    """Two of one class that touch, and one that is in two parts."""
    write_discs(tmp_path / "photos", 1)
    above, below = RIGHT.copy(), RIGHT.copy()
    above[120:], below[:120] = False, False
    apart = LEFT.copy()
    apart[115:125] = False
    page = Page(tmp_path / "photos")
    objects = [put("a" * 16, above), put("b" * 16, below), put("c" * 16, apart)]
    page.post("/api/pictures/f0/work", {"put": objects, "state": "done"})
    with zipfile.ZipFile(io.BytesIO(page.client.get(f"/api/project/export/{name}").content)) as archive:
        archive.extractall(tmp_path / name)
    page.close()
    project = tmp_path / "project"
    again(tmp_path / "photos", tmp_path / name, project)
    work = ProjectFolder(project).work("discs0.png")
    assert work is not None
    found = [decode_rle(item.mask.model_dump()) for item in work.objects if item.value > 0]
    # A line of YOLO has one polygon: there each part is an object.
    high = np.indices(LEFT.shape)[0] < 120
    whole = [above, below, *([apart & high, apart & ~high] if name == "yolo" else [apart])]
    assert len(found) == len(whole)
    for mask in whole:
        assert any((mask == other).all() for other in found)


@pytest.mark.parametrize("name", ["coco", "labelme"])
def test_segment_reads_what_lies_with_the_pictures(photos: Path, exported, tmp_path: Path, name: str):
    folder = exported(name)
    write_discs(folder / "sub", 2)
    found = load_masks(SegmentDataConfig(source=str(folder)), cache_dir=tmp_path / "cache", split=False)
    classes = {name: i for i, name in enumerate(found.palette.classes)}
    assert (found.mask(0) == np.choose(TRUTH, [0, classes["object"], classes["moon"]])).all()


def test_masks_of_others_by_name_alone(photos: Path, tmp_path: Path):
    (tmp_path / "masks").mkdir()
    Image.fromarray(TRUTH * np.uint8(100)).save(tmp_path / "masks" / "discs0_mask.png")
    Image.fromarray(TRUTH).save(tmp_path / "masks" / "of nothing here.png")
    site = open_site(str(photos), None, Keeping(tmp_path / "project", None, tmp_path / "masks"))
    assert site.keeper is not None
    assert [c.name for c in site.keeper.settings.classes] == ["class 0", "class 100", "class 200"]
    site.keeper.close()
    index = ProjectFolder(tmp_path / "project").work("sub/discs0.png").index()  # type: ignore[union-attr]
    assert (index == TRUTH + 1).all()


def test_own_work_is_not_replaced(photos: Path, exported, capsys: pytest.CaptureFixture[str]):
    folder = exported("index")
    before = ProjectFolder(photos.with_name("photos-project")).objects_file("sub/discs0.png").read_bytes()
    site = open_site(str(photos), None, Keeping(None, None, folder))
    assert site.keeper is not None
    site.keeper.close()
    assert "2 that were worked on already stay as they are" in capsys.readouterr().err
    assert site.keeper.folder.objects_file("sub/discs0.png").read_bytes() == before


def test_masks_that_fit_no_picture_are_refused(photos: Path, tmp_path: Path):
    with pytest.raises(DataError, match="no such file"):
        open_site(str(photos), None, Keeping(tmp_path / "project", None, tmp_path / "nowhere"))
    (tmp_path / "masks").mkdir()
    with pytest.raises(DataError, match="masks are named as the pictures are"):
        open_site(str(photos), None, Keeping(tmp_path / "project", None, tmp_path / "masks"))
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "masks" / "discs0.png")
    with pytest.raises(DataError, match="5 × 5 pixels"):
        open_site(str(photos), None, Keeping(tmp_path / "project", None, tmp_path / "masks"))


def test_pictures_without_a_place_on_earth(photos: Path):
    page = Page(photos)
    for name in ("geojson", "geotiff"):
        answer = page.client.get(f"/api/project/export/{name}")
        assert (answer.status_code, "georeference" in answer.text) == (409, True)
    assert page.client.get("/api/project/export/..%2fsecret").status_code == 404
    page.close()


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's own use of affine
def test_geotiff_and_geojson_have_the_scene_s_place(tmp_path: Path):
    rasterio = pytest.importorskip("rasterio")
    from rasterio.transform import from_origin

    keys = {"driver": "GTiff", "height": 240, "width": 320, "count": 3, "dtype": "uint8", "crs": "EPSG:32633"}
    (tmp_path / "scenes").mkdir()
    with rasterio.open(
        tmp_path / "scenes" / "a.tif", "w", transform=from_origin(500000, 5500000, 2, 2), **keys
    ) as file:
        file.write(discs().transpose(2, 0, 1))
    page = Page(tmp_path / "scenes")
    page.post("/api/pictures/f0/work", {"put": [put("a" * 16, RING)], "state": "done"})
    for name in ("geotiff", "geojson"):
        content = page.client.get(f"/api/project/export/{name}").content
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(tmp_path / name)
    page.close()
    with rasterio.open(tmp_path / "geotiff" / "masks" / "a.tif") as file:
        assert (file.crs.to_epsg(), file.transform.a, file.transform.c) == (32633, 2, 500000)
        assert (file.read(1) == RING).all()
    for name in ("geotiff", "geojson"):
        site = open_site(str(tmp_path / "scenes"), None, Keeping(tmp_path / f"p-{name}", None, tmp_path / name))
        assert site.keeper is not None
        site.keeper.close()
        index = ProjectFolder(tmp_path / f"p-{name}").work("a.tif").index()  # type: ignore[union-attr]
        assert (index == RING).all(), name
