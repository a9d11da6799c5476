"""lightly-train's DINO transform: reads one JSON request a line, answers one. Runs in its own environment."""

from __future__ import annotations

import json
import os
import sys
import time

os.environ.setdefault("LIGHTLY_TRAIN_EVENTS_DISABLED", "1")

import cv2
import numpy as np
import torch
from lightly_train._methods.dino.dino_transform import DINOTransform, DINOTransformArgs


def build(global_size: int, local_size: int, local_crops: int) -> DINOTransform:
    args = DINOTransformArgs(image_size=(global_size, global_size))
    args.local_view.view_size = (local_size, local_size)
    args.local_view.num_views = local_crops
    args.resolve_auto()
    if args.num_channels == "auto":
        args.num_channels = 3
    return DINOTransform(args)


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    for line in sys.stdin:
        request = json.loads(line)
        clock = time.process_time if request["clock"] == "cpu" else time.perf_counter
        transform = build(request["global_size"], request["local_size"], request["local_crops"])
        images = list(np.load(request["images"]))
        views = transform({"image": images[0]})
        sizes = [tuple(view["image"].shape[-2:]) for view in views]
        expected = [request["global_size"]] * 2 + [request["local_size"]] * request["local_crops"]
        assert sizes == [(side, side) for side in expected], sizes
        done, start = 0, clock()
        while (spent := clock() - start) < request["seconds"]:
            transform({"image": images[done % len(images)]})
            done += 1
        print(json.dumps({"rate": done / spent}), flush=True)


if __name__ == "__main__":
    main()
