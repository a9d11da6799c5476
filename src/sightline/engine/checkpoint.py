"""Crash-safe checkpoints: safetensors for tensors, JSON for the rest, a manifest with checksums as commit point.

The manifest names the tensor file of its step. Tensors are written first under a name of their own, the manifest
replaces the old one last, and only then is the old tensor file removed. A kill at any moment leaves a whole
checkpoint behind: the old or the new one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from sightline.errors import RunError
from sightline.files import file_sha256, text_digest
from sightline.files.atomic import atomic_path, write_json
from sightline.runs.artifacts import MANIFEST


@dataclass(frozen=True)
class Checkpoint:
    """What `load` found: all tensors by name, and the JSON state."""

    tensors: dict[str, Tensor]
    state: dict[str, Any]


def save(folder: Path, tensors: dict[str, Tensor], state: dict[str, Any], step: int) -> None:
    """Write a checkpoint into `folder`, replacing the one that is there only once this one is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"tensors-{step:09d}.safetensors"
    with atomic_path(target) as temporary:
        save_file({name: _plain(tensor) for name, tensor in tensors.items()}, temporary)
    manifest = {"step": step, "tensors": target.name, "sha256": file_sha256(target)}
    write_json(folder / MANIFEST, {**manifest, "state_digest": text_digest(json.dumps(state)), "state": state})
    for stale in folder.glob("tensors-*.safetensors"):
        if stale != target:
            stale.unlink()


def load(folder: Path) -> Checkpoint | None:
    """Read the checkpoint in `folder`; None when there is none yet.

    Raises:
        RunError: the checkpoint is damaged.
    """
    manifest_path = folder / MANIFEST
    if not manifest_path.is_file():
        return None
    way_out = f"remove {folder} to start the run anew"
    try:
        manifest = json.loads(manifest_path.read_bytes())
        path, expected, state = folder / manifest["tensors"], manifest["sha256"], manifest["state"]
        digest = text_digest(json.dumps(state))
        whole = manifest.get("state_digest", digest) == digest
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(f"{manifest_path}: damaged ({type(error).__name__}: {error}); {way_out}") from None
    if not whole:
        raise RunError(f"{manifest_path}: its state does not match its checksum; {way_out}")
    if not path.is_file() or file_sha256(path) != expected:
        raise RunError(f"{path}: the checkpoint does not match its checksum; {way_out}")
    return Checkpoint(load_file(path), state)


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return the optimizer's per-parameter state, keyed "index/name".

    Raises:
        TypeError: a state that is no tensor, which a run could not be resumed from bit for bit.
    """
    tensors: dict[str, Tensor] = {}
    for index, entry in optimizer.state_dict()["state"].items():
        for name, value in entry.items():
            if not isinstance(value, Tensor):
                raise TypeError(
                    f"{type(optimizer).__name__} holds {name} = {value!r} of parameter {index}: expected a tensor, "
                    "as checkpoints keep tensors only; keep it as one"
                )
            tensors[f"{index}/{name}"] = value
    return tensors


def load_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` returned; parameter groups keep their present settings."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    entries: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split("/", 1)
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:
            # In the parameter's own memory layout: fused optimizers walk both in storage order.
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        entries.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": entries, "param_groups": optimizer.state_dict()["param_groups"]})


def _plain(tensor: Tensor) -> Tensor:
    # A clone, because safetensors refuses tensors that share memory, and channels-last strides.
    return tensor.detach().to("cpu", copy=True).contiguous(memory_format=torch.contiguous_format)
