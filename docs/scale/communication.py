"""Bytes that the processes of one training exchange in a step, from the networks' own shapes.

    uv run python docs/scale/communication.py

prints the Markdown table of docs/scale.md. A ring of W processes sends 2·(W − 1)/W bytes a process for each byte that
is summed (Patarasuk and Yuan 2009); gathering a tensor of n bytes sends (W − 1)·n.
"""

from __future__ import annotations

import argparse

import timm
import torch
from torch import nn

FLOAT = 4  # bytes; gradients are of the parameters' type, 32 bits, in bf16-mixed too


def gradient_bytes(network: nn.Module) -> int:
    """Return the bytes of all gradients."""
    return FLOAT * sum(parameter.numel() for parameter in network.parameters())


def statistics_bytes(network: nn.Module, forwards: int) -> tuple[int, int]:
    """Return what batch norms exchange in a step: bytes gathered forward, 2·C + 1 numbers each, and summed backward."""
    channels = [norm.num_features for norm in network.modules() if isinstance(norm, nn.BatchNorm2d)]
    return forwards * FLOAT * sum(2 * count + 1 for count in channels), forwards * FLOAT * sum(2 * c for c in channels)


def sent(summed: int, gathered: int, processes: int) -> float:
    """Return the bytes that one process sends in a step."""
    return 2 * (processes - 1) / processes * summed + (processes - 1) * gathered


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--processes", type=int, nargs="+", default=[2, 8, 64])
    parser.add_argument("--forwards", type=int, default=2, help="Resolutions a step: DINO's global and local views.")
    arguments = parser.parse_args()
    columns = "".join(f" a process of {count} sends |" for count in arguments.processes)
    print(f"| backbone | parameters | gradients, 32 bits | in bf16 | batch norms, forward + backward |{columns}")
    print("|---|---|---|---|---|" + "---|" * len(arguments.processes))
    for name in ("resnet18", "resnet50", "vit_small_patch16_224", "vit_base_patch16_224"):
        with torch.device("meta"):
            network = timm.create_model(name, num_classes=0)
        gradients = gradient_bytes(network)
        gathered, summed = statistics_bytes(network, arguments.forwards)
        totals = "".join(f" {sent(gradients + summed, gathered, n) / 1e6:.0f} MB |" for n in arguments.processes)
        print(
            f"| {name} | {gradients / FLOAT / 1e6:.1f} M | {gradients / 1e6:.1f} MB | {gradients / 2e6:.1f} MB | "
            f"{gathered / 1e6:.2f} + {summed / 1e6:.2f} MB |{totals}"
        )


if __name__ == "__main__":
    main()
