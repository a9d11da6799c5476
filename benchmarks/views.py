"""Multi-crop views: Sightline, lightly-train, torchvision + Pillow and kornia, by turns on one core, medians.

    python benchmarks/views.py [--rounds 5] [--seconds 2] [--write docs/benchmarks/views.md]

Each peer has its own environment, made once by uv under the user's cache. All stay loaded and idle while one runs,
pinned to the same core where the system can pin. What each gives: Sightline uint8 views, to be normalised on the
device; the peers float32 tensors, normalised, as their own training loops take them. torchvision + Pillow is written as
the official DINO recipe; kornia does the same operations on whole batches.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
from peer_environments import VIEWS, views_peers

from sightline.bench.page import Page, add_output, finish
from sightline.bench.pictures import pictures
from sightline.bench.views import BATCH, SETTINGS

GOALS = {"lightly-train": (3, 3), "torchvision+PIL": (14, 10)}  # of the design's section 5, setting by setting


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument(
        "--clock",
        choices=("wall", "cpu"),
        default="wall",
        help="cpu counts processor time, which on one core is the same on an idle machine and holds on a busy one",
    )
    add_output(parser)
    arguments = parser.parse_args()
    peers, versions = views_peers()
    tables = {}
    with tempfile.TemporaryDirectory() as folder:
        for index, (setting, (side, global_size, local_size)) in enumerate(SETTINGS.items()):
            images = Path(folder) / f"{side}.npy"
            np.save(images, np.stack(pictures(BATCH, side)))
            request = {"images": str(images), "global_size": global_size, "local_size": local_size, "local_crops": 6}
            request |= {"batch": BATCH, "workers": 1, "clock": arguments.clock}
            rates = {name: [] for name in peers}
            for turn in range(-1, arguments.rounds):  # the first turn warms up
                for name, peer in peers.items():
                    peer.ask({**request, "seconds": arguments.seconds if turn >= 0 else 0.5})
                    rate = peer.answer()
                    if turn >= 0:
                        rates[name].append(rate)
            medians = {name: statistics.median(values) for name, values in rates.items()}
            tables[setting] = [
                {
                    "who": name,
                    "images/s": medians[name],
                    "rounds": ", ".join(f"{rate:.0f}" for rate in rates[name]),
                    "Sightline is faster by": medians["sightline"] / medians[name],
                    "goal": f"{GOALS[name][index]}" if name in GOALS else "",
                }
                for name in peers
            ]
    for peer in peers.values():
        peer.end()
    facts = {"clock": arguments.clock} | {f"versions of {name}": versions[name] for name in VIEWS}
    finish(Page("Multi-crop views beside their peers", __doc__ or "", tables, facts), arguments)


if __name__ == "__main__":
    main()
