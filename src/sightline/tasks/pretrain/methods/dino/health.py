"""How a DINO run is doing, told without labels; and the names of what goes wrong.

- loss / ln K: 1 is a uniform guess over K prototypes.
- teacher entropy / ln K: 1 means the teacher says nothing (uniform collapse), 0 that it is certain.
- KL to uniform of the mean teacher distribution, in nats: ln K when all samples share one prototype.
- share of prototypes used: distinct winners over the epoch, of min(K, samples seen).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from lightning_fabric import Fabric
from torch import Tensor

from sightline.engine.ranks import summed

PLATEAU = 0.99  # of ln K: a loss this near after the warm-up has learned next to nothing
UNIFORM = 0.995  # of ln K, entropy of a single teacher output
SAME = 0.9  # of ln K, KL of the mean output to uniform: nearly all samples in a few prototypes


class PrototypeUse:
    """Running statistics of the teacher's outputs over one epoch, on the device, as resumable tensors."""

    def __init__(self, prototypes: int, fabric: Fabric) -> None:
        self._fabric, device = fabric, fabric.device
        self.mean = torch.zeros(prototypes, device=device)
        self.wins = torch.zeros(prototypes, device=device)
        self.counts = torch.zeros(2, device=device)  # samples seen, sum of their entropies in nats

    def add(self, probabilities: Tensor) -> None:
        """Add teacher probabilities (G, B, K)."""
        flat = probabilities.flatten(0, 1)
        self.mean += flat.sum(0)
        winners = flat.argmax(dim=-1)
        self.wins.index_add_(0, winners, torch.ones_like(winners, dtype=self.wins.dtype))
        entropy = torch.special.entr(flat).sum()
        self.counts += torch.stack([entropy.new_tensor(float(len(flat))), entropy])

    def clear(self) -> None:
        """Begin a new epoch."""
        for tensor in self.tensors().values():
            tensor.zero_()

    def tensors(self) -> dict[str, Tensor]:
        """Return the state."""
        return {"use/mean": self.mean, "use/wins": self.wins, "use/counts": self.counts}

    def values(self) -> dict[str, float]:
        """Return teacher_entropy (of ln K), kl_to_uniform (nats), prototypes_used (share)."""
        mean, wins, counts = (summed(self._fabric, tensor) for tensor in self.tensors().values())
        seen, entropy = (float(v) for v in counts)
        if not seen:
            return {}
        prototypes = len(mean)
        mean = mean / seen
        kl = math.log(prototypes) - float(torch.special.entr(mean).sum())
        used = float((wins > 0).sum()) / min(prototypes, seen)
        return {
            "teacher_entropy": entropy / seen / math.log(prototypes),
            "kl_to_uniform": max(0.0, kl),
            "prototypes_used": used,
        }


def diagnose(values: Mapping[str, float], prototypes: int) -> list[str]:
    """Name collapse and plateau in one epoch's values, each with what to change.

    Args:
        values: health values without prefix: loss_over_ln_k, teacher_entropy, kl_to_uniform.
        prototypes: K.
    """
    findings = []
    if values.get("teacher_entropy", 0.0) > UNIFORM:
        findings.append(
            f"uniform collapse: the teacher's entropy is {values['teacher_entropy']:.3f} of ln K, it says nothing. "
            "Lower method.teacher_temperature, or set method.center_momentum nearer to 1"
        )
    elif values.get("loss_over_ln_k", 0.0) > PLATEAU:
        findings.append(
            f"plateau at ln K: the loss is {values['loss_over_ln_k']:.3f} of ln K, a uniform guess. "
            "Raise optim.lr, lower method.teacher_temperature, or shorten method.freeze_last_layer_epochs"
        )
    if values.get("kl_to_uniform", 0.0) > SAME * math.log(prototypes):
        findings.append(
            f"collapse to few prototypes: the mean teacher output is {values['kl_to_uniform']:.2f} nats from uniform "
            f"(ln K = {math.log(prototypes):.2f}). Raise method.teacher_temperature or lower method.center_momentum"
        )
    return findings
