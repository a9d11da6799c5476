"""What people are offered: after one inside click no mask of the whole picture stands before a smaller one."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.prompts import WHOLE, ImageState, PromptEngine, Prompts
from sightline.tasks.prompt import Request, prompt_array

SHARES = (1.0, 0.5, WHOLE, 0.2)  # of the picture, as the engine orders its masks
SCORES = (0.9, 0.8, 0.7, 0.0)
IMAGE = np.zeros((10, 10, 3), np.uint8)
CLICK = (2.0, 3.0, 1)


class Trained(PromptEngine):
    """An engine that thinks best of the whole picture."""

    name = "trained"
    accepts = frozenset({"points", "box", "mask_input"})

    @classmethod
    def load(cls, model_id: str, device: str) -> Trained:
        return cls()

    def _look(self, image: np.ndarray) -> ImageState:
        return ImageState(*image.shape[:2], False, 0.0)

    def _answer(self, state: ImageState, prompts: Prompts, multimask: bool):
        rows = np.arange(state.height)[:, None] < np.array(SHARES)[:, None, None] * state.height
        masks = np.broadcast_to(rows, (len(SHARES), state.height, state.width)).copy()
        return masks, np.array(SCORES, np.float32), np.array(SHARES, np.float32).reshape(-1, 1, 1), None


@pytest.mark.parametrize(
    ("prompts", "order"),
    [
        (Prompts((CLICK,)), [1, 3, 0, 2]),
        (Prompts((CLICK, (7.0, 8.0, 1))), [0, 1, 2, 3]),
        (Prompts((CLICK, (7.0, 8.0, 0))), [0, 1, 2, 3]),
        (Prompts(((2.0, 3.0, 0),)), [0, 1, 2, 3]),
        (Prompts((CLICK,), box=(0.0, 0.0, 5.0, 5.0)), [0, 1, 2, 3]),
        (Prompts((CLICK,), mask_input=np.zeros((1, 1), np.float32)), [0, 1, 2, 3]),
    ],
    ids=["one click", "two inside", "inside and outside", "outside", "box", "a mask to refine"],
)
def test_whole_pictures_come_last_after_one_inside_click_and_only_then(prompts: Prompts, order: list[int]):
    engine = Trained()
    state = engine.set_image(IMAGE)
    offered = engine.offer(state, prompts)
    assert offered.masks.mean(axis=(1, 2)).tolist() == pytest.approx([SHARES[k] for k in order])
    assert offered.scores.tolist() == pytest.approx([SCORES[k] for k in order])
    assert offered.low_res is not None
    assert offered.low_res.ravel().tolist() == pytest.approx([SHARES[k] for k in order])
    answer = engine.predict(state, prompts)
    assert answer.scores.tolist() == pytest.approx(SCORES), "predict stays the model's own, in its own order"


def test_prompt_offers_so():
    result = prompt_array(IMAGE, Request(Prompts((CLICK,))), engine=Trained())
    assert [mask.mean() for mask in result] == pytest.approx([0.5, 0.2, 1.0, 0.9])
    assert result.record["scores"] == pytest.approx([0.8, 0.0, 0.9, 0.7])
