"""lightly-train's DINO pretraining, telling the time at the start of every step. Runs in its own environment.

    step_lightly.py PICTURES OUT PRECISION

What it is not told is its own choice: data workers (as many as cores less one), optimiser (SGD), head.
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("LIGHTLY_TRAIN_EVENTS_DISABLED", "1")

import lightly_train
from lightly_train._methods.dino.dino import DINO

BATCH, PROTOTYPES = 64, 4096


def main() -> None:
    pictures, out, precision = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    sys.stdout = sys.stderr
    step = DINO.training_step_impl

    def told(self, batch, batch_idx):
        views = [tuple(view.shape[-2:]) for view in batch["views"]]
        assert views == [(64, 64)] * 2 + [(32, 32)] * 6, views
        assert len(batch["views"][0]) == BATCH, len(batch["views"][0])
        print(f"step {time.perf_counter()}", file=answers)
        return step(self, batch, batch_idx)

    DINO.training_step_impl = told
    lightly_train.pretrain(
        out=out,
        data=pictures,
        model="torchvision/resnet18",
        method="dino",
        method_args={"output_dim": PROTOTYPES},
        transform_args={"image_size": (64, 64), "local_view": {"num_views": 6, "view_size": (32, 32)}},
        batch_size=BATCH,
        epochs=100,
        precision=precision,
        accelerator="cpu",
        overwrite=True,
    )


if __name__ == "__main__":
    main()
