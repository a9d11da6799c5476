"""What a model sees of an image, against the authors' few lines."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch
from PIL import Image
from torchvision.transforms import Normalize, Resize, ToTensor
from torchvision.transforms.functional import resize, to_pil_image

from sightline.models.promptable.pixels import padded_pixels, stretched_pixels
from sightline.prompts import Prompts, build_engine

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SIZES = [(30, 30), (48, 64), (150, 101)]  # enlarged, as it is, shrunk


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("shape", SIZES)
def test_sam_sees_what_resize_longest_side_and_preprocess_give(shape):
    image, scale = picture(*shape), 64 / max(shape)
    size = tuple(int(side * scale + 0.5) for side in shape)
    # segment_anything: ResizeLongestSide.apply_image, then Sam.preprocess.
    resized = torch.as_tensor(np.array(resize(to_pil_image(image), list(size)))).permute(2, 0, 1)
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    theirs = torch.nn.functional.pad(
        (resized - mean[:, None, None]) / std[:, None, None], (0, 64 - size[1], 0, 64 - size[0])
    )
    torch.testing.assert_close(padded_pixels(image, size, 64, MEAN, STD)[0], theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", SIZES)
def test_sam2_sees_what_its_transforms_give(shape):
    image = picture(*shape)
    theirs = Normalize(MEAN, STD)(Resize((64, 64))(ToTensor()(Image.fromarray(image))))
    torch.testing.assert_close(stretched_pixels(image, (64, 64), MEAN, STD)[0], theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["sam", "sam2"])
def test_estimates_beyond_one_keep_their_order_and_sam2_bounds_what_is_refined(name, tmp_path, monkeypatch):
    engine = build_engine(name, str(getattr(tiny, name)(tmp_path / name)), "cpu")
    state = engine.set_image(picture(40, 60))
    logits = torch.tensor([40.0, 10.0, -40.0])[None, :, None, None].expand(1, 3, 16, 16)
    monkeypatch.setattr(engine, "decode", lambda *arguments: (logits, torch.tensor([[1.1, 0.5, 1.4]])))
    answer = engine.predict(state, Prompts(points=((3, 4, 1),)))
    assert answer.scores.tolist() == [1, 1, 0.5]
    bound = 32 if name == "sam2" else 40
    assert answer.low_res is not None
    assert answer.low_res[:, 0, 0].tolist() == [-bound, bound, 10]
    assert answer.masks.mean(axis=(1, 2)).tolist() == [0, 1, 1]
