"""Mean IoU against scikit-learn and against a plain reading of colour masks."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from sightline.data import DEEPGLOBE
from sightline.metrics import segmentation


def masks(seed: int, classes: int = 6, tiles: int = 5, wrong: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, (tiles, 16, 16)).astype(np.uint8)
    predicted = np.where(rng.random(truth.shape) < wrong, rng.integers(0, classes, truth.shape), truth).astype(np.uint8)
    truth[rng.random(truth.shape) < 0.1] = 255
    return predicted, truth


def counts(predicted: np.ndarray, truth: np.ndarray, classes: int = 6) -> np.ndarray:
    return np.stack([segmentation.confusion(p, t, classes) for p, t in zip(predicted, truth, strict=True)])


def test_iou_is_scikit_learn_s_jaccard_over_all_pixels():
    predicted, truth = masks(0)
    counted = truth != 255
    expected = jaccard_score(truth[counted], predicted[counted], average=None)
    found = segmentation.mean_iou(counts(predicted, truth).sum(axis=0))
    np.testing.assert_allclose(found.per_class, expected)
    assert found.mean == pytest.approx(expected.mean())


def test_mean_iou_is_that_of_the_color_masks_thresholded_at_128():
    predicted, truth = masks(1)
    drawn = [DEEPGLOBE.decode(mask) for mask in (predicted, truth)]
    noisy = [np.clip(mask.astype(int) + np.where(mask > 0, -60, 60), 0, 255) >= 128 for mask in drawn]
    known = noisy[1].any(axis=-1)  # black is unknown
    ious = []
    for color in DEEPGLOBE.colors >= 128:
        ours, theirs = (((mask == color).all(axis=-1)) & known for mask in noisy)
        ious.append((ours & theirs).sum() / (ours | theirs).sum())
    assert segmentation.mean_iou(counts(predicted, truth).sum(axis=0)).mean == pytest.approx(np.mean(ious))


def test_a_class_absent_from_both_is_left_out_and_named():
    predicted, truth = masks(2, classes=4)
    summed = counts(predicted, truth, classes=6).sum(axis=0)
    described = segmentation.describe(summed, ["a", "b", "c", "d", "e", "f"])
    assert described["absent"] == ["e", "f"]
    assert segmentation.mean_iou(summed).mean == pytest.approx(
        np.mean([v["iou"] for v in described["per_class"].values()])
    )


def test_the_interval_holds_the_mean_and_narrows_with_more_tiles():
    few, many = (counts(*masks(3, tiles=tiles)) for tiles in (5, 80))
    widths = []
    for one in (few, many):
        low, high = segmentation.interval(one)
        assert low <= segmentation.mean_iou(one.sum(axis=0)).mean <= high
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_scenes_are_drawn_whole():
    one = counts(*masks(4, tiles=6))
    doubled = np.concatenate([one, one])  # each tile twice: no new knowledge
    groups = [str(i) for i in range(6)] * 2
    expected = segmentation.interval(one)
    assert segmentation.interval(doubled, groups=groups) == pytest.approx(expected, abs=1e-9)


def test_a_better_network_is_found_better_on_the_same_tiles():
    better, worse = counts(*masks(5, tiles=40, wrong=0.2)), counts(*masks(5, tiles=40, wrong=0.35))
    of = segmentation.paired_difference(better, worse)
    assert 0 < of.low < of.mean < of.high
    assert of.p < 0.01
    same = segmentation.paired_difference(better, better)
    assert (same.mean, same.low, same.high, same.p) == (0, 0, 0, 1)
    with pytest.raises(ValueError, match="same tiles"):
        segmentation.paired_difference(better, worse[:3])


def test_boundary_counts_of_a_perfect_mask_agree_and_of_a_shifted_one_do_not():
    truth = np.zeros((60, 60), np.uint8)
    truth[20:40, 20:40] = 1
    perfect = segmentation.boundary_confusion(truth, truth, 2)
    assert (perfect[:, 0] == perfect[:, 1]).all()
    shifted = segmentation.boundary_confusion(np.roll(truth, 4, axis=1), truth, 2)
    assert shifted[1, 0] < 0.5 * shifted[1, 1]


def test_pseudo_values_of_a_mean_over_tiles_are_its_values():
    """Where each tile has as many pixels of the one class, mean IoU is a mean over tiles, and the jackknife exact."""
    hits = np.array([30, 60, 75, 10])
    one = np.stack([[[hit, 100 - hit]] for hit in hits]).astype(np.int64)  # one class, and a column of pixels missed
    np.testing.assert_allclose(segmentation.pseudo_values(one), [hits / 100])
    assert segmentation.over_seeds(np.stack([one, one])) == pytest.approx(hits.mean() / 100)
