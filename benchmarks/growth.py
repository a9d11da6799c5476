"""How the speed of multi-crop views grows with sources, crops, batch and workers, beside the peers.

    python benchmarks/growth.py [--rounds 3] [--seconds 1] [--write docs/benchmarks/growth.md]

One thing varies at a time, from 84-px sources, 2×224 + 6×96, batch 64, one worker. Images a second, medians; by turns
on one core, on two for two workers: threads of one process for Sightline, two processes for each peer, as their data
loaders work. lightly-train and torchvision take one image at a time, whatever the batch.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from peer_environments import VIEWS, ViewsPeer, environment, views_peers
from PIL import Image

from sightline.bench.page import Page, add_output, finish
from sightline.bench.pictures import QUALITY, pictures
from sightline.data.images.decode import decode, shrink

SIDES = (64, 84, 256, 512, 1000, 2000)
LOCAL_CROPS = (0, 2, 6, 10)
BATCHES = (16, 64, 256)
BASE = {"side": 84, "global_size": 224, "local_size": 96, "local_crops": 6, "batch": 64, "workers": 1}
SOURCE_PIXELS = 64 * 512 * 512  # pictures of a size that are kept in memory; larger ones are fewer, and used again
STORED = 256  # px of the shorter side in the decoded cache, for views of 224


def source(folder: Path, side: int) -> Path:
    """Return a file of generated pictures, uint8 (N, side, side, 3)."""
    path = folder / f"{side}.npy"
    if not path.exists():
        np.save(path, np.stack(pictures(min(64, SOURCE_PIXELS // side**2), side)))
    return path


def medians(
    teams: dict[str, list[ViewsPeer]], request: dict[str, Any], rounds: int, seconds: float
) -> dict[str, float]:
    """Return each team's images a second, its members asked at once."""
    rates = {name: [] for name in teams}
    for turn in range(-1, rounds):
        for name, team in teams.items():
            for peer in team:
                peer.ask({**request, "seconds": seconds if turn >= 0 else 0.2})
            rate = sum(peer.answer() for peer in team)
            if turn >= 0:
                rates[name].append(rate)
    return {name: statistics.median(values) for name, values in rates.items()}


def decoding(rounds: int) -> list[dict[str, Any]]:
    """Return milliseconds of decoding one JPEG for storage at 256 px: at its full size, and at a reduced scale."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for side in (256, 512, 1000, 2000):
            path = Path(folder) / f"{side}.jpg"
            buffer = io.BytesIO()
            Image.fromarray(pictures(1, side)[0]).save(buffer, "JPEG", quality=QUALITY)
            path.write_bytes(buffer.getvalue())
            times = {}
            for at_least in (None, STORED):
                spent = []
                for _ in range(2 * rounds + 1):
                    begin = time.perf_counter()
                    shrink(decode(path, at_least=at_least), STORED)
                    spent.append(time.perf_counter() - begin)
                times[at_least] = 1e3 * statistics.median(spent[1:])
            row = {"JPEG side, px": side, "full size, ms": times[None], "reduced scale, ms": times[STORED]}
            rows.append({**row, "faster by": times[None] / times[STORED]})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument(
        "--clock",
        choices=("wall", "cpu"),
        default="wall",
        help="cpu counts processor time, which on one core is the same on an idle machine and holds on a busy one",
    )
    add_output(parser)
    arguments = parser.parse_args()
    base = BASE | {"clock": arguments.clock}
    timing = (arguments.rounds, arguments.seconds)
    peers, versions = views_peers()
    teams = {name: [peer] for name, peer in peers.items()}
    tables: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        for heading, key, values in (
            ("Side of the sources, px", "side", SIDES),
            ("Local crops", "local_crops", LOCAL_CROPS),
            ("Images a batch", "batch", BATCHES),
        ):
            tables[heading] = []
            for value in values:
                setting = base | {key: value}
                request = {**setting, "images": str(source(folder, setting["side"]))}
                tables[heading].append({heading: value, **medians(teams, request, *timing)})
        request = {**base, "images": str(source(folder, BASE["side"]))}
        tables["Workers"] = [{"Workers": 1, **medians(teams, request, *timing)}]
        pairs = {name: [peers[name], ViewsPeer(peer_python(name), script, (1,))] for name, (script, _) in VIEWS.items()}
        # Two workers are two cores' worth: by processor time they would say nothing.
        request["clock"] = "wall"
        # Sightline's two workers share one process; the others' are two processes of one worker each, and go first:
        # they take a while to start, on a core that the two would need.
        theirs = medians(pairs, request, *timing)
        ours = {"sightline": [ViewsPeer(peer_python("sightline"), "views_sightline.py", (0, 1))]}
        tables["Workers"].append({"Workers": 2, **medians(ours, {**request, "workers": 2}, *timing), **theirs})
    for peer in [*peers.values(), *(team[-1] for team in (pairs | ours).values())]:
        peer.end()
    tables["Decoding a JPEG for storage at 256 px, once"] = decoding(arguments.rounds)
    facts = {"clock": f"{arguments.clock}, wall for two workers"}
    facts |= {f"versions of {name}": versions[name] for name in VIEWS}
    finish(Page("Multi-crop views: growth", __doc__ or "", tables, facts), arguments)


def peer_python(name: str) -> Path | str:
    """Return the interpreter of a peer, or this one for Sightline."""
    import sys

    return sys.executable if name == "sightline" else environment(name, VIEWS[name][1])[0]


if __name__ == "__main__":
    main()
