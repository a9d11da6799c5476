"""GeoTIFF in and out: the georeference kept, any size at constant memory."""

from __future__ import annotations

import builtins
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.cli.main import run as command_line
from sightline.config import IGNORE_INDEX, SegmentConfig, SegmentDataConfig
from sightline.data import DEEPGLOBE, UnreadableImage, decode, load_masks
from sightline.data.images.geotiff import open_raster, write_raster
from sightline.data.images.reading import Reading
from sightline.data.masks.project import ProjectFolder
from sightline.engine import NoProgress
from sightline.errors import DataError, NotAvailable
from sightline.tasks.segment import Options, predict_masks, segment
from sightline.tasks.segment.predictor import Predictor

rasterio = pytest.importorskip("rasterio")
TRANSFORM = rasterio.Affine(0.5, 0, 440_000, 0, -0.5, 5_700_000)


def write_tif(path: Path, pixels: np.ndarray, **keys) -> Path:
    """Write pixels (H, W, bands) as a GeoTIFF in UTM zone 32."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, count = pixels.shape
    profile = {"driver": "GTiff", "dtype": pixels.dtype, "crs": "EPSG:32632", "transform": TRANSFORM} | keys
    with rasterio.open(path, "w", height=height, width=width, count=count, **profile) as file:
        file.write(pixels.transpose(2, 0, 1))
    return path


def scene(height: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return an image whose red channel is 40 times its class, and the classes."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 6, (-(-height // 8), -(-width // 8)), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = classes[:height, :width] * 40
    return image, classes[:height, :width]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        base = tmp_path_factory.mktemp("geotiff")
        patch.setenv("SIGHTLINE_CACHE", str(base / "cache"))
        patch.setenv("SIGHTLINE_DATA", str(base / "data"))
        keys = {"backbone": "timm/resnet10t", "epochs": 1, "batch_size": 8, "crop": 32, "threads": 1, "workers": 0}
        keys |= {"data": {"source": "demo/landcover", "image_size": 32}, "interventions": False}
        return segment(SegmentConfig.build(keys), base / "run", progress=NoProgress()).path


@pytest.fixture
def reads_red(monkeypatch):
    """A network that knows a class by its red."""

    def probabilities(self, tiles: np.ndarray) -> np.ndarray:
        return np.eye(6, dtype=np.float32)[tiles[..., 0] // 40].transpose(0, 3, 1, 2)

    monkeypatch.setattr(Predictor, "probabilities", probabilities)


def test_a_mask_has_the_georeference_of_its_image(trained: Path, tmp_path: Path, reads_red):
    pixels, classes = scene(150, 310)
    write_tif(tmp_path / "in" / "north" / "7_sat.tif", pixels)
    written = predict_masks(trained, tmp_path / "in", tmp_path / "out", Options(tile=64, probabilities=True))
    assert [path.relative_to(tmp_path / "out").as_posix() for path in written] == ["north/7_mask.tif"]
    with rasterio.open(written[0]) as file:
        assert file.crs == rasterio.CRS.from_epsg(32632)
        assert file.transform == TRANSFORM
        assert (file.count, file.height, file.width, file.dtypes[0]) == (3, 150, 310, "uint8")
        mask = file.read().transpose(1, 2, 0)
    assert (mask == DEEPGLOBE.decode(classes)).all()
    assert (decode(written[0]) == mask).all()
    assert (np.load(tmp_path / "out" / "north" / "7_mask.npy").argmax(axis=0) == classes).all()
    shown = sorted(path.name for path in written[0].parent.iterdir() if not path.name.startswith("."))
    assert shown == ["7_mask.npy", "7_mask.tif"]


def test_pixels_without_data_get_the_ignored_color(trained: Path, tmp_path: Path, reads_red):
    pixels, classes = scene(100, 100)
    pixels[..., 1:] = 7
    pixels[:30, :20] = 99
    path = write_tif(tmp_path / "a.tif", pixels, nodata=99)
    (written,) = predict_masks(trained, path, tmp_path / "out", Options(tile=64))
    indices, off = DEEPGLOBE.encode(decode(written))
    assert off == 0
    assert (indices[:30, :20] == IGNORE_INDEX).all()
    assert (indices[30:] == classes[30:]).all()


def test_a_tif_without_a_georeference_gives_one_without(trained: Path, tmp_path: Path, reads_red):
    Image.fromarray(scene(70, 90)[0]).save(tmp_path / "plain.tiff")
    (written,) = predict_masks(trained, tmp_path / "plain.tiff", tmp_path / "out")
    with open_raster(written) as raster:
        assert raster.georeference == {}
        assert (raster.rows(0, 70) == DEEPGLOBE.decode(scene(70, 90)[1])).all()


@pytest.mark.parametrize("layout", [{"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}, {}])
def test_memory_does_not_grow_with_the_image(trained: Path, tmp_path: Path, reads_red, layout):
    peaks = []
    for height in (1000, 3000):
        pixels, classes = scene(height, 3000)
        path = write_tif(tmp_path / f"{height}.tif", pixels, **layout)
        del pixels
        tracemalloc.start()
        (written,) = predict_masks(trained, path, tmp_path / "out", Options(tile=256))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        with open_raster(written) as raster:
            for top in range(0, height, 500):
                assert (raster.rows(top, top + 500) == DEEPGLOBE.decode(classes[top : top + 500])).all()
        assert written.stat().st_size < 3_000_000  # every block is written once
    assert peaks[1] < 1.05 * peaks[0]


def test_rows_side_by_side_are_read_once(tmp_path: Path, monkeypatch):
    path = write_tif(tmp_path / "a.tif", scene(64, 64)[0])
    with open_raster(path) as raster:
        asked: list[tuple[int, int]] = []
        read = type(raster)._read
        monkeypatch.setattr(type(raster), "_read", lambda self, b, t, e: asked.append((t, e)) or read(self, b, t, e))
        for span in ((0, 32), (0, 32), (32, 64), (32, 64)):
            raster.rows(*span)
    assert asked == [(0, 32), (32, 64)]


def test_bands_and_depths(tmp_path: Path):
    pixels, _ = scene(40, 50)
    five = np.dstack([pixels, pixels[..., :2]])
    sixteen = pixels.astype(np.uint16) * 257
    kinds = {"five": five, "sixteen": sixteen, "gray": pixels[..., :1], "float": sixteen.astype(np.float32)}
    for name, written in kinds.items():
        path = write_tif(tmp_path / f"{name}.tif", written)
        expected = pixels if name != "gray" else np.repeat(pixels[..., :1], 3, axis=2)
        reading = Reading(scale=((0, 65535),))
        with open_raster(path, reading) as raster:
            assert (raster.rows(0, 40) == expected).all(), name
        assert (decode(path, reading=reading) == expected).all(), name
    complex_numbers = write_tif(tmp_path / "complex.tif", pixels[..., :1].astype(np.complex64))
    with pytest.raises(DataError, match=r"holds complex64.*save their magnitude"), open_raster(complex_numbers):
        pass


def test_a_palette_is_looked_up(tmp_path: Path):
    classes = scene(40, 50)[1]
    path = tmp_path / "palette.tif"
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "crs": "EPSG:32632", "transform": TRANSFORM}
    with rasterio.open(path, "w", height=40, width=50, **profile) as file:
        file.write(classes, 1)
        file.write_colormap(1, {i: (i * 10, 0, 255 - i) for i in range(6)})
    with open_raster(path) as raster:
        found = raster.rows(0, 40)
    assert (found[..., 0] == classes * 10).all()
    assert (found[..., 2] == 255 - classes).all()


def test_a_mask_that_fails_halfway_leaves_nothing(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), write_raster(tmp_path / "a.tif", 600, 100, {}) as writer:  # noqa: PT012
        writer.append(np.zeros((300, 100, 3), np.uint8))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_images_and_masks_may_be_geotiffs(tmp_path: Path):
    for i in range(8):
        pixels, classes = scene(48, 48, i)
        write_tif(tmp_path / "set" / f"{i}_sat.tif", pixels)
        write_tif(tmp_path / "set" / f"{i}_mask.tif", DEEPGLOBE.decode(classes))
    images = load_masks(SegmentDataConfig(source=str(tmp_path / "set")))
    assert images.palette == DEEPGLOBE
    for i in range(8):
        assert (images.image(i) == scene(48, 48, i)[0]).all()
        assert (images.mask(i) == scene(48, 48, i)[1]).all()


def test_without_rasterio_the_extra_is_named(trained: Path, tmp_path: Path, monkeypatch, capsys):
    path = write_tif(tmp_path / "a.tif", scene(40, 40)[0])
    sixteen = write_tif(tmp_path / "16.tif", scene(40, 40)[0].astype(np.uint16))
    really = builtins.__import__

    def without(name, *rest, **keys):
        if name.partition(".")[0] == "rasterio":
            raise ImportError(name)
        return really(name, *rest, **keys)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(NotAvailable, match=r"install sightline\[geo\]"):
        predict_masks(trained, path, tmp_path / "out")
    assert command_line(["predict", str(trained), str(path), "--out", str(tmp_path / "out")]) == 1
    assert "install sightline[geo]" in capsys.readouterr().err
    assert (decode(path) == scene(40, 40)[0]).all()  # 8-bit colours need Pillow only
    with pytest.raises(UnreadableImage, match=r"install sightline\[geo\]"):
        decode(sixteen)


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rasterio's own use of affine
def test_what_a_run_draws_is_a_project_to_correct(trained: Path, tmp_path: Path, monkeypatch, capsys):
    image, _ = scene(40, 56)
    write_tif(tmp_path / "scenes" / "a.tif", image)
    monkeypatch.setattr("sightline.web.serve", lambda site, make, **rest: None)
    assert command_line(["serve", str(tmp_path / "scenes"), "--predictions", str(trained), "--no-open"]) == 0
    said = capsys.readouterr().err
    assert "tensors used; not used: none" in said
    assert "masks of 1 of 1 pictures taken in" in said
    project = ProjectFolder(tmp_path / "scenes-project")
    (drawn,) = predict_masks(trained, tmp_path / "scenes", tmp_path / "out", Options(masks="palette"))
    names = {item.value: item.name for item in project.settings.classes}
    with rasterio.open(drawn) as file:
        classes = file.read(1)
    work = project.work("a.tif")
    assert work is not None
    found = np.array([DEEPGLOBE.classes.index(names[value]) for value in work.index().ravel()]).reshape(classes.shape)
    assert (found == classes).all()
