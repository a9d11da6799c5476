"""The DINO loss and centre against plain NumPy."""

import math

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from sightline.tasks.pretrain.methods.dino import (
    dino_loss,
    koleo,
    move_center,
    sinkhorn_probabilities,
    teacher_probabilities,
)
from sightline.tasks.pretrain.methods.dino.health import PrototypeUse, diagnose


def numpy_loss(student: np.ndarray, teacher_logits: np.ndarray, center: np.ndarray, student_t: float, teacher_t: float):
    """Algorithm 1 of the paper, pair by pair and sample by sample."""
    total, pairs = 0.0, 0
    for g in range(len(teacher_logits)):
        for v in range(len(student)):
            if v == g:
                continue
            pairs += 1
            for b in range(student.shape[1]):
                t = (teacher_logits[g, b] - center) / teacher_t
                p = np.exp(t - t.max())
                p /= p.sum()
                s = student[v, b] / student_t
                log_q = s - s.max() - math.log(np.exp(s - s.max()).sum())
                total -= float((p * log_q).sum()) / student.shape[1]
    return total / pairs


@pytest.mark.parametrize(("globals_", "locals_"), [(2, 6), (2, 0), (3, 1)])
def test_loss_equals_the_paper_s_double_loop(globals_, locals_):
    rng = np.random.default_rng(globals_ * 10 + locals_)
    student = rng.normal(size=(globals_ + locals_, 4, 33))
    teacher = rng.normal(size=(globals_, 4, 33))
    center = rng.normal(size=33) * 0.1
    probabilities = teacher_probabilities(torch.tensor(teacher), torch.tensor(center).float(), 0.05)
    ours = dino_loss(torch.tensor(student), probabilities, 0.1)
    assert float(ours) == pytest.approx(numpy_loss(student, teacher, center, 0.1, 0.05), rel=1e-5)


def test_loss_of_a_uniform_student_is_ln_k():
    teacher = torch.rand(2, 3, 50).softmax(-1)
    assert float(dino_loss(torch.zeros(5, 3, 50), teacher, 0.1)) == pytest.approx(math.log(50), rel=1e-6)


def test_gradient_is_student_minus_teacher():
    student = torch.randn(2, 3, 7, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(2, 3, 7, dtype=torch.float64).softmax(-1)
    dino_loss(student, teacher.float(), 1.0).backward()
    # d/dz of H(P, z) is softmax(z) − P; view v is paired with the other global view only.
    expected = (student.detach().softmax(-1) - teacher.flip(0)) / (2 * 3)
    assert student.grad is not None
    torch.testing.assert_close(student.grad, expected, rtol=1e-4, atol=1e-6)


def test_center_moves_by_momentum():
    center = torch.tensor([1.0, 2.0])
    move_center(center, torch.tensor([3.0, 0.0]), 0.9)
    torch.testing.assert_close(center, torch.tensor([1.2, 1.8]))


def test_sinkhorn_is_the_textbook_scaling_of_a_matrix():
    rng = np.random.default_rng(0)
    logits = rng.uniform(-1, 1, (2, 6, 4))
    for view, ours in zip(logits, sinkhorn_probabilities(torch.tensor(logits), 0.2), strict=True):
        matrix = np.exp(view / 0.2).T  # prototypes × images, as SwAV writes it
        for _ in range(3):
            matrix /= matrix.sum(axis=1, keepdims=True) * 4
            matrix /= matrix.sum(axis=0, keepdims=True) * 6
        np.testing.assert_allclose(ours, (matrix * 6).T, rtol=1e-4)


def test_sinkhorn_uses_prototypes_that_nobody_prefers():
    logits = torch.zeros(1, 8, 4)
    logits[..., 0] = 1.0  # everybody's favourite, a hundred temperatures above the others
    probabilities = sinkhorn_probabilities(logits, 0.01)
    torch.testing.assert_close(probabilities, torch.full_like(probabilities, 0.25))


def test_two_processes_share_their_sinkhorn():
    logits = torch.randn(2, 6, 5)
    whole = sinkhorn_probabilities(logits, 0.1)
    # What the other process would have said at each round is taken from a run on the whole batch.
    recorded = []
    sinkhorn_probabilities(logits, 0.1, lambda own: recorded.append(own) or own)
    for rank, share in enumerate((logits[:, :3], logits[:, 3:])):
        rounds = iter(recorded)
        ours = sinkhorn_probabilities(share, 0.1, lambda own, rounds=rounds: next(rounds))
        torch.testing.assert_close(ours, whole[:, rank * 3 : rank * 3 + 3])


def test_koleo_is_minus_the_mean_log_distance_to_the_nearest():
    vectors = torch.nn.functional.normalize(torch.randn(2, 7, 5, dtype=torch.float64), dim=-1)
    expected = []
    for view in vectors.numpy():
        for i, vector in enumerate(view):
            others = np.delete(view, i, axis=0)
            expected.append(math.log(np.linalg.norm(others - vector, axis=1).min()))
    assert float(koleo(vectors)) == pytest.approx(-np.mean(expected), rel=1e-6)
    assert float(koleo(vectors[:, :1])) == 0


def test_koleo_pushes_equal_images_apart_no_further_than_finite():
    same = torch.nn.functional.normalize(torch.ones(1, 3, 4), dim=-1).requires_grad_()
    koleo(same).backward()
    assert same.grad is not None
    assert torch.isfinite(same.grad).all()


def test_health_tells_uniform_from_certain_from_one_prototype():
    fabric = Fabric(accelerator="cpu", devices=1)
    uniform, certain = PrototypeUse(8, fabric), PrototypeUse(8, fabric)
    uniform.add(torch.full((2, 4, 8), 1 / 8))
    certain.add(torch.eye(8).reshape(2, 4, 8))
    assert uniform.values()["teacher_entropy"] == pytest.approx(1)
    assert certain.values() == pytest.approx({"teacher_entropy": 0, "kl_to_uniform": 0, "prototypes_used": 1}, abs=1e-6)
    one = PrototypeUse(8, fabric)
    one.add(torch.eye(8)[torch.zeros(2, 4, dtype=torch.int64)])
    assert one.values()["kl_to_uniform"] == pytest.approx(math.log(8))
    assert one.values()["prototypes_used"] == pytest.approx(1 / 8)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"teacher_entropy": 0.999, "loss_over_ln_k": 1.0}, "uniform collapse"),
        ({"teacher_entropy": 0.5, "loss_over_ln_k": 0.999}, "plateau at ln K"),
        ({"kl_to_uniform": 6.9}, "few prototypes"),
    ],
)
def test_what_goes_wrong_is_named(values, word):
    assert any(word in text for text in diagnose(values, prototypes=1024))


def test_a_healthy_run_is_left_alone():
    healthy = {"teacher_entropy": 0.4, "loss_over_ln_k": 0.7, "kl_to_uniform": 0.5, "feature_std": 0.9}
    assert diagnose(healthy, prototypes=1024) == []
