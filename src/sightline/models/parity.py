"""Whether another program gives what PyTorch gives: every export is run and compared before it is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.errors import NotAvailable, SightlineError
from sightline.randomness import generator

TOLERANCE = 1e-4  # of the largest output: float32 sums in another order differ by 1e-6 to 1e-5 of it
OPSET = 20  # of ONNX, of 2023; onnxruntime has it since 1.17


def pictures(batch: int, height: int, width: int, in_chans: int = 3) -> Tensor:
    """Return normalised noise, float32 (B, in_chans, H, W), a function of its arguments."""
    shape = (batch, in_chans, height, width)
    values = generator(0, "export check", height, width).standard_normal(shape, np.float32)
    return torch.from_numpy(values)


def compare(pairs: list[tuple[np.ndarray, np.ndarray]], where: str) -> tuple[float, float]:
    """Return the largest difference and the largest output.

    Args:
        pairs: PyTorch's output and the other program's, float32.
        where: the other program's name.

    Raises:
        SightlineError: they differ by more than rounding.
    """
    for ours, theirs in pairs:
        if ours.shape != theirs.shape:
            raise SightlineError(f"export: {where} gives outputs {theirs.shape}, and PyTorch {ours.shape}; not written")
    difference = max(float(np.abs(ours - theirs).max()) for ours, theirs in pairs)
    largest = max(float(np.abs(ours).max()) for ours, _ in pairs)
    if not difference <= TOLERANCE * max(largest, 1e-3):  # NaN fails too
        raise SightlineError(
            f"export: {where} gives outputs that differ by {difference:.2g} from PyTorch's, of {largest:.2g} at most; "
            f"the rule is {TOLERANCE:g} of that. Nothing was written"
        )
    return difference, largest


def needs_export() -> Any:
    """Return onnxruntime; torch's exporter needs onnx and onnxscript beside it.

    Raises:
        NotAvailable: one of them is not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise NotAvailable(f"export to ONNX needs {error.name}: install sightline[export]") from None
    return onnxruntime
