"""MobileSAM: the published file's names and numbers, and the engine on a small network."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import SamImageProcessor, SamProcessor

from sightline.errors import NotAvailable, WeightsError
from sightline.models.promptable.load import Parts
from sightline.models.promptable.mobile_sam import MobileSam, build_mobile_sam, load_published, rename
from sightline.models.promptable.tiny_vit import TinyVitEncoder
from sightline.prompts import EverythingSettings, Prompts, build_engine

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))
from sam_parity import picture, prompts_of, questions_of, random_weights

# Written by benchmarks/sam_parity.py: tensors of a published file, and numbers of the authors' own code.
REFERENCE = json.loads((Path(__file__).parent / "mobile_sam_reference.json").read_text())
SIDE = 64


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return random_weights(REFERENCE["shapes"])


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> MobileSam:
    torch.manual_seed(0)
    model = build_mobile_sam(TinyVitEncoder(dims=(8, 16, 24, 32), depths=(1, 1, 1, 1), heads=(1, 2, 2, 4)), side=SIDE)
    images = SamImageProcessor(
        size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE}, mask_size={"longest_edge": 16}
    )
    return MobileSam(Parts(model.eval().requires_grad_(False), SamProcessor(images), "small"), "small", "cpu")


def test_the_authors_own_numbers(weights: dict[str, torch.Tensor], tmp_path: Path):
    torch.save(weights, tmp_path / "mobile_sam.pt")
    engine = build_engine("mobile-sam", str(tmp_path), "cpu")
    height, width = REFERENCE["image"]
    state = engine.set_image(picture(height, width))
    for question, expected in zip(questions_of(height, width), REFERENCE["answers"], strict=True):
        answer = engine.predict(state, prompts_of(question), multimask=question["multimask"])
        scores = np.clip(expected["scores"], 0, 1)
        order = np.argsort(-scores, kind="stable")
        assert answer.low_res is not None
        np.testing.assert_allclose(answer.scores, scores[order], atol=1e-4)
        np.testing.assert_allclose(answer.low_res[:, 8::48, 8::48], np.array(expected["logits"])[order], atol=2e-3)
        np.testing.assert_allclose(answer.masks.sum(axis=(1, 2)), np.array(expected["area"])[order], atol=20)


def test_every_published_tensor_has_its_place(weights: dict[str, torch.Tensor]):
    model = build_mobile_sam()
    load_published(model, weights, "here")
    kept = {
        name: value
        for name, value in weights.items()
        if not name.startswith(("image_encoder.head", "image_encoder.norm_head"))
    }
    own = model.state_dict()
    assert all(torch.equal(own[rename(name)], value) for name, value in kept.items())
    assert own.keys() - {rename(name) for name in kept} == {"shared_image_embedding.positional_embedding"}


def test_points_boxes_refinement_and_everything(small: MobileSam):
    image = np.random.default_rng(0).integers(0, 255, (50, 90, 3), dtype=np.uint8)
    state = small.set_image(image)
    answer = small.predict(state, Prompts(points=((3, 4, 1), (60, 20, 0)), box=(1, 1, 70, 40)))
    assert answer.masks.shape == (3, 50, 90)
    assert answer.low_res is not None
    again = small.predict(state, Prompts(points=((3, 4, 1),), mask_input=answer.low_res[0]), multimask=False)
    assert again.masks.shape == (1, 50, 90)
    loose = EverythingSettings(points_per_side=2, pred_iou_thresh=0.0, stability_score_thresh=0.0)
    assert isinstance(small.everything(state, loose), list)
    assert small.set_image(image).from_cache


def test_safetensors_and_damaged_files(weights: dict[str, torch.Tensor], tmp_path: Path):
    save_file(weights, tmp_path / "mobile_sam.safetensors")
    assert build_engine("mobile-sam", str(tmp_path), "cpu").model_id == str(tmp_path / "mobile_sam.safetensors")
    part = dict(weights)
    part.pop("mask_decoder.iou_token.weight")
    save_file(part, tmp_path / "part.safetensors")
    with pytest.raises(WeightsError, match=r"lacks 1 tensors, for example mask_decoder.iou_token.weight"):
        build_engine("mobile-sam", str(tmp_path / "part.safetensors"), "cpu")
    save_file(weights | {"more": torch.zeros(1)}, tmp_path / "more.safetensors")
    with pytest.raises(WeightsError, match="has beside MobileSAM's 1 tensors"):
        build_engine("mobile-sam", str(tmp_path / "more.safetensors"), "cpu")


def test_weights_that_are_not_there_say_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        NotAvailable, match=r"(?s)mobile_sam\.pt.*github.com/ChaoningZhang/MobileSAM.*--model.*graphcut"
    ):
        build_engine("mobile-sam")
    with pytest.raises(WeightsError, match="no such file, and no folder"):
        build_engine("mobile-sam", str(tmp_path / "nowhere.pt"))
