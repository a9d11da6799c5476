"""Forward and backward of a U-Net on ResNet-18: ours against segmentation-models-pytorch's, taking turns.

    OMP_NUM_THREADS=1 python benchmarks/segmentation_step.py [--rounds 7] [--size 256] [--batch 8]

Prints the median of images/s for float32 and for bfloat16 autocast; weights and images channels last, one thread.
"""

from __future__ import annotations

import argparse
import statistics
import time

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from sightline.models.cpu import place
from sightline.models.segmentation import build_segmenter

CLASSES = 7


def step(model: nn.Module, images: Tensor, target: Tensor, bf16: bool) -> float:
    model.zero_grad(set_to_none=True)
    begin = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        logits = model(images)
    nn.functional.cross_entropy(logits.float(), target).backward()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    args = parser.parse_args()
    torch.set_num_threads(1)
    ours = place(build_segmenter("unet", "resnet18", CLASSES), torch.device("cpu"))
    theirs = smp.Unet("resnet18", encoder_weights=None, classes=CLASSES).to(memory_format=torch.channels_last)
    images = torch.rand(args.batch, 3, args.size, args.size).to(memory_format=torch.channels_last)
    target = torch.randint(CLASSES, (args.batch, args.size, args.size))
    for bf16 in (False, True):
        seconds: dict[str, list[float]] = {"sightline": [], "segmentation-models-pytorch": []}
        for _ in range(args.rounds + 1):
            for name, model in zip(seconds, (ours, theirs), strict=True):
                seconds[name].append(step(model, images, target, bf16))
        medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
        precision, ratio = "bf16" if bf16 else "fp32", medians["segmentation-models-pytorch"] / medians["sightline"]
        for name, median in medians.items():
            print(f"{precision}  {name:28}  {args.batch / median:6.2f} images/s")
        print(f"{precision}  ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
