"""Engines with weights: tiny models in the hub's own format, from loading to masks at the image's size."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch

from sightline.errors import ConfigError, NotAvailable, WeightsError
from sightline.models.promptable import text
from sightline.models.promptable.embeddings import EmbeddingCache
from sightline.prompts import EverythingSettings, Prompts, build_engine

POINTED = ["sam", "sam-hq", "sam2", "edgetam"]
SIZES = [(50, 90), (90, 50), (8, 8)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("tiny")
    return {name: build(base / name) for name, build in tiny.BUILDERS.items()}


@pytest.fixture(scope="module")
def engines(folders, tmp_path_factory):
    found = {name: build_engine(name, str(folders[name]), "cpu") for name in [*POINTED, "sam3"]}
    pair = f"{folders['grounding-dino']}+{folders['sam2']}"
    return {**found, "grounded-sam": build_engine("grounded-sam", pair, "cpu")}


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", POINTED)
@pytest.mark.parametrize("size", SIZES)
def test_points_boxes_and_refinement(engines, name, size):
    engine = engines[name]
    state = engine.set_image(picture(*size))
    first = engine.predict(state, Prompts(points=((3, 4, 1), (5, 2, 0))))
    assert first.masks.shape == (3, *size)
    assert first.masks.dtype == bool
    assert (np.diff(first.scores) <= 0).all()
    again = engine.predict(
        state, Prompts(points=((3, 4, 1),), box=(1, 1, 7, 6), mask_input=first.low_res[0]), multimask=False
    )
    assert again.masks.shape == (1, *size)
    assert not np.array_equal(
        again.low_res[0], engine.predict(state, Prompts(points=((3, 4, 1),)), multimask=False).low_res[0]
    )
    with pytest.raises(ConfigError, match="low_res"):
        engine.predict(state, Prompts(points=((3, 4, 1),), mask_input=np.zeros((5, 5))))


@pytest.mark.parametrize("name", POINTED)
def test_a_huge_image_comes_back_at_its_size(engines, name):
    engine = engines[name]
    assert engine.predict(engine.set_image(picture(3000, 2000)), Prompts(points=((1999, 2999, 1),))).masks.shape == (
        3,
        3000,
        2000,
    )


@pytest.mark.parametrize("name", POINTED)
@pytest.mark.parametrize(("height", "width"), [(50, 90), (90, 50), (8, 8), (300, 200)])
def test_the_model_gets_the_coordinates_of_the_formula_and_of_its_processor(engines, name, height, width, monkeypatch):
    engine = engines[name]
    image, got = picture(height, width), {}
    state = engine.set_image(image)
    encoder = engine._model.prompt_encoder
    forward = encoder.forward

    def spy(**keys):
        got.update({key: value.clone() for key, value in keys.items() if value is not None})
        return forward(**keys)

    monkeypatch.setattr(encoder, "forward", spy)
    x, y, box = width - 1.25, height / 3, (0.5, 1.0, width - 2.0, height - 1.5)
    engine.predict(state, Prompts(points=((x, y, 1), (1, 2, 0)), box=box))
    if name in ("sam", "sam-hq"):  # longest side to 64, rounded
        scale = tiny.SIDE / max(height, width)
        sx, sy = int(width * scale + 0.5) / width, int(height * scale + 0.5) / height
    else:
        sx, sy = tiny.SIDE / width, tiny.SIDE / height
    np.testing.assert_allclose(got["input_points"][0, 0], [[x * sx, y * sy], [sx, 2 * sy]], rtol=1e-5)
    np.testing.assert_allclose(got["input_boxes"].reshape(4), np.array(box) * [sx, sy, sx, sy], rtol=1e-5)
    assert got["input_labels"].tolist() == [[[1, 0]]]
    theirs = engine._processor(
        images=image, input_points=[[[[x, y], [1.0, 2.0]]]], input_boxes=[[list(box)]], return_tensors="pt"
    )
    np.testing.assert_allclose(got["input_points"].reshape(2, 2), theirs["input_points"].reshape(2, 2), rtol=1e-5)
    np.testing.assert_allclose(got["input_boxes"].reshape(4), theirs["input_boxes"].reshape(4), rtol=1e-5)


@pytest.mark.parametrize("name", POINTED)
def test_the_answer_is_that_of_the_whole_model_at_once(engines, name):
    engine, image = engines[name], picture(50, 90)
    answer = engine.predict(engine.set_image(image), Prompts(points=((30, 20, 1),)))
    inputs = engine._processor(images=image, input_points=[[[[30.0, 20.0]]]], input_labels=[[[1]]], return_tensors="pt")
    # Its own pixels are rounded otherwise than the authors' (test_pixels.py).
    inputs["pixel_values"] = engine.pixels(image)
    sizes = [inputs.pop("original_sizes")] + ([inputs.pop("reshaped_input_sizes")] if name in ("sam", "sam-hq") else [])
    with torch.no_grad():
        outputs = engine._model(**{key: v.float() if v.is_floating_point() else v for key, v in inputs.items()})
    order = outputs.iou_scores[0, 0].clamp(0, 1).argsort(descending=True, stable=True)
    np.testing.assert_allclose(answer.low_res, outputs.pred_masks[0, 0][order], rtol=1e-4, atol=1e-3)
    masks = engine._processor.post_process_masks(outputs.pred_masks, *sizes)[0][0][order]
    assert (answer.masks != masks.numpy()).mean() < 1e-3


@pytest.mark.parametrize("name", ["sam2", "sam3"])
def test_an_embedding_is_computed_once_and_kept_on_disk(engines, folders, name, monkeypatch):
    image = picture(40, 60, seed=7)
    first = engines[name].set_image(image)
    other = build_engine(name, str(folders[name]), "cpu")
    monkeypatch.setattr(other, "_embed", lambda image: pytest.fail("computed again"))
    second = other.set_image(image)
    assert (first.from_cache, second.from_cache) == (False, True)
    for key, value in first.embedding.items():
        torch.testing.assert_close(value, second.embedding[key], rtol=0, atol=0)


def test_the_cache_is_bounded_and_survives_damage(tmp_path):
    cache = EmbeddingCache("m", tmp_path, limit=3000)
    make = lambda: {"a": torch.ones(250)}  # noqa: E731
    for seed in range(5):
        assert not cache.get(picture(4, 4, seed), make)[1]
    files = list(tmp_path.glob("*.safetensors"))
    assert 0 < len(files) < 5
    assert sum(path.stat().st_size for path in files) <= 3000
    assert cache.get(picture(4, 4, 4), make)[1]
    assert not EmbeddingCache("other", tmp_path).get(picture(4, 4, 4), make)[1]
    for path in tmp_path.glob("*.safetensors"):
        content = bytearray(path.read_bytes())
        content[-1] ^= 1  # safetensors itself does not notice
        path.write_bytes(content)
    assert not cache.get(picture(4, 4, 4), make)[1]


def test_words_find_instances(engines, monkeypatch):
    monkeypatch.setattr(text, "SURE", 0.0)
    monkeypatch.setattr(text, "BOX", 0.0)
    for name, prompts in [
        ("sam3", Prompts(text="cat")),
        ("sam3", Prompts(box=(1, 1, 30, 20))),
        ("sam3", Prompts(text="cat", box=(1, 1, 30, 20))),
        ("grounded-sam", Prompts(text="cat, A dog")),
    ]:
        engine = engines[name]
        state = engine.set_image(picture(50, 90))
        answer = engine.predict(state, prompts)
        assert len(answer.masks) == len(answer.scores) == len(answer.boxes) > 1
        assert answer.masks.shape[1:] == (50, 90)
        assert (np.diff(answer.scores) <= 0).all()
        assert len(engine.predict(state, prompts, multimask=False).masks) == 1


def test_words_that_find_nothing_give_no_masks(engines, monkeypatch):
    monkeypatch.setattr(text, "SURE", 1.0)
    monkeypatch.setattr(text, "BOX", 1.0)
    for name in ("sam3", "grounded-sam"):
        answer = engines[name].predict(engines[name].set_image(picture(50, 90)), Prompts(text="dog"))
        assert answer.masks.shape == (0, 50, 90)
    assert text.phrases("A cat, two Dogs.") == "a cat. two dogs."
    with pytest.raises(ConfigError, match="no words"):
        text.phrases(" ., ")


@pytest.mark.parametrize("name", POINTED)
def test_everything_by_points(engines, name):
    engine, steps = engines[name], []
    state = engine.set_image(picture(50, 90))
    loose = EverythingSettings(
        points_per_side=4, points_per_batch=5, pred_iou_thresh=0.0, stability_score_thresh=0.0, min_mask_region_area=10
    )
    regions = engine.everything(state, loose, lambda *done: steps.append(done))
    assert steps == [(5, 16), (10, 16), (15, 16), (16, 16)]
    assert regions
    for region in regions:
        mask = region.mask()
        rows, columns = np.nonzero(mask)
        assert region.area == mask.sum() >= 10
        assert region.box == (columns.min(), rows.min(), columns.max(), rows.max())
    assert engine.everything(state, EverythingSettings(points_per_side=2, min_mask_region_area=10**9)) == []


def test_what_is_not_there_or_another_model_says_so(folders, tmp_path):
    with pytest.raises(NotAvailable, match=r"(?s)facebook/sam2.*could not be fetched.*--model"):
        build_engine("sam2")
    with pytest.raises(WeightsError, match="use --engine sam"):
        build_engine("sam2", str(folders["sam"]))
    with pytest.raises(WeightsError, match="no such folder"):
        build_engine("sam2", str(tmp_path / "nowhere"))
    with pytest.raises(WeightsError, match=r"config\.json"):
        build_engine("sam2", str(tmp_path))
    engine = build_engine("sam3", str(folders["sam3"]), "cpu")
    state = engine.set_image(picture(20, 20))
    with pytest.raises(ConfigError, match="no everything mode"):
        engine.everything(state)
    with pytest.raises(ConfigError, match="device"):
        build_engine("sam2", str(folders["sam2"]), "tpu")


def test_missing_tensors_are_refused(folders, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    shutil.copytree(folders["sam2"], tmp_path / "part")
    tensors = load_file(tmp_path / "part" / "model.safetensors")
    tensors.pop(next(name for name in tensors if name.startswith("mask_decoder")))
    save_file(tensors, tmp_path / "part" / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match="lacks 1 tensors"):
        build_engine("sam2", str(tmp_path / "part"))
