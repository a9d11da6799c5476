"""What the processes of a training compute together: sums, gathered tensors, and work shared out among them.

The gradients of the processes are averaged, so the loss of a training is the mean of what its processes return. A
process whose loss is a mean over its own share weighs it by `weight`; one that sums over all images itself, with
`total` or `everyones`, returns the loss of the whole batch. With one process all of these are what they are given.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, distributed


def everyones(fabric: Fabric, tensor: Tensor) -> Tensor:
    """Return the tensors of all processes, (processes, …), all of one shape; gradients flow back to each."""
    if fabric.world_size == 1:
        return tensor[None]
    gathered = fabric.all_gather(tensor, sync_grads=tensor.requires_grad)
    assert isinstance(gathered, Tensor)
    return gathered


def total(fabric: Fabric, tensor: Tensor) -> Tensor:
    """Return the sum over all processes; gradients flow back to each."""
    return tensor if fabric.world_size == 1 else everyones(fabric, tensor).sum(dim=0)


@torch.no_grad()
def summed(fabric: Fabric, tensor: Tensor) -> Tensor:
    """Return the sum over all processes, without gradient; a large tensor costs no more memory than its own."""
    if fabric.world_size == 1:
        return tensor
    tensor = tensor.detach().clone()
    distributed.all_reduce(tensor)
    return tensor


def weight(fabric: Fabric, count: Tensor) -> Tensor:
    """Return what makes the mean over processes of a process's mean over `count` items the mean over all items."""
    return count * fabric.world_size / summed(fabric, count)


def shared_out(fabric: Fabric, indices: np.ndarray, work: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return work(indices), each process having done a share; every process must call it.

    Args:
        fabric: processes.
        indices: int64 (N,), N at least 1.
        work: indices (n,), n at least 1 → one row each, (n, …), of a type that torch has.

    Returns:
        The N rows, in the order of the indices, the same in every process.
    """
    world = fabric.world_size
    if world == 1:
        return work(indices)
    # Of fewer indices than processes, some do one that is thrown away.
    mine = indices[fabric.global_rank :: world]
    rows = work(mine if len(mine) else indices[:1])
    share = -(-len(indices) // world)
    padded = torch.zeros((share, *rows.shape[1:]), dtype=torch.from_numpy(rows).dtype)
    padded[: len(rows)] = torch.from_numpy(rows)
    parts = everyones(fabric, padded.to(fabric.device)).transpose(0, 1).flatten(0, 1)
    return parts[: len(indices)].cpu().numpy()
