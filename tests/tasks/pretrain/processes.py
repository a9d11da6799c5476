"""Runs a function in one process and in two real ones, joined by gloo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from sightline.runs import RunFolder

MAIN = """
import sys
import torch
from lightning_fabric import Fabric

processes, inputs, out = int(sys.argv[1]), torch.load(sys.argv[2]), sys.argv[3]
fabric = Fabric(accelerator="cpu", devices=processes, strategy="ddp" if processes > 1 else "auto")
fabric.launch()
found = work(fabric, inputs)
if processes > 1:
    found = {name: fabric.all_reduce(value, reduce_op="mean") for name, value in found.items()}
if fabric.is_global_zero:
    torch.save(found, out)
if processes > 1:
    # Else gloo's threads may still run while the interpreter ends, which aborts it now and then.
    fabric.barrier()
    torch.distributed.destroy_process_group()
"""


def same_training(one: Path, other: Path) -> None:
    """Assert that two runs logged the same and came to the same weights, within what float sums in parts differ by."""
    lines, others = RunFolder.open(one).metrics(), RunFolder.open(other).metrics()
    assert len(lines) == len(others) > 0
    for line, log in zip(lines, others, strict=True):
        assert log == pytest.approx(line, rel=2e-3, abs=1e-5)
    weights, again = (load_file(run / "weights.safetensors") for run in (one, other))
    assert weights.keys() == again.keys()
    for key, value in weights.items():
        torch.testing.assert_close(again[key], value, rtol=2e-3, atol=1e-5, msg=key)


def in_two_processes(code: str, inputs: dict[str, Tensor], folder: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return what `work(fabric, inputs)` of `code` returns in one process, and the mean of what it does in two."""
    script, data = folder / "work.py", folder / "inputs.pt"
    script.write_text(code + MAIN)
    torch.save(inputs, data)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for processes, front in ((1, []), (2, launch)):
        arguments = [str(script), str(processes), str(data), str(folder / f"{processes}.pt")]
        done = subprocess.run(
            [sys.executable, *front, *arguments], check=False, capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr
    return torch.load(folder / "1.pt"), torch.load(folder / "2.pt")
