"""SimCLR's loss against plain NumPy, in one process and in two; its health; the views it needs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from processes import in_two_processes

from sightline.config import PretrainConfig, resolve
from sightline.errors import ConfigError
from sightline.tasks.pretrain.methods.simclr import Simclr, chance_loss, nt_xent

DATA = {"data": {"source": "photos"}, "views": {"local_crops": 0}}

# Both processes, and one that sees all: the same loss and the same gradient of weights that they share.
TWO = """
import torch
from torch.nn.functional import normalize
from sightline.tasks.pretrain.methods.simclr import gather_images, nt_xent

def work(fabric, inputs):
    weight = inputs["weight"].clone().requires_grad_()
    images = inputs["images"][:, fabric.global_rank :: fabric.world_size]
    views = normalize(images @ weight, dim=-1)
    contrast = nt_xent(views, *gather_images(views, fabric), 0.1)
    contrast.loss.backward()
    return {"loss": contrast.loss.detach(), "accuracy": contrast.accuracy, "gradient": weight.grad}
"""


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    values = rng.normal(size=shape)
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def numpy_nt_xent(views: np.ndarray, temperature: float) -> float:
    """Equation 1, pair by pair."""
    flat, images = np.concatenate(views), views.shape[1]
    losses = []
    for i in range(2 * images):
        others = [math.exp(float(flat[i] @ flat[j]) / temperature) for j in range(2 * images) if j != i]
        positive = math.exp(float(flat[i] @ flat[(i + images) % (2 * images)]) / temperature)
        losses.append(-math.log(positive / sum(others)))
    return float(np.mean(losses))


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_the_loss_is_equation_1_of_the_paper(temperature):
    views = unit(np.random.default_rng(0), 2, 5, 8)
    tensor = torch.tensor(views)
    assert float(nt_xent(tensor, tensor, 0, temperature).loss) == pytest.approx(numpy_nt_xent(views, temperature))


def test_a_share_of_the_batch_has_all_of_it_as_negatives():
    views = unit(np.random.default_rng(1), 2, 6, 4)
    whole, parts = torch.tensor(views), torch.tensor(views).split(2, dim=1)
    losses = [nt_xent(part, whole, 2 * number, 0.2).loss for number, part in enumerate(parts)]
    assert float(torch.stack(losses).mean()) == pytest.approx(numpy_nt_xent(views, 0.2))


def test_alignment_and_uniformity_are_those_of_wang_and_isola():
    views = unit(np.random.default_rng(2), 2, 4, 3)
    tensor = torch.tensor(views)
    contrast = nt_xent(tensor, tensor, 0, 0.1)
    assert float(contrast.alignment) == pytest.approx(np.square(views[0] - views[1]).sum(axis=1).mean())
    flat, image = np.concatenate(views), np.tile(np.arange(4), 2)
    potentials = [
        math.exp(-2 * np.square(flat[i] - flat[j]).sum())
        for i in range(8) for j in range(8) if image[i] != image[j]
    ]  # fmt: skip
    assert float(contrast.uniformity) == pytest.approx(math.log(np.mean(potentials)))


def test_views_that_coincide_guess_and_views_told_apart_do_not():
    same = torch.nn.functional.normalize(torch.ones(2, 6, 4), dim=-1)
    guess = nt_xent(same, same, 0, 0.1)
    assert float(guess.loss) == pytest.approx(chance_loss(6))
    assert float(guess.uniformity) == pytest.approx(0, abs=1e-6)
    apart = torch.eye(6).expand(2, 6, 6)
    assert float(nt_xent(apart, apart, 0, 0.1).accuracy) == 1


def test_two_processes_have_the_loss_and_gradient_of_one(tmp_path):
    rng = np.random.default_rng(3)
    inputs = {"images": torch.tensor(rng.normal(size=(2, 6, 5))), "weight": torch.tensor(rng.normal(size=(5, 4)))}
    one, two = in_two_processes(TWO, inputs, tmp_path)
    views = torch.nn.functional.normalize(inputs["images"] @ inputs["weight"], dim=-1).numpy()
    assert float(one["loss"]) == pytest.approx(numpy_nt_xent(views, 0.1))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, msg=name)


@pytest.mark.parametrize(
    ("health", "word"),
    [
        ({"contrastive_loss": chance_loss(12), "uniformity": -2.0}, "plateau at chance"),
        ({"contrastive_loss": 1.0, "uniformity": -0.01}, "collapse of the projections"),
        ({"contrastive_loss": 1.0, "uniformity": -2.0}, None),
    ],
)
def test_what_goes_wrong_is_named(health, word):
    method = Simclr.__new__(Simclr)
    method._chance = chance_loss(12)
    remarks = method.remarks(health)
    assert [word in text for text in remarks if word] == [True] * (word is not None)


def test_local_views_are_refused_with_the_way_out():
    with pytest.raises(ConfigError, match=r"views\.local_crops = 6: SimCLR compares the two global views.*to 0"):
        resolve(PretrainConfig, file=DATA, flags={"method": "simclr", "views": {"local_crops": 6}})


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"name": "simclr", "prototypes": 3}, r"method\.prototypes: no such key.*Known: batch_norm, hidden, name"),
        ({"name": "dino", "temperature": 0.1}, r"method\.temperature: no such key\..*teacher_temperature"),
        ({"name": "simclr", "temperature": 0}, r"method\.temperature = 0: .*greater than 0"),
    ],
)
def test_keys_of_another_method_are_refused(method, message):
    with pytest.raises(ConfigError, match=message):
        resolve(PretrainConfig, file=DATA, flags={"method": method})
