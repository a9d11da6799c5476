"""The loss of DINO (Caron et al. 2021, algorithm 1), its two ways of centring, and KoLeo, as algebra."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

SINKHORN_ROUNDS = 3  # as SwAV and DINOv2
_TINY = 1e-8  # keeps the logarithm of a distance finite for two equal images


def dino_loss(student: Tensor, teacher: Tensor, student_temperature: float) -> Tensor:
    """Return the mean cross-entropy over all pairs of a teacher's global view and another student view.

    With P_g the teacher's distribution of global view g and q_v = log softmax of the student's logits of view v over
    its temperature::

        loss = −mean over samples and over pairs (g, v), v ≠ g, of ⟨P_g, q_v⟩
             = −(⟨Σ_g P_g, Σ_v q_v⟩ − Σ_g ⟨P_g, q_g⟩) / (samples × pairs)

    The pair (g, g) is left out: view g of the student is the very picture that the teacher saw. So two sums and two
    dot products do for all pairs, and the gradient of view v, Σ_{g≠v} (softmax − P_g), needs no more.

    Args:
        student: logits, float (V, B, K), the G global views first.
        teacher: probabilities, float32 (G, B, K), from `teacher_probabilities`; no gradient flows into them.
        student_temperature: τ_s > 0.

    Returns:
        A scalar, float32, in nats.
    """
    return _Pairs.apply(student, teacher, student_temperature)  # pyright: ignore[reportReturnType]


class _Pairs(torch.autograd.Function):
    """Written out because autograd would keep and walk a (V, B, K) float32 tensor for each step of the algebra."""

    @staticmethod
    def forward(ctx: Any, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        views, batch, _ = student.shape
        globals_ = len(teacher)
        log_softmax = (student.float() / temperature).log_softmax(dim=-1)
        total = teacher.sum(dim=0)
        all_pairs = torch.dot(log_softmax.sum(dim=0).flatten(), total.flatten())
        same_view = torch.dot(log_softmax[:globals_].flatten(), teacher.flatten())
        ctx.save_for_backward(log_softmax, teacher, total)
        ctx.dtype, ctx.temperature, ctx.pairs = student.dtype, temperature, batch * globals_ * (views - 1)
        return (same_view - all_pairs) / ctx.pairs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        log_softmax, teacher, total = ctx.saved_tensors
        globals_ = len(teacher)
        gradient = log_softmax.exp()
        gradient[:globals_] *= globals_ - 1
        gradient[:globals_] += teacher
        gradient[globals_:] *= globals_
        gradient -= total
        gradient *= gradients[0] / (ctx.pairs * ctx.temperature)
        return gradient.to(ctx.dtype), None, None


def teacher_probabilities(logits: Tensor, center: Tensor, temperature: float) -> Tensor:
    """Return softmax((logits − centre) / τ_t) in float32, shape as `logits` (G, B, K)."""
    return ((logits.float() - center) / temperature).softmax(dim=-1)


@torch.no_grad()
def sinkhorn_probabilities(
    logits: Tensor, temperature: float, logsumexp_all: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Return targets that use every prototype equally over a batch (Caron et al. 2020, section 3.1; DINOv2, section 4).

    Each global view of the batch by itself: logits / τ are shifted by turns, so that each prototype's probabilities sum
    to B / K over the images, then each image's to one. In logarithms, so that no prototype underflows to nothing.

    Args:
        logits: of the teacher, float (G, B, K).
        temperature: τ_t.
        logsumexp_all: combines the processes' logsumexp over their images, (G, 1, K); None for a single process.

    Returns:
        Probabilities, float32 (G, B, K), each (g, b) summing to one.
    """
    scores = logits.float() / temperature
    for _ in range(SINKHORN_ROUNDS):
        of_prototype = scores.logsumexp(dim=1, keepdim=True)
        scores = scores - (of_prototype if logsumexp_all is None else logsumexp_all(of_prototype))
        scores = scores - scores.logsumexp(dim=2, keepdim=True)
    return scores.exp()


def koleo(vectors: Tensor, everyone: Tensor | None = None, first: int = 0) -> Tensor:
    """Return −mean log distance to the nearest other image of the batch (Sablayrolles et al. 2019; DINOv2, section 4).

    It is least where vectors are spread evenly over the sphere: images repel their nearest neighbour.

    Args:
        vectors: of norm one, float (G, B, d), each view by itself.
        everyone: those of all processes, (G, N, d); None for a single process.
        first: where this process's images begin among the N.

    Returns:
        A scalar, the mean over this process's images; 0 where N is 1.
    """
    everyone = vectors if everyone is None else everyone
    batch = vectors.shape[1]
    if everyone.shape[1] < 2:
        return vectors.sum() * 0
    with torch.no_grad():
        similarity = vectors @ everyone.transpose(1, 2)
        similarity[:, :, first : first + batch].diagonal(dim1=1, dim2=2).fill_(-math.inf)
        nearest = similarity.argmax(dim=2, keepdim=True)
    neighbors = everyone.gather(1, nearest.expand_as(vectors))
    return -((vectors - neighbors).square().sum(dim=2) + _TINY).log().mean() / 2


@torch.no_grad()
def move_center(center: Tensor, batch_mean: Tensor, momentum: float) -> None:
    """Move the centre in place: c ← m·c + (1 − m)·mean of the teacher's logits (equation 4), float32 (K,)."""
    center.lerp_(batch_mean, 1 - momentum)
