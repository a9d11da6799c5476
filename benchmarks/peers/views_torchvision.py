"""The official DINO augmentation with torchvision and Pillow: reads one JSON request a line, answers one.

Written as `DataAugmentationDINO` of the official repository (github.com/facebookresearch/dino, main_dino.py), with
the ResNet-50 scales of its README. Runs in its own environment: torchvision and Pillow only.
"""

from __future__ import annotations

import json
import random
import sys
import time

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps
from torchvision import transforms


class GaussianBlur:
    def __init__(self, p: float) -> None:
        self.p = p

    def __call__(self, image: Image.Image) -> Image.Image:
        if random.random() > self.p:
            return image
        return image.filter(ImageFilter.GaussianBlur(radius=random.uniform(0.1, 2.0)))


class Solarization:
    def __init__(self, p: float) -> None:
        self.p = p

    def __call__(self, image: Image.Image) -> Image.Image:
        return ImageOps.solarize(image) if random.random() < self.p else image


def build(global_size: int, local_size: int, local_crops: int):
    bicubic = transforms.InterpolationMode.BICUBIC
    colors = [
        transforms.RandomHorizontalFlip(p=0.5),
        transforms.RandomApply([transforms.ColorJitter(0.4, 0.4, 0.2, 0.1)], p=0.8),
        transforms.RandomGrayscale(p=0.2),
    ]
    end = [transforms.ToTensor(), transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]

    def view(size: int, scale: tuple[float, float], *rest):
        crop = transforms.RandomResizedCrop(size, scale=scale, interpolation=bicubic)
        return transforms.Compose([crop, *colors, *rest, *end])

    first = view(global_size, (0.14, 1.0), GaussianBlur(1.0))
    second = view(global_size, (0.14, 1.0), GaussianBlur(0.1), Solarization(0.2))
    local = view(local_size, (0.05, 0.14), GaussianBlur(0.5))
    return lambda image: [first(image), second(image)] + [local(image) for _ in range(local_crops)]


def main() -> None:
    torch.set_num_threads(1)
    for line in sys.stdin:
        request = json.loads(line)
        clock = time.process_time if request["clock"] == "cpu" else time.perf_counter
        transform = build(request["global_size"], request["local_size"], request["local_crops"])
        images = [Image.fromarray(image) for image in np.load(request["images"])]
        transform(images[0])
        done, start = 0, clock()
        while (spent := clock() - start) < request["seconds"]:
            transform(images[done % len(images)])
            done += 1
        print(json.dumps({"rate": done / spent}), flush=True)


if __name__ == "__main__":
    main()
