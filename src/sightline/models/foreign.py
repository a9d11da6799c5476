"""Checkpoints that others wrote: timm, torchvision, official DINO, MoCo, lightly, solo-learn. Nothing is unpickled.

A checkpoint is flattened to tensors by dotted name, whatever it wraps them in; the backbone is then where most of its
names come together with the right shapes: under `teacher.module.backbone.` in official DINO's, under
`state_dict.module.encoder_q.` in MoCo's, under no prefix in torchvision's.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from sightline.errors import WeightsError
from sightline.models.backbones import Backbone

ENOUGH = 0.5  # of the backbone's tensors: less is another architecture
NUMPY_SCALAR: Any = np.float64(0).__reduce__()[0]  # the function that makes a NumPy number of its type and bytes
# Plain values that official DINO's and MoCo's checkpoints hold beside tensors: their arguments and NumPy numbers.
HARMLESS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    argparse.Namespace,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("float32", "float64", "int64", "bool")),
    (NUMPY_SCALAR, "numpy.core.multiarray.scalar"),  # as NumPy 1 called it
    (NUMPY_SCALAR, "numpy._core.multiarray.scalar"),
]
MARKS = {"teacher": {"teacher", "ema"}, "student": {"student"}}  # words in a prefix that name the network
OTHER_COPY = {"k", "momentum"}  # encoder_k, momentum_encoder: MoCo's authors evaluate the other one


@dataclass(frozen=True)
class MatchReport:
    """Which tensors of a checkpoint were loaded and which were not, by the backbone's names.

    Attributes:
        matched: loaded.
        missing: of the backbone, not in the checkpoint.
        unexpected: in the checkpoint under the prefix, not in the backbone.
        mismatched: in both with different shapes.
        prefix: that the checkpoint puts before the backbone's names.
    """

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]
    prefix: str

    def __str__(self) -> str:
        total = len(self.matched) + len(self.missing) + len(self.mismatched)
        parts = [f"{len(self.matched)} of {total} tensors loaded"]
        for label, names in (("missing", self.missing), ("other shape", self.mismatched), ("unused", self.unexpected)):
            if names:
                more = f" and {len(names) - 3} more" if len(names) > 3 else ""
                parts.append(f"{label}: {', '.join(names[:3])}{more}")
        if self.prefix:
            parts.append(f"found under {self.prefix}")
        return "; ".join(parts)


def read_foreign(path: Path) -> dict[str, Tensor]:
    """Return every tensor of a .safetensors, .pth or .pt file by its dotted name, nested mappings flattened.

    Raises:
        WeightsError: unreadable, without tensors, or it holds pickled objects other than tensors and plain values.
    """
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{path}: not readable as safetensors: {error}") from None
    try:
        with torch.serialization.safe_globals(HARMLESS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make the restricted unpickler raise nearly anything
        first = str(error).strip().split("\n")[0] or type(error).__name__
        raise WeightsError(
            f"{path}: not readable with weights_only=True, and Sightline runs no code from a checkpoint ({first}). "
            "Where you trust the file, convert it once: state = torch.load(FILE, map_location='cpu', "
            "weights_only=False), then safetensors.torch.save_file on the dict of tensors in it, and give that file"
        ) from None
    tensors = dict(_flatten(content))
    if not tensors:
        raise WeightsError(f"{path}: holds no tensors by name, but a {type(content).__name__}; give a state dict")
    return tensors


def _flatten(content: object, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        if isinstance(value, Tensor):
            yield f"{prefix}{key}", value
        else:
            yield from _flatten(value, f"{prefix}{key}.")


def load_matching(
    backbone: Backbone,
    tensors: Mapping[str, Tensor],
    where: str,
    network: Literal["teacher", "student"] = "teacher",
) -> MatchReport:
    """Load into `backbone` the tensors that fit, under the prefix that fits most.

    Args:
        backbone: changed in place; what does not match keeps its values.
        tensors: by dotted name.
        where: they come from, for the message.
        network: taken where a checkpoint holds a teacher (or moving average) and a student of equal fit.

    Raises:
        WeightsError: less than half of the backbone's tensors matched.
    """
    state = backbone.inner.state_dict()
    prefix = _best_prefix(tensors, state, network)
    candidates = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    matched = {
        name: candidates[name] for name in state if name in candidates and candidates[name].shape == state[name].shape
    }
    report = MatchReport(
        matched=tuple(matched),
        missing=tuple(name for name in state if name not in candidates),
        unexpected=tuple(sorted(candidates.keys() - state.keys())),
        mismatched=tuple(name for name in state if name in candidates and name not in matched),
        prefix=prefix,
    )
    if len(matched) < ENOUGH * len(state):
        raise WeightsError(
            f"{where}: does not fit {backbone.name} with stem {backbone.stem}: {report}. Its first names are "
            f"{', '.join(sorted(tensors)[:3])}; give the --backbone that it was trained with"
        )
    backbone.inner.load_state_dict(matched, strict=False)
    return report


def _best_prefix(tensors: Mapping[str, Tensor], state: Mapping[str, Tensor], network: str) -> str:
    """Return what stands before most names of `state` that come with their shapes; "" when none does."""
    fitting: Counter[str] = Counter()
    for name, value in tensors.items():
        starts = [0, *(dot.end() for dot in re.finditer(r"\.", name))]
        for start in starts:
            rest = name[start:]
            if rest in state and state[rest].shape == value.shape:
                fitting[name[:start]] += 1

    def preference(prefix: str) -> tuple[int, bool, bool, int]:
        words = set(re.split(r"[._]", prefix))
        return fitting[prefix], bool(words & MARKS[network]), not words & OTHER_COPY, -len(prefix)

    return max(fitting, key=preference, default="")
