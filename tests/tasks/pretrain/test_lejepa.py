"""LeJEPA's loss against plain NumPy, in one process and in two; its slices; its health."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from processes import in_two_processes

from sightline.config import PretrainConfig, resolve
from sightline.errors import ConfigError
from sightline.tasks.pretrain.methods.lejepa import (
    Lejepa,
    collapsed_level,
    directions,
    gaussian_level,
    prediction,
    sigreg,
)

TWO = """
import torch
from sightline.tasks.pretrain.methods.lejepa import directions, prediction, sigreg

def work(fabric, inputs):
    weight = inputs["weight"].clone().requires_grad_()
    projections = inputs["images"][:, fabric.global_rank :: fabric.world_size] @ weight
    slices = torch.from_numpy(directions(0, 3, 4, 16)).double()
    statistic, distance = sigreg(projections, slices, fabric), prediction(projections, 2)
    (0.95 * distance + 0.05 * statistic).backward()
    return {"sigreg": statistic.detach(), "prediction": distance.detach(), "gradient": weight.grad}
"""


@pytest.fixture
def fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


def numpy_sigreg(projections: np.ndarray, slices: np.ndarray) -> float:
    """Algorithm 1: complex numbers, 17 knots from −5 to 5, the trapezoid rule."""
    t = np.linspace(-5, 5, 17)
    normal = np.exp(-0.5 * t**2)
    values = []
    for view in projections:
        function = np.exp(1j * (view @ slices)[..., None] * t).mean(axis=0)
        errors = np.abs(function - normal) ** 2 * normal
        values.append((np.trapezoid(errors, t, axis=1) * len(view)).mean())
    return float(np.mean(values))


def numpy_prediction(projections: np.ndarray) -> float:
    """Algorithm 2, view by view."""
    center = (projections[0] + projections[1]) / 2
    return float(np.mean([np.mean((view - center) ** 2) for view in projections]))


def test_sigreg_is_algorithm_1_of_the_paper(fabric):
    rng = np.random.default_rng(0)
    projections, slices = rng.normal(0.3, 2, (3, 7, 5)), directions(0, 0, 5, 11)
    ours = sigreg(torch.tensor(projections), torch.from_numpy(slices).double(), fabric)
    assert float(ours) == pytest.approx(numpy_sigreg(projections, slices), rel=1e-5)


def test_prediction_is_that_of_algorithm_2():
    projections = np.random.default_rng(1).normal(size=(5, 4, 3))
    assert float(prediction(torch.tensor(projections), 2)) == pytest.approx(numpy_prediction(projections))
    assert float(prediction(torch.ones(5, 4, 3), 2)) == 0


def test_levels_are_those_of_gaussian_and_of_collapsed_projections(fabric):
    slices = torch.from_numpy(directions(0, 0, 8, 64))
    normal = torch.from_numpy(np.random.default_rng(2).normal(size=(200, 50, 8)).astype(np.float32))
    assert float(sigreg(normal, slices, fabric)) == pytest.approx(gaussian_level(), rel=0.05)
    assert float(sigreg(torch.zeros(2, 50, 8), slices, fabric)) == pytest.approx(collapsed_level(50), rel=1e-4)


def test_slices_are_a_function_of_seed_and_step_and_lie_on_the_sphere():
    slices = directions(3, 7, 6, 10)
    np.testing.assert_array_equal(slices, directions(3, 7, 6, 10))
    np.testing.assert_allclose(np.linalg.norm(slices, axis=0), 1, rtol=1e-6)
    assert not np.allclose(slices, directions(3, 8, 6, 10))
    assert not np.allclose(slices, directions(4, 7, 6, 10))


def test_two_processes_have_the_loss_and_gradient_of_one(tmp_path):
    rng = np.random.default_rng(3)
    inputs = {"images": torch.tensor(rng.normal(size=(3, 6, 5))), "weight": torch.tensor(rng.normal(size=(5, 4)))}
    one, two = in_two_processes(TWO, inputs, tmp_path)
    projections = (inputs["images"] @ inputs["weight"]).numpy()
    assert float(one["sigreg"]) == pytest.approx(numpy_sigreg(projections, directions(0, 3, 4, 16)), rel=1e-5)
    assert float(one["prediction"]) == pytest.approx(numpy_prediction(projections))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, msg=name)


def test_a_collapse_is_named():
    method = Lejepa.__new__(Lejepa)
    method._images = 64
    (text,) = method.remarks({"sigreg": collapsed_level(64)})
    assert "collapse of the projections" in text
    assert method.remarks({"sigreg": gaussian_level()}) == []


def test_keys_of_another_method_are_refused():
    data = {"data": {"source": "photos"}}
    with pytest.raises(ConfigError, match=r"method\.temperature: no such key.*Known: batch_norm, hidden, name"):
        resolve(PretrainConfig, file=data, flags={"method": {"name": "lejepa", "temperature": 0.1}})
    with pytest.raises(ConfigError, match=r"method\.slices: no such key"):
        resolve(PretrainConfig, file=data, flags={"method": {"name": "dino", "slices": 3}})
