"""What is drawn, against the stated distribution. Bounds are five standard errors of 20,000 draws."""

import numpy as np
import pytest
from scipy import stats

from sightline.config import ViewsConfig
from sightline.errors import ConfigError, DataError
from sightline.views import parameters as p
from sightline.views.multicrop import MultiCrop

N = 20_000
SIDE = 1000


@pytest.fixture(scope="module")
def tables() -> tuple[np.ndarray, np.ndarray]:
    return MultiCrop().draw(np.full((N, 2), SIDE), np.arange(N))


def uniform(values: np.ndarray, low: float, high: float) -> bool:
    return stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-4


def share(values: np.ndarray, expected: float) -> bool:
    return abs(values.mean() - expected) <= 5 * np.sqrt(expected * (1 - expected) / values.size) + 1e-12


@pytest.mark.parametrize(("kind", "scale"), [(0, (0.14, 1.0)), (1, (0.05, 0.14))])
def test_area_ratio_and_position(tables, kind: int, scale: tuple[float, float]):
    view = tables[kind][:, 0]
    area = view[:, p.HEIGHT] * view[:, p.WIDTH] / SIDE**2
    assert area.min() > scale[0] - 0.002
    assert area.max() < scale[1] + 0.002
    if kind == 1:  # large boxes of extreme ratio are drawn again, so only here the marginals stay exact
        assert uniform(area, *scale)
        assert uniform(np.log(view[:, p.WIDTH] / view[:, p.HEIGHT]), np.log(3 / 4), np.log(4 / 3))
    for start, length in ((p.TOP, p.HEIGHT), (p.LEFT, p.WIDTH)):
        room = SIDE - view[:, length]
        assert (view[:, start] >= 0).all()
        assert (view[:, start] <= room).all()
        wide = room > 100
        assert uniform(((view[:, start] + 0.5) / (room + 1))[wide], 0, 1)


def test_boxes_follow_torchvision_s():
    torch = pytest.importorskip("torch")
    from torchvision.transforms import RandomResizedCrop

    torch.manual_seed(0)
    canvas = torch.empty(1, 90, 120)
    theirs = np.array([RandomResizedCrop.get_params(canvas, [0.14, 1.0], [3 / 4, 4 / 3]) for _ in range(4000)])
    ours = MultiCrop().draw(np.full((4000, 2), (90, 120)), np.arange(4000))[0][:, 0, : p.WIDTH + 1]
    for column in range(4):
        assert stats.ks_2samp(theirs[:, column], ours[:, column]).pvalue > 1e-4


def test_frequencies(tables):
    globals_, locals_ = tables
    for views, blur, solarize in (
        (globals_[:, 0], 1, 0),
        (globals_[:, 1], 0.1, 0.2),
        (locals_.reshape(-1, 13), 0.5, 0),
    ):
        assert share(views[:, p.FLIP], 0.5)
        assert share(views[:, p.ORDER] >= 0, 0.8)
        assert share(views[:, p.GRAY], 0.2)
        assert share(views[:, p.SIGMA] > 0, blur)
        assert share(views[:, p.SOLARIZE], solarize)


def test_factors(tables):
    view = tables[0][:, 1]
    jittered = view[view[:, p.ORDER] >= 0]
    assert uniform(jittered[:, p.BRIGHTNESS], 0.6, 1.4)
    assert uniform(jittered[:, p.CONTRAST], 0.6, 1.4)
    assert uniform(jittered[:, p.SATURATION], 0.8, 1.2)
    assert uniform(jittered[:, p.HUE], -0.1, 0.1)
    assert stats.chisquare(np.bincount(jittered[:, p.ORDER].astype(int), minlength=24)).pvalue > 1e-4
    assert uniform(tables[0][:, 0, p.SIGMA], 0.1, 2.0)


def test_sigma_scales_with_the_view():
    sigma = MultiCrop(global_size=112).draw(np.full((N, 2), SIDE), np.arange(N))[0][:, 0, p.SIGMA]
    assert uniform(sigma, 0.05, 1.0)


def test_views_of_one_image_are_unrelated(tables):
    numbers = np.concatenate([tables[0], tables[1]], axis=1)[..., p.BRIGHTNESS]
    correlation = np.corrcoef(numbers.T) - np.eye(numbers.shape[1])
    assert np.abs(correlation).max() < 5 / np.sqrt(N)


def test_extreme_shapes_take_the_central_crop():
    table = MultiCrop().draw(np.array([[1, 500], [500, 1], [1, 1]]), np.arange(3))[0][:, 0]
    np.testing.assert_array_equal(table[:, p.HEIGHT : p.WIDTH + 1], np.ones((3, 2)))


def test_seed_and_epoch_change_the_draw():
    sizes = np.full((1, 2), 64)
    rows = [MultiCrop().draw(sizes, np.array([key]))[0] for key in ((0, 0, 5), (1, 0, 5), (0, 1, 5))]
    assert not np.array_equal(rows[0], rows[1])
    assert not np.array_equal(rows[0], rows[2])


def test_wrong_ranges_and_keys_are_refused():
    with pytest.raises(ConfigError, match="scale"):
        MultiCrop(ViewsConfig(global_scale=(0.5, 0.2)))
    with pytest.raises(ConfigError, match="local_crops"):
        MultiCrop(local_crop=3)
    with pytest.raises(DataError, match="keys of shape"):
        p.as_keys([1, 2], 3)
