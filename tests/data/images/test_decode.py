from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.data import UnreadableImage, decode, shrink
from sightline.errors import DataError

COLORS = np.array([[[200, 10, 30], [10, 200, 30], [30, 10, 200]], [[0, 0, 0], [90, 90, 90], [255, 255, 255]]], np.uint8)


def saved(tmp_path: Path, image: Image.Image, name: str = "image.png", **options) -> Path:
    path = tmp_path / name
    image.save(path, **options)
    return path


def test_rgb_comes_out_as_it_is(tmp_path: Path) -> None:
    np.testing.assert_array_equal(decode(saved(tmp_path, Image.fromarray(COLORS))), COLORS)


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    path = saved(tmp_path, Image.fromarray(COLORS), exif=exif)
    np.testing.assert_array_equal(decode(path), np.rot90(COLORS, -1))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA"])
def test_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(COLORS).convert(mode)
    expected = np.asarray(Image.fromarray(COLORS).convert(mode).convert("RGB"))
    np.testing.assert_array_equal(decode(saved(tmp_path, image)), expected)


def test_cmyk_jpeg(tmp_path: Path) -> None:
    image = Image.new("RGB", (16, 16), (200, 30, 60)).convert("CMYK")
    pixels = decode(saved(tmp_path, image, "image.jpg", quality=95))
    assert pixels.shape == (16, 16, 3)
    np.testing.assert_allclose(pixels.mean(axis=(0, 1)), (200, 30, 60), atol=6)


def test_sixteen_bits_are_scaled_and_not_cut(tmp_path: Path) -> None:
    gray = np.array([[0, 257 * 128, 65535]], np.uint16)
    pixels = decode(saved(tmp_path, Image.fromarray(gray)))
    np.testing.assert_array_equal(pixels[0, :, 0], [0, 128, 255])
    np.testing.assert_array_equal(pixels[..., 0], pixels[..., 2])


def test_floats_are_stretched_and_not_a_number_is_put_up_with(tmp_path: Path) -> None:
    values = np.array([[-1.0, 0.0, 1.0, np.nan]], np.float32)
    pixels = decode(saved(tmp_path, Image.fromarray(values), "image.tif"))
    np.testing.assert_array_equal(pixels[0, :, 0], [0, 128, 255, 0])


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    image.putpixel((1, 0), (255, 0, 0, 255))
    np.testing.assert_array_equal(decode(saved(tmp_path, image)), [[[255, 255, 255], [255, 0, 0]]])
    palette = Image.new("P", (1, 1), 0)
    palette.putpalette([10, 20, 30])
    path = saved(tmp_path, palette, "palette.png", transparency=0)
    np.testing.assert_array_equal(decode(path), [[[255, 255, 255]]])


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty file"), (b"hello, this is no image", "not an image"), (None, "no such file")],
)
def test_no_image_is_named_with_its_reason(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "broken.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableImage, match=reason) as caught:
        decode(path)
    assert caught.value.path == path
    assert isinstance(caught.value, DataError)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".webp", ".tif", ".bmp"])
def test_damaged_files_decode_or_say_why_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    whole = saved(tmp_path, Image.fromarray(rng.integers(0, 255, (40, 50, 3), np.uint8)), "whole" + suffix).read_bytes()
    half = tmp_path / ("half" + suffix)
    half.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableImage, match="half"):
        decode(half)
    for trial in range(40):
        content = bytearray(whole)
        for position in rng.integers(0, min(len(content), 400), 8):
            content[position] = rng.integers(256)
        path = tmp_path / f"damaged{trial}{suffix}"
        path.write_bytes(content)
        with suppress(UnreadableImage):  # either that or pixels: nothing else may come out
            assert decode(path).dtype == np.uint8


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, Image.new("L", (60, 50)))
    monkeypatch.setattr("sightline.data.images.decode.MAX_PIXELS", 2999)
    with pytest.raises(UnreadableImage, match="3,000 pixels, over the limit"):
        decode(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UnreadableImage, match="decompression bomb"):
        decode(path)


def test_a_reduced_jpeg_is_large_enough_and_looks_the_same(tmp_path: Path) -> None:
    y, x = np.mgrid[:480, :640]
    smooth = np.stack([x / 640 * 255, y / 480 * 255, (x + y) / 1120 * 255], axis=-1).astype(np.uint8)
    path = saved(tmp_path, Image.fromarray(smooth), "large.jpg", quality=95)
    reduced = decode(path, at_least=64)
    assert 64 <= min(reduced.shape[:2]) < 128
    difference = shrink(reduced, 64).astype(int) - shrink(decode(path), 64).astype(int)
    assert np.abs(difference).mean() < 2
    assert decode(path, at_least=1000).shape == (480, 640, 3)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_warnings_stay_quiet_in_threads_and_come_back(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path, Image.new("L", (64, 64)), "image" + suffix)
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(decode, [path] * 200))
    assert warnings.filters == before


def test_shrink_keeps_the_aspect_and_never_enlarges() -> None:
    assert shrink(np.zeros((100, 50, 3), np.uint8), 20).shape == (40, 20, 3)
    assert shrink(np.zeros((10, 5, 3), np.uint8), 20).shape == (10, 5, 3)
    assert shrink(np.zeros((1, 500, 3), np.uint8), 20).shape == (1, 500, 3)


def test_heic_by_its_extra(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_bytes("RGB", (30, 20), bytes([200, 30, 30]) * 600).save(tmp_path / "a.heic", quality=-1)
    pixels = decode(tmp_path / "a.heic")
    assert pixels.shape == (20, 30, 3)
    assert np.abs(pixels.astype(int) - (200, 30, 30)).max() < 8


@pytest.mark.parametrize("suffix", [".avif", ".jp2", ".j2k", ".jfif", ".jpe", ".tga", ".pbm", ".pnm", ".mpo"])
def test_every_suffix_that_is_listed_is_read(tmp_path: Path, suffix: str) -> None:
    formats = {".jfif": "JPEG", ".jpe": "JPEG", ".pnm": "PPM", ".j2k": "JPEG2000"}
    Image.new("1" if suffix == ".pbm" else "RGB", (24, 20), 1).save(tmp_path / f"a{suffix}", format=formats.get(suffix))
    assert decode(tmp_path / f"a{suffix}").shape == (20, 24, 3)
