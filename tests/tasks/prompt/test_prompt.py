"""`sightline prompt` and `sl.prompt`: files, records, prompts of a folder, and errors that help."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import rasterio
import torch
from PIL import Image

import sightline as sl
from sightline.cli.main import run
from sightline.errors import ConfigError, DataError
from sightline.metrics.segmentation import mean_iou
from sightline.prompts import build_engine
from sightline.run_lengths import decode_rle
from sightline.tasks.prompt import parse_point, read_prompts
from sightline.tasks.prompt.arrays import rgb_array
from sightline.tasks.prompt.semantic import clicks, counted, covered, next_click, regions_of, voted


def scene(seed=0, size=(80, 120)):
    """Return a picture of three noisy fields and its labels, a margin ignored."""
    labels = np.zeros(size, np.uint8)
    labels[:, 70:] = 1
    cv2.circle(labels, (40, 40), 20, 2, -1)
    labels[:3] = 255
    colors = np.array([(60, 130, 60), (180, 160, 90), (60, 80, 180)])[np.where(labels == 255, 0, labels)]
    noise = np.random.default_rng(seed).normal(0, 8, (*size, 3))
    return np.clip(colors + noise, 0, 255).astype(np.uint8), labels


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photos" / "a.png"
    path.parent.mkdir()
    Image.fromarray(scene()[0]).save(path)
    return path


def test_the_command_writes_masks_and_says_who_answered(photo, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(["prompt", str(photo), "--out", str(out), "--point", "40,40,+", "--point", "100,40,-"]) == 0
    assert "graphcut" in capsys.readouterr().out
    record = json.loads((out / "a.json").read_text())
    assert record["engine"] == "graphcut"
    assert record["device"] == "cpu"
    assert record["prompts"] == {"points": [[40.0, 40.0, 1], [100.0, 40.0, 0]]}
    assert set(record["files"]) == {"a_mask_000.png", "a_palette.png", "a_coco.json", "a_overlay.png"}
    mask = np.asarray(Image.open(out / "a_mask_000.png")) == 255
    assert (mask[40, 40], mask[40, 100]) == (True, False)
    annotation = json.loads((out / "a_coco.json").read_text())["annotations"][0]
    np.testing.assert_array_equal(decode_rle(annotation["segmentation"]), mask)
    assert record["scores"] == [annotation["score"]]


def test_everything_as_json_and_fewer_masks_leave_no_stale_files(photo, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(["prompt", str(photo), "--out", str(out), "--everything", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)[0]
    assert record["prompts"]["everything"].startswith("regions of even colour")
    assert record["masks"] == len(list(out.glob("a_mask_*.png"))) > 1
    assert run(["prompt", str(photo), "--out", str(out), "--box", "15,15,65,65", "--single"]) == 0
    assert len(list(out.glob("a_mask_*.png"))) == 1


def test_larger_smallest_masks_leave_fewer(photo, tmp_path, capsys):
    counts = []
    for area in ("20", "600"):
        arguments = [
            "prompt",
            str(photo),
            "--out",
            str(tmp_path / area),
            "--everything",
            "--min-mask-region-area",
            area,
            "--json",
        ]
        assert run(arguments) == 0
        counts.append(json.loads(capsys.readouterr().out)[0]["masks"])
    assert counts[0] > counts[1] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--point", "120,5,+"], "outside the image, which is 120 wide and 80 high"),
        (["--point", "5;5"], "expected X,Y,+"),
        (["--point", "5,5,?"], "expected X,Y,+"),
        (["--point", "nan,5,+"], "expected X,Y,+"),
        (["--box", "1,2,3"], "expected X0,Y0,X1,Y1"),
        ([], "nothing to look for"),
        (["--point", "5,5,+", "--everything"], "choose one"),
        (["--everything", "--stability-score-thresh", "95"], "from 0 to 1"),
        (["--point", "5,5,+", "--engine", "sam4"], "Did you mean 'sam"),
        (["--point", "5,5,+", "--format", "mask"], "Did you mean 'masks'"),
        (["--text", "house"], "--engine sam3"),
        (["--point", "5,5,+", "--format", "geojson"], "no georeference"),
        (["--prompts", "nowhere.json"], "no such file"),
        (["--point", "5,5,+", "--prompts", "x.json"], "one or the other"),
    ],
)
def test_wrong_use_exits_2_and_says_what_is_right(photo, tmp_path, capsys, arguments, message):
    assert run(["prompt", str(photo), "--out", str(tmp_path / "out"), *arguments]) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert "Traceback" not in errors


def test_weights_that_cannot_be_had_exit_1(photo, tmp_path, capsys):
    assert run(["prompt", str(photo), "--out", str(tmp_path / "o"), "--point", "5,5", "--engine", "sam2"]) == 1
    errors = capsys.readouterr().err
    assert "models--facebook--sam2.1-hiera-small and could not be fetched" in errors
    assert "hf download facebook/sam2.1-hiera-small" in errors


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_folder_with_a_prompts_file(photo, tmp_path, capsys, kind):
    Image.fromarray(scene(1)[0]).save(photo.with_name("b.png"))
    path = tmp_path / f"prompts.{kind}"
    if kind == "json":
        path.write_text(
            json.dumps({"a.png": {"points": [[40, 40, 1], [100, 40, 0]]}, "b.png": {"box": [15, 15, 65, 65]}})
        )
    else:
        path.write_text("image,x,y,label,x0,y0,x1,y1\na.png,40,40,1\na.png,100,40,-\nb.png,,,,15,15,65,65\n")
    wanted = read_prompts(path)
    assert wanted["a.png"].prompts.points == ((40.0, 40.0, 1), (100.0, 40.0, 0))
    assert wanted["b.png"].prompts.box == (15.0, 15.0, 65.0, 65.0)
    capsys.readouterr()
    assert run(["prompt", str(photo.parent), "--out", str(tmp_path / "out"), "--prompts", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": masks: ")[0] for line in lines[:2]] == [str(photo), str(photo.with_name("b.png"))]
    assert lines[2] == "engine graphcut, model none, device cpu."
    assert {"a.json", "b.json"} <= {file.name for file in (tmp_path / "out").iterdir()}
    photo.unlink()
    assert run(["prompt", str(photo.parent), "--out", str(tmp_path / "out"), "--prompts", str(path)]) == 2


@pytest.mark.parametrize(
    "content",
    [
        '{"a.png": {"pionts": []}}',
        '{"a.png": {"points": [[1, 2]]}}',
        '{"a.png": {"box": [1]}}',
        "[]",
        "{",
        '{"a.png": {}}',
    ],
)
def test_wrong_prompts_files_are_refused(tmp_path, content):
    (tmp_path / "p.json").write_text(content)
    with pytest.raises((DataError, ConfigError), match=r"p\.json"):
        read_prompts(tmp_path / "p.json")


def test_parse_point():
    assert parse_point("1.5, 2 ,-") == (1.5, 2.0, 0)
    assert parse_point("1,2") == (1.0, 2.0, 1)


def test_python_returns_masks_with_scores(photo):
    result = sl.prompt(photo, points=[(40, 40, 1)])
    masks = np.asarray(result)
    assert masks.shape == result.shape == (len(result), 80, 120)
    assert masks.dtype == bool
    assert result.scores.shape == (len(result),)
    assert result.record["engine"] == "graphcut"
    assert result.boxes is None
    for i, mask in enumerate(result):
        np.testing.assert_array_equal(mask, masks[i])
        np.testing.assert_array_equal(result[i], masks[i])
    assert np.asarray(result, np.float32).dtype == np.float32
    with pytest.raises(AttributeError):
        result.scores = None
    array = sl.prompt(scene()[0], points=[(40, 40, 1)])
    np.testing.assert_array_equal(masks, np.asarray(array))
    every = sl.prompt(photo, everything=True)
    assert len(every) == len(every.scores) == np.asarray(every).shape[0] > 1
    with pytest.raises(ConfigError, match="outside"):
        sl.prompt(photo, points=[(400, 40, 1)])


def test_a_point_without_a_label_is_inside(photo):
    plain, labeled = sl.prompt(photo, points=[(40, 40)]), sl.prompt(photo, points=[(40, 40, 1)])
    np.testing.assert_array_equal(np.asarray(plain), np.asarray(labeled))
    for wrong in ((40,), (40, 40, 1, 1), (40, 40, 2), (40, 40, 0.5)):
        with pytest.raises(ConfigError, match=r"point .*inside"):
            sl.prompt(photo, points=[wrong])
    with pytest.raises(ConfigError, match="give a list of them"):
        sl.prompt(photo, points=(40, 40))  # pyright: ignore[reportArgumentType]


def test_a_box_is_any_four_numbers(photo):
    plain, array = (
        sl.prompt(photo, box=box, multimask=False) for box in ((15, 15, 65, 65), np.array([15, 15, 65, 65]))
    )
    np.testing.assert_array_equal(np.asarray(plain), np.asarray(array))
    for wrong in (7, (1, 2, 3), ("a", "b", "c", "d")):
        with pytest.raises(ConfigError, match="expected four numbers"):
            sl.prompt(photo, box=wrong)  # pyright: ignore[reportArgumentType]


def test_images_in_memory_are_taken_or_refused_with_the_way_out(photo):
    pixels = scene()[0]
    expected = np.asarray(sl.prompt(photo, points=[(40, 40)]))
    for same in (Image.open(photo), pixels, np.dstack([pixels, np.full(pixels.shape[:2], 9, np.uint8)])):
        np.testing.assert_array_equal(np.asarray(sl.prompt(same, points=[(40, 40)])), expected)
    gray = pixels[..., 0]
    for same in (gray, gray[..., None], Image.fromarray(gray)):
        again = np.asarray(sl.prompt(same, points=[(40, 40)]))
        np.testing.assert_array_equal(again, np.asarray(sl.prompt(np.dstack([gray] * 3), points=[(40, 40)])))
    for wrong, way_out in (
        (-pixels.astype(float), "scale it first"),
        (pixels.astype(int) - 300, "scale it first"),
        (pixels.astype(np.int32) * 257, "scale it first"),
        (pixels * np.nan, "all finite"),
        (pixels.transpose(2, 0, 1), r"transpose\(1, 2, 0\)"),
        (np.zeros((0, 4, 3), np.uint8), "not empty"),
        ([[1, 2], [3]], "not of one length"),
        (gray.astype(str), "expected numbers"),
        (7, "a PIL image, an array, a tensor or a list"),
    ):
        with pytest.raises(DataError, match=way_out):
            sl.prompt(wrong, points=[(1, 1)])


def test_numbers_of_any_type_are_the_same_image():
    pixels = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3) * 11
    pixels[0, 0] = 255
    forms = [pixels / 255, (pixels / 255).astype(np.float16), pixels.astype(np.float32), pixels.astype(np.int64)]
    forms += [pixels.astype(np.uint16), pixels.astype(np.uint16) * 257, pixels.tolist()]
    forms += [torch.from_numpy(pixels.transpose(2, 0, 1).copy()), torch.from_numpy(pixels / 255).permute(2, 0, 1)]
    for form in forms:
        np.testing.assert_array_equal(rgb_array(form), pixels)
    np.testing.assert_array_equal(rgb_array(pixels[..., 0] > 100)[..., 1], (pixels[..., 0] > 100) * 255)


def test_a_turned_pil_image_is_set_upright(photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.open(photo).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    assert sl.prompt(Image.open(tmp_path / "turned.jpg"), points=[(40, 40)]).size == (120, 80)
    assert sl.prompt(tmp_path / "turned.jpg", points=[(40, 40)]).size == (120, 80)


def test_out_is_honored_with_arrays_too(tmp_path):
    result = sl.prompt(scene()[0], points=[(40, 40)], out=tmp_path / "out")
    assert {path.name for path in result.files} == {path.name for path in (tmp_path / "out").glob("[!.]*")}
    assert "image.json" in {path.name for path in result.files}
    written = np.asarray(Image.open(tmp_path / "out" / "image_mask_000.png")) == 255
    np.testing.assert_array_equal(written, result[0])
    assert json.loads((tmp_path / "out" / "image.json").read_text())["image"] is None


def test_counts_are_mean_iou_of_the_split():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 3, (2, 30, 30)).astype(np.uint8)
    truth[0], predicted[5] = 255, 255
    counts = counted(truth[:15], predicted[:15], 4) + counted(truth[15:], predicted[15:], 4)
    known = truth != 255
    expected = [
        ((truth == c) & (predicted == c) & known).sum() / (((truth == c) | (predicted == c)) & known).sum()
        for c in range(3)
    ]
    found = mean_iou(counts)
    np.testing.assert_allclose(found.per_class[:3], expected)
    assert np.isnan(found.per_class[3])
    assert found.mean == pytest.approx(np.mean(expected))


def test_voting_into_regions_names_and_mends_masks():
    engine, before, after, best = build_engine(), 0, 0, 0
    for seed in range(2):
        image, labels = scene(seed)
        regions = engine.everything(engine.set_image(image))
        best += counted(labels, voted(regions, labels), 3)
        guess = np.where(labels == 255, 0, labels).astype(np.uint8)
        wrong = np.random.default_rng(seed).random(labels.shape) < 0.25
        guess[wrong] = (guess[wrong] + 1) % 3
        before += counted(labels, guess, 3)
        after += counted(labels, voted(regions, guess, otherwise=guess), 3)
        assert 0.9 < covered(regions, labels.shape).mean() <= 1
    assert mean_iou(best).mean > 0.8
    assert mean_iou(after).mean > mean_iou(before).mean + 0.1
    assert (voted([], labels) == 255).all()


def test_simulated_clicks_raise_iou_and_repeat_themselves():
    engine, pairs = build_engine(), [scene(seed) for seed in range(2)]
    found = clicks(engine, pairs, most=4)
    assert len(found) == sum(1 for _, labels in pairs for _ in regions_of(labels, 0.01)) == 6
    means = np.mean([region.ious for region in found], axis=0)
    assert means[-1] >= means[0]
    assert means[-1] > 0.85
    assert [region.ious for region in clicks(engine, pairs, most=4)] == [region.ious for region in found]


def test_the_next_click_lies_deepest_in_the_largest_error():
    region = np.zeros((40, 60), bool)
    region[10:31, 10:31] = True
    known = np.ones_like(region)
    assert next_click(region, np.zeros_like(region), known) == (20.0, 20.0, 1)
    much = region.copy()
    much[5:36, 34:55] = True
    x, y, label = next_click(region, much, known)
    assert label == 0
    assert (x, y) == (44.0, 15.0)  # the first of the deepest in reading order
    assert next_click(region, region, known) is None
    known[:, 32:] = False
    assert next_click(region, much, known) is None


@pytest.fixture
def five_bands(tmp_path):
    """Write a TIFF of five 16-bit bands of which the last three are the picture."""
    picture = scene()[0]
    numbers = np.concatenate([np.full((*picture.shape[:2], 2), 7, np.uint16), picture.astype(np.uint16) * 16], axis=2)
    path = tmp_path / "five.tif"
    place = {"transform": rasterio.Affine(1, 0, 500000, 0, -1, 5200000), "photometric": "minisblack"}
    with rasterio.open(path, "w", driver="GTiff", height=80, width=120, count=5, dtype="uint16", **place) as file:
        file.write(numbers.transpose(2, 0, 1))
    return path


def test_bands_and_scale_choose_what_the_engine_sees(five_bands, photo, tmp_path):
    path, out = five_bands, tmp_path / "out"
    click = ["--point", "40,40,+", "--point", "100,40,-", "--out", str(out)]
    assert run(["prompt", str(path), *click, "--bands", "3,4,5", "--scale", "0,4080"]) == 0
    assert run(["prompt", str(photo), *click]) == 0
    np.testing.assert_array_equal(
        np.asarray(Image.open(out / "five_mask_000.png")), np.asarray(Image.open(out / "a_mask_000.png"))
    )
    reading = json.loads((out / "five.json").read_text())["reading"]
    assert reading == {"bands": [3, 4, 5], "scale": [[0.0, 4080.0]], "bytes_too": True}
    seen = sl.prompt(path, points=[(40, 40), (100, 40, 0)], bands=(3, 4, 5), scale=(0, 4080))
    np.testing.assert_array_equal(seen[0], np.asarray(Image.open(out / "a_mask_000.png")) == 255)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bands", "3,9"], "the file has 5 bands; choose among 1 to 5"),
        (["--bands", "0"], "bands"),
        (["--bands", "red"], "bands"),
        (["--scale", "9,3"], "a pair is LOW, HIGH with LOW below HIGH"),
    ],
)
def test_bands_that_a_file_has_not_exit_2(five_bands, tmp_path, capsys, arguments, message):
    assert run(["prompt", str(five_bands), "--out", str(tmp_path / "out"), "--point", "40,40", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_bands_of_an_array_are_its_own(photo):
    with pytest.raises(ConfigError, match="give its path"):
        sl.prompt(np.asarray(Image.open(photo)), points=[(40, 40)], bands=(1, 2, 3))
