"""Losses of segmentation: logits (B, C, H, W) against class indices int64 (B, H, W), some pixels ignored.

All of them treat a batch as one picture of its valid pixels. Ignored pixels change nothing, whatever their logits: the
value and the gradient are those of the batch without them; a batch without a valid pixel has the value 0 and a gradient
of 0. A class that the valid pixels do not have is left out of the means over classes: it counts neither as found nor as
missed, and false pixels of it are paid for in the classes that they belong to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional

from sightline.config import IGNORE_INDEX
from sightline.config.losses import LOSSES
from sightline.engine.ranks import everyones, total
from sightline.errors import ConfigError, DataError, nearest

GAMMA = 2.0  # of the focal loss: "works best" in Lin et al. 2017, section 5.1
# Of false and of missed pixels in the Tversky loss: the best in the results of Salehi et al. 2017; equal ones are Dice.
FALSE, MISSED = 0.3, 0.7
TINY = 1e-7  # keeps a quotient of two zeros at zero


@dataclass(frozen=True)
class Pixels:
    """What all losses compute from, made once for a sum of them.

    Attributes:
        log_probabilities: float32 (B, C, P); of uniform probabilities where a pixel is ignored, without gradient.
        target: int64 (B, P), 0 where ignored.
        valid: float32 (B, P), 1 or 0.
        class_weights: float32 (C,) or None.
        processes: that a batch is shared out among; None for one.
    """

    log_probabilities: Tensor
    target: Tensor
    valid: Tensor
    class_weights: Tensor | None
    processes: Fabric | None = None

    def total(self, sums: Tensor) -> Tensor:
        """Return the sums over the pixels of all processes, of those over this one's; gradients flow back."""
        return sums if self.processes is None else total(self.processes, sums)

    def of_target(self) -> Tensor:
        """Return the log-probability of each pixel's own class, (B, P)."""
        return self.log_probabilities.gather(1, self.target[:, None])[:, 0]

    def weight(self) -> Tensor:
        """Return each pixel's weight (B, P): its class's, 0 where ignored."""
        return self.valid if self.class_weights is None else self.class_weights[self.target] * self.valid

    def one_hot(self) -> Tensor:
        """Return float32 (B, C, P), all 0 where ignored."""
        shape = self.log_probabilities
        return torch.zeros_like(shape).scatter_(1, self.target[:, None], 1.0) * self.valid[:, None]

    def probabilities(self) -> Tensor:
        """Return float32 (B, C, P), all 0 where ignored."""
        return self.log_probabilities.exp() * self.valid[:, None]


def cross_entropy(pixels: Pixels) -> Tensor:
    """Return Σ w·(−log p) / Σ w over valid pixels, w the weight of the pixel's class."""
    weight = pixels.weight()
    return _weighted_mean(pixels, -pixels.of_target(), weight)


def focal(pixels: Pixels) -> Tensor:
    """Return Σ w·(1 − p)^γ·(−log p) / Σ w with γ = 2 (Lin et al. 2017, equation 5), w as above."""
    weight, log_p = pixels.weight(), pixels.of_target()
    # (1 − p) by expm1: exact where p is near 1, and clamped where rounding would make it negative.
    distrust = (-torch.expm1(log_p)).clamp_min(0.0) ** GAMMA
    return _weighted_mean(pixels, -distrust * log_p, weight)


def dice(pixels: Pixels) -> Tensor:
    """Return the mean over present classes of 1 − 2·Σ p·y / (Σ p + Σ y) (Milletari et al. 2016, without squares)."""
    overlap, predicted, true = _overlaps(pixels)
    return _mean_over_present(1 - 2 * overlap / (predicted + true).clamp_min(TINY), true)


def jaccard(pixels: Pixels) -> Tensor:
    """Return the mean over present classes of 1 − Σ p·y / (Σ p + Σ y − Σ p·y)."""
    overlap, predicted, true = _overlaps(pixels)
    return _mean_over_present(1 - overlap / (predicted + true - overlap).clamp_min(TINY), true)


def tversky(pixels: Pixels) -> Tensor:
    """Return the mean over present classes of 1 − T / (T + 0.3·F + 0.7·M) (Salehi et al. 2017, equation 4).

    T = Σ p·y, false pixels F = Σ p·(1 − y), missed ones M = Σ (1 − p)·y: for small classes, which Dice lets go missing.
    """
    overlap, predicted, true = _overlaps(pixels)
    weighted = overlap + FALSE * (predicted - overlap) + MISSED * (true - overlap)
    return _mean_over_present(1 - overlap / weighted.clamp_min(TINY), true)


def lovasz(pixels: Pixels) -> Tensor:
    """Return the Lovász-softmax loss over present classes (Berman et al. 2018, equation 11, algorithm 1).

    For each class, errors m = |y − p| sorted downwards, and g the steps of the Jaccard loss as pixels are taken to be
    wrong in that order: loss = ⟨m, g⟩. Ignored pixels have the error 0, and with it no share, wherever they are sorted.
    """
    one_hot = pixels.one_hot().transpose(0, 1).flatten(1)
    errors = (one_hot - pixels.probabilities().transpose(0, 1).flatten(1)).abs()
    # What fills up has no error and is of no class: as an ignored pixel.
    one_hot, errors = _everyones_pixels(pixels, one_hot), _everyones_pixels(pixels, errors)
    errors, order = errors.sort(dim=1, descending=True)
    true = one_hot.gather(1, order)
    total = true.sum(1, keepdim=True)
    # In float64: a float32 sum over a large batch's pixels stops counting at 2²⁴.
    hits = true.double().cumsum(1)
    misses = (1 - true).double().cumsum(1)
    loss_so_far = 1 - (total - hits) / (total + misses)
    steps = loss_so_far.diff(dim=1, prepend=torch.zeros_like(loss_so_far[:, :1]))
    return _mean_over_present((errors * steps.to(errors)).sum(1), total[:, 0])


def _weighted_mean(pixels: Pixels, losses: Tensor, weight: Tensor) -> Tensor:
    """Return Σ w·loss / Σ w over the pixels of all processes."""
    return pixels.total((weight * losses).sum()) / pixels.total(weight.sum()).clamp_min(TINY)


def _overlaps(pixels: Pixels) -> tuple[Tensor, Tensor, Tensor]:
    """Return Σ p·y, Σ p and Σ y by class over the pixels of all processes, each (C,)."""
    probabilities, one_hot = pixels.probabilities(), pixels.one_hot()
    overlap, predicted, true = (probabilities * one_hot).sum((0, 2)), probabilities.sum((0, 2)), one_hot.sum((0, 2))
    return pixels.total(overlap), pixels.total(predicted), pixels.total(true)


def _everyones_pixels(pixels: Pixels, of_class: Tensor) -> Tensor:
    """Return (C, P) of the pixels of all processes, filled up with zeros where processes have fewer than others."""
    if pixels.processes is None or pixels.processes.world_size == 1:
        return of_class
    count = of_class.shape[1]
    most = int(everyones(pixels.processes, of_class.new_tensor(count, dtype=torch.int64)).max())
    return everyones(pixels.processes, functional.pad(of_class, (0, most - count))).transpose(0, 1).flatten(1)


def _mean_over_present(losses: Tensor, true: Tensor) -> Tensor:
    present = (true > 0).to(losses)
    return (losses * present).sum() / present.sum().clamp_min(1.0)


@dataclass(frozen=True)
class Term:
    """One summand: its weight, and its name in `LOSSES`."""

    weight: float
    name: str

    @property
    def function(self) -> Callable[[Pixels], Tensor]:
        """The loss itself."""
        return resolve_name(LOSSES[self.name].function)


def parse_loss(text: str) -> tuple[Term, ...]:
    """Read "ce", "ce+dice", "0.5*ce+dice" …

    Raises:
        ConfigError: an unknown loss, a weight that is not a positive number, or the same loss twice.
    """
    terms = []
    for part in text.split("+"):
        weight, star, name = part.strip().rpartition("*")
        name = name.strip().lower()
        if name not in LOSSES:
            raise ConfigError(
                f"loss = {text!r}: {name!r} is none of {', '.join(LOSSES)}.{nearest(name, LOSSES)} "
                "Give one, or a sum such as ce+dice or 0.5*ce+dice"
            )
        terms.append(Term(_weight(weight, text) if star else 1.0, name))
    if len({term.name for term in terms}) < len(terms):
        raise ConfigError(f"loss = {text!r}: names a loss twice; give each once, with a weight")
    return tuple(terms)


def _weight(word: str, text: str) -> float:
    try:
        weight = float(word)
    except ValueError:
        weight = 0.0
    if not 0 < weight < float("inf"):
        raise ConfigError(f"loss = {text!r}: {word.strip()!r} is no positive number; write 0.5*ce+dice")
    return weight


@dataclass(frozen=True, eq=False)
class Loss:
    """A weighted sum of losses.

    Attributes:
        terms: to sum.
        class_weights: float32 (C,); of the losses that `LOSSES` calls weighted.
        ignore: value of the target that stands for no class.
        processes: that share out a batch; the loss is that of the whole batch in each of them. None for one.
    """

    terms: tuple[Term, ...]
    class_weights: Tensor | None = None
    ignore: int = IGNORE_INDEX
    processes: Fabric | None = None

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return a float32 scalar.

        Args:
            logits: (B, C, H, W), any float type; computed in float32.
            target: int64 (B, H, W): 0 to C − 1, or `ignore`.

        Raises:
            DataError: a target out of range (on the CPU; on a GPU the gathering kernel stops).
        """
        pixels = self._pixels(logits, target)
        losses = [term.weight * term.function(pixels) for term in self.terms]
        return torch.stack(losses).sum()

    def _pixels(self, logits: Tensor, target: Tensor) -> Pixels:
        valid = target != self.ignore
        target = target.where(valid, 0)
        classes = logits.shape[1]
        if target.device.type == "cpu" and target.numel() and not 0 <= target.min() <= target.max() < classes:
            wrong = [value for value in target.unique().tolist() if not 0 <= value < classes]
            raise DataError(
                f"mask: holds the values {wrong[:5]}, and with {classes} classes a pixel is 0 to {classes - 1}, "
                f"or {self.ignore} where it is ignored; check the palette of the masks"
            )
        # `where` first: its gradient is 0 at ignored pixels even if their logits are not numbers.
        flat = logits.float().where(valid[:, None], 0.0).flatten(2)
        weights = None if self.class_weights is None else self.class_weights.to(flat)
        log_probabilities = functional.log_softmax(flat, dim=1)
        return Pixels(log_probabilities, target.flatten(1), valid.flatten(1).to(flat), weights, self.processes)


def build_loss(
    text: str = "ce",
    class_weights: Sequence[float] | None = None,
    ignore: int = IGNORE_INDEX,
    processes: Fabric | None = None,
) -> Loss:
    """Build a loss from its text.

    Args:
        text: a sum of names of `LOSSES`, each with an optional weight.
        class_weights: one for each class, none negative; of the losses that `LOSSES` calls weighted.
        ignore: value of the target that stands for no class.
        processes: that share out a batch; None for one.

    Raises:
        ConfigError: of `parse_loss`; or class weights that are negative, or that no term uses.
    """
    terms = parse_loss(text)
    if class_weights is None:
        return Loss(terms, None, ignore, processes)
    if min(class_weights) < 0 or not sum(class_weights) > 0:
        raise ConfigError(f"class_weights = {list(class_weights)}: must be 0 or more, and not all 0")
    if not any(LOSSES[term.name].weighted for term in terms):
        weighted = [name for name, entry in LOSSES.items() if entry.weighted]
        raise ConfigError(
            f"class_weights: only {' and '.join(weighted)} use them, and the loss is {text!r}; leave them out, or add "
            f"{weighted[0]}"
        )
    return Loss(terms, torch.tensor(class_weights, dtype=torch.float32), ignore, processes)
