"""The graph cut: clicks are kept to the letter, plain things are found, any size works, the answer never varies."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import ConfigError, DataError
from sightline.prompts import ENGINES, EverythingSettings, Prompts, build_engine


@pytest.fixture(scope="module")
def engine():
    return build_engine()


def disc(height=300, width=420, center=(210, 150), radius=70):
    """Return a noisy green picture with a red disc, and the disc."""
    truth = np.zeros((height, width), np.uint8)
    cv2.circle(truth, center, radius, 1, -1)
    image = np.where(truth[..., None] == 1, (190, 60, 50), (50, 130, 60))
    noise = np.random.default_rng(0).normal(0, 12, (height, width, 3))
    return np.clip(image + noise, 0, 255).astype(np.uint8), truth == 1


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize(
    "prompts",
    [
        Prompts(points=((210, 150, 1),)),
        Prompts(points=((210, 150, 1), (30, 30, 0))),
        Prompts(box=(130, 70, 290, 230)),
        Prompts(box=(120, 60, 300, 240), points=((210, 150, 1),)),
    ],
)
def test_a_disc_is_found(engine, prompts):
    image, truth = disc()
    answer = engine.predict(engine.set_image(image), prompts)
    assert answer.masks.dtype == bool
    assert answer.masks.shape[1:] == truth.shape
    assert iou(answer.masks[0], truth) > 0.9
    assert (np.diff(answer.scores) <= 0).all()
    assert ((answer.scores >= 0) & (answer.scores <= 1)).all()


@pytest.mark.parametrize("points", [((210, 150, 1),), ((30, 30, 1),), ((210, 150, 1), (200, 140, 1))])
def test_proposals_hold_each_other_the_best_first_and_one_click_is_not_the_picture(engine, points):
    answer = engine.predict(engine.set_image(disc()[0]), Prompts(points=points))
    assert 1 < len(answer.masks) <= 4
    assert (np.diff(answer.scores) <= 0).all()
    assert (answer.scores > 0).all()
    nested = sorted(answer.masks, key=np.sum)
    assert all((small <= large).all() and small.sum() < large.sum() for small, large in pairwise(nested))
    if len(points) == 1:
        assert max(mask.mean() for mask in answer.masks) < 0.93
    single = engine.predict(engine.set_image(disc()[0]), Prompts(points=points), multimask=False)
    assert len(single.masks) == 1
    assert single.scores[0] == answer.scores[0]
    bounded = engine.predict(engine.set_image(disc()[0]), Prompts(points=(*points, (5, 290, 0))))
    assert len(bounded.masks) == 1


def test_one_click_on_an_even_picture_is_not_the_picture(engine):
    state = engine.set_image(np.full((80, 100, 3), 90, np.uint8))
    answer = engine.predict(state, Prompts(points=((50, 40, 1),)))
    assert answer.masks[:, 40, 50].all()
    assert max(mask.mean() for mask in answer.masks) < 0.93


@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    clicks=st.lists(st.tuples(st.floats(0, 0.999), st.floats(0, 0.999), st.integers(0, 1)), min_size=1, max_size=6),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_clicked_pixels_are_kept_whatever_the_image(size, clicks, seed):
    engine = build_engine()
    height, width = size
    image = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    points = [(int(x * width), int(y * height), label) for x, y, label in clicks]
    points.append((width // 2, height // 2, 1))
    answer = engine.predict(engine.set_image(image), Prompts(points=tuple(points)))
    assert answer.masks.shape[1:] == size
    for x, y, label in {point[:2]: point for point in points}.values():  # of one pixel's clicks the last counts
        assert (answer.masks[:, y, x] == bool(label)).all()


@pytest.mark.parametrize("size", [(8, 8), (3000, 2000), (1, 1), (5, 900), (700, 3)])
def test_sizes(engine, size):
    image = cv2.resize(disc()[0], size[::-1])
    state = engine.set_image(image)
    answer = engine.predict(state, Prompts(points=((size[1] - 1, size[0] - 1, 1),)))
    assert answer.masks.shape[1:] == size
    assert answer.masks[:, -1, -1].all()
    box = engine.predict(state, Prompts(box=(0, 0, size[1] / 2, size[0] / 2))).masks[0]
    rows, columns = np.nonzero(box)
    assert (rows <= size[0] / 2).all()
    assert (columns <= size[1] / 2).all()


def test_the_boundary_is_drawn_at_full_resolution(engine):
    image, truth = disc(1200, 1600, (800, 600), 300)
    mask = engine.predict(engine.set_image(image), Prompts(points=((800, 600, 1), (50, 50, 0)))).masks[0]
    assert iou(mask, truth) > 0.985  # a ring of one working pixel, 6 photograph pixels, would cost 0.04


def test_it_repeats_itself_and_open_images_do_not_mix(engine):
    a, b = disc()[0], disc(center=(100, 100))[0]
    states = engine.set_image(a), engine.set_image(b)
    ask = Prompts(points=((210, 150, 1), (10, 10, 0)))
    first = engine.predict(states[0], ask)
    engine.predict(states[1], ask)
    again = build_engine().predict(states[0], ask)
    np.testing.assert_array_equal(first.masks, again.masks)
    np.testing.assert_array_equal(first.scores, again.scores)


@pytest.mark.parametrize("other", [(190, 60, 50), (170, 70, 50), (190, 90, 50), (210, 80, 50)])
def test_a_wrong_part_goes_with_one_more_click(engine, other):
    """Two joined fields of the same or a similar colour: the first click takes both, the second takes one away."""
    truth, neighbor = np.zeros((2, 300, 420), bool)
    truth[90:211, 100:210] = True
    neighbor[90:211, 210:320] = True
    image = np.where(truth[..., None], (190, 60, 50), np.where(neighbor[..., None], other, (50, 130, 60)))
    image = np.clip(image + np.random.default_rng(0).normal(0, 12, image.shape), 0, 255).astype(np.uint8)
    state = engine.set_image(image)
    one = engine.predict(state, Prompts(points=((150, 150, 1),)), multimask=False).masks[0]
    two = engine.predict(state, Prompts(points=((150, 150, 1), (265, 150, 0))), multimask=False).masks[0]
    assert iou(one, truth) < 0.6
    assert iou(two, truth) > 0.85


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        (Prompts(), "no prompt"),
        (Prompts(points=((420, 5, 1),)), "outside the image, which is 420 wide and 300 high"),
        (Prompts(points=((5, -1, 1),)), "outside the image"),
        (Prompts(points=((5, 5, 2),)), "1 .inside. or 0"),
        (Prompts(points=((float("nan"), 5, 1),)), "expected x, y"),
        (Prompts(points=((5, 5, 0),)), "at least one inside point"),
        (Prompts(box=(50, 50, 40, 60)), "empty"),
        (Prompts(box=(500, 50, 600, 60)), "outside the image"),
        (Prompts(text="cat"), "use --engine sam3 or grounded-sam"),
    ],
)
def test_wrong_prompts_name_the_way_out(engine, prompts, message):
    with pytest.raises(ConfigError, match=message):
        engine.predict(engine.set_image(disc()[0]), prompts)


def test_wrong_images_and_engines():
    engine = build_engine()
    with pytest.raises(DataError, match="uint8"):
        engine.set_image(np.zeros((4, 4, 3), np.float32))
    with pytest.raises(ConfigError, match="Did you mean 'graphcut'"):
        build_engine("graphcot")
    with pytest.raises(ConfigError, match="no weights"):
        build_engine("graphcut", "facebook/sam")
    assert set(ENGINES) == {"graphcut", "sam", "sam-hq", "sam2", "edgetam", "mobile-sam", "sam3", "grounded-sam"}


def test_everything_finds_the_disc_and_cleans_up(engine):
    image, truth = disc()
    steps = []
    regions = engine.everything(
        engine.set_image(image), EverythingSettings(min_mask_region_area=200), lambda *done: steps.append(done)
    )
    assert max(iou(region.mask(), truth) for region in regions) > 0.9
    assert all(region.area == region.mask().sum() >= 200 for region in regions)
    assert steps[-1][0] == steps[-1][1]
