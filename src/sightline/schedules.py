"""Schedules as pure functions of the step, so that a resumed run needs no schedule state."""

from __future__ import annotations

import math


def cosine(step: int, total: int, start: float, end: float) -> float:
    """Go from `start` at step 0 towards `end` at step `total` along half a cosine."""
    fraction = min(1.0, step / max(1, total))
    return end + 0.5 * (start - end) * (1 + math.cos(math.pi * fraction))


def cosine_with_warmup(step: int, total: int, peak: float, end: float, warmup: int) -> float:
    """Rise linearly from 0 to `peak` over `warmup` steps, then fall to `end` (DINO's cosine_scheduler).

    The first step already learns: at step s of the warm-up the value is peak · (s + 1) / warmup.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    return cosine(step - warmup, total - warmup, peak, end)


def linear_then_constant(step: int, warmup: int, start: float, end: float) -> float:
    """Go from `start` to `end` over `warmup` steps and stay there, as DINO's teacher temperature."""
    if step >= warmup:
        return end
    return start + (end - start) * step / warmup


def momentum_of_half_life(steps: float) -> float:
    """Return the momentum of a moving average whose memory of a step halves in `steps` steps."""
    return 0.5 ** (1 / max(steps, 1e-9))


def poly_with_warmup(step: int, total: int, power: float, warmup: int) -> float:
    """Rise linearly from 0 to 1 over `warmup` steps, then fall polynomially to 0 (Chen et al. 2018, section 4.1)."""
    if step < warmup:
        return (step + 1) / warmup
    return (1 - min(1.0, (step - warmup) / max(1, total - warmup))) ** power


def constant_with_warmup(step: int, value: float, warmup: int) -> float:
    """Rise linearly from 0 to `value` over `warmup` steps and stay there."""
    return value * (step + 1) / warmup if step < warmup else value
