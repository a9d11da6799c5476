"""DINO's multi-crop with kornia, on the CPU, a batch at a time: reads one JSON request a line, answers one.

The operations and probabilities of views_torchvision.py beside this. kornia crops a float batch to one size in one
call, so the sources of a batch have one size too. Runs in its own environment.
"""

from __future__ import annotations

import json
import sys
import time

import kornia.augmentation as K
import numpy as np
import torch
from kornia.constants import Resample


def build(global_size: int, local_size: int, local_crops: int) -> list[K.AugmentationSequential]:
    mean, std = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))

    def view(size: int, scale: tuple[float, float], blur: float, solarize: float) -> K.AugmentationSequential:
        kernel = max(3, int(size * 0.1) // 2 * 2 + 1)  # a tenth of the view, as SimCLR
        sigma = (0.1 * size / 224, 2.0 * size / 224)
        return K.AugmentationSequential(
            K.RandomResizedCrop((size, size), scale=scale, resample=Resample.BICUBIC, cropping_mode="resample"),
            K.RandomHorizontalFlip(p=0.5),
            K.ColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8),
            K.RandomGrayscale(p=0.2),
            K.RandomGaussianBlur((kernel, kernel), sigma, p=blur),
            K.RandomSolarize(thresholds=0.5, additions=0.0, p=solarize),
            K.Normalize(mean, std),
        )

    local = view(local_size, (0.05, 0.14), 0.5, 0.0)
    return [
        view(global_size, (0.14, 1.0), 1.0, 0.0),
        view(global_size, (0.14, 1.0), 0.1, 0.2),
        *([local] * local_crops),
    ]


@torch.inference_mode()
def main() -> None:
    torch.set_num_threads(1)
    for line in sys.stdin:
        request = json.loads(line)
        clock = time.process_time if request["clock"] == "cpu" else time.perf_counter
        views = build(request["global_size"], request["local_size"], request["local_crops"])
        pictures = np.load(request["images"])
        images = torch.from_numpy(pictures[np.arange(request["batch"]) % len(pictures)])
        done, start = 0, clock()
        while (spent := clock() - start) < request["seconds"]:
            batch = images.permute(0, 3, 1, 2).float() / 255
            sizes = [tuple(view(batch).shape[-2:]) for view in views]
            done += len(images)
        expected = [request["global_size"]] * 2 + [request["local_size"]] * request["local_crops"]
        assert sizes == [(side, side) for side in expected], sizes
        print(json.dumps({"rate": done / spent}), flush=True)


if __name__ == "__main__":
    main()
