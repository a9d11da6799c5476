"""Two real processes train the same network as one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import torch
from safetensors.torch import load_file

# No batch norm and no KoLeo: both see a process's own share of a batch, so with them the gradient depends on how it is
# shared out. Sinkhorn's sums are over all processes.
ARGUMENTS = [
    "--recipe", "dino-demo", "--backbone", "timm/test_vit", "--set", "epochs=2", "--set", "batch_size=12",
    "--set", "method.prototypes=32", "--set", "method.hidden=32", "--set", "method.bottleneck=16",
    "--set", "method.head_batch_norm=false", "--set", "method.bottleneck_batch_norm=false", "--set", "method.koleo=0",
    "--set", "views.local_crops=1", "--set", "precision=32-true", "--set", "device=cpu", "--set", "threads=1",
    "--set", "optim.name=sgd", "--set", "workers=0",
]  # fmt: skip


def test_two_processes_train_what_one_does(class_folder, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    tail = ["-m", "sightline", "pretrain", str(class_folder)]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([sys.executable, *tail, "--out", str(one), *ARGUMENTS], check=True, capture_output=True)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launch, *tail, "--out", str(two), *ARGUMENTS, "--set", "devices=2"],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((two / "run.json").read_text())["status"] == "done"
    single, double = load_file(one / "weights.safetensors"), load_file(two / "weights.safetensors")
    for name, value in single.items():
        torch.testing.assert_close(double[name], value, rtol=1e-3, atol=1e-5, msg=name)
